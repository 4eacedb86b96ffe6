/* Some of the cells, drawn without replacement. Private to src/space. */
#ifndef QL_SAMPLE_H
#define QL_SAMPLE_H

#include <stdint.h>

#include "quell/status.h"

/* m of n numbers, in the order they are drawn in: which [m]. m <= n. */
QL_MUST_USE ql_status ql_sample_draw(int64_t n, int64_t m, uint64_t seed, uint64_t purpose,
                                     int64_t *which, ql_err *err);

/* The same, and these rows of x [n, d] into out [m, d]; which may be NULL. */
QL_MUST_USE ql_status ql_sample_rows(const double *x, int64_t n, int64_t d, int64_t m,
                                     uint64_t seed, uint64_t purpose, int64_t *which, double *out,
                                     ql_err *err);

#endif
