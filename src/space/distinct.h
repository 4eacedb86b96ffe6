/* Points that are equal in every bit. Private to src/space. */
#ifndef QL_DISTINCT_H
#define QL_DISTINCT_H

#include <stdint.h>

#include "quell/status.h"

/* Of x [n, d]: the points of which no two are equal, the first of each kind, ascending, into first
 * [n]; *n_distinct of them. kind [n] (may be NULL): which of these each point equals. */
QL_MUST_USE ql_status ql_distinct_rows(const double *x, int64_t n, int64_t d, int64_t *first,
                                       int64_t *n_distinct, int64_t *kind, ql_err *err);

#endif
