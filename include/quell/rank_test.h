/* Wilcoxon's rank-sum test with ties, over strata: F. Wilcoxon 1945, Biometrics Bulletin 1; P. H.
 * van Elteren 1960, Bulletin de l'Institut International de Statistique 37. */
#ifndef QUELL_RANK_TEST_H
#define QUELL_RANK_TEST_H

#include "quell/order.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Sorts list [n]; rank[at] of each becomes its rank from 1, equal values having the mean of theirs.
 * NaN is not allowed. */
void ql_midranks(ql_ranked *list, int64_t n, double *rank);

/* Sum over strata of w (R - E R), R the ranks' sum of the group, and its variance if the group were
 * drawn at random; w = 1 / (n + 1). Of one stratum sum / sqrt(variance) is Wilcoxon's z, without
 * correction for continuity. */
typedef struct {
    double sum, variance;
} ql_rank_sum;

/* Add a stratum of n ranks; in [n]: 1 for members of the group. */
void ql_rank_sum_add(ql_rank_sum *s, const double *rank, const uint8_t *in, int64_t n);

/* Share of draws from a normal distribution that are as far from 0, on either side. */
double ql_two_sided(double z);

#ifdef __cplusplus
}
#endif
#endif
