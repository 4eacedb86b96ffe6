/* Binary codes of points, and search by the number of bits that differ: semantic hashing
 * (Salakhutdinov and Hinton 2009). */
#ifndef QUELL_CODES_H
#define QUELL_CODES_H

#include <stdint.h>

#include "quell/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Zero-initialise; release with ql_codes_free. */
typedef struct {
    int64_t n, n_bits, n_words; /* n_words: of a code */
    uint64_t *word;             /* [n, n_words], bits beyond n_bits 0; owned */
} ql_codes;

/* Bit d of a point is 1 where x [n, n_bits] is above threshold [n_bits]. */
QL_MUST_USE ql_status ql_codes_of(const float *x, int64_t n, int64_t n_bits, const float *threshold,
                                  ql_codes *out, ql_err *err);
void ql_codes_free(ql_codes *c);

/* Thresholds for x [n, n_bits]: 0.5 where all of x lies in 0 .. 1 (a sigmoid's values), else the
 * median of each column, which halves the points. Returns which: *medians. *saturated is the share
 * of values within 0.1 of 0 or 1. */
QL_MUST_USE ql_status ql_codes_threshold(const float *x, int64_t n, int64_t n_bits,
                                         float *threshold, int *medians, double *saturated,
                                         ql_err *err);

/* Different codes among c; the share of points that have a code for themselves alone. */
QL_MUST_USE ql_status ql_codes_count(const ql_codes *c, int64_t *n_different, double *alone,
                                     ql_err *err);

/* The k points whose codes differ least from each query's, ties by position: index and bits
 * [queries->n, k], 1 <= k <= points->n. */
QL_MUST_USE ql_status ql_codes_search(const ql_codes *points, const ql_codes *queries, int k,
                                      int threads, int32_t *index, int32_t *bits, ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
