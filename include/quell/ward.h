/* Agglomerative clustering of a few hundred things by Ward's rule. */
#ifndef QUELL_WARD_H
#define QUELL_WARD_H

#include <stdint.h>

#include "quell/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    int32_t a, b; /* things are 0 .. n-1, the result of merge i is n + i; a < b */
    double height;
} ql_merge;

/* Ward's formula of Lance and Williams (1967) on the distances as they are, not on their squares:
 * what R calls "ward.D". distance [n, n], symmetric, is used up; merge [n - 1], in the order in
 * which they are made. Of equal distances the pair that comes first row by row is merged. */
QL_MUST_USE ql_status ql_ward(int64_t n, double *distance, ql_merge *merge, ql_err *err);

/* The k groups there are before the last k - 1 merges, numbered by their first thing. 1 <= k <= n;
 * label [n]. */
QL_MUST_USE ql_status ql_cut_tree(int64_t n, const ql_merge *merge, int64_t k, int32_t *label,
                                  ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
