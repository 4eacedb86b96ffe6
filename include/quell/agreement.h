/* How far two labelings of the same cells agree. Groups are whole numbers from 0 on. */
#ifndef QUELL_AGREEMENT_H
#define QUELL_AGREEMENT_H

#include <stdint.h>

#include "quell/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Cells by group of a (rows) and group of b (columns). */
typedef struct {
    int64_t n; /* cells */
    int64_t n_a, n_b;
    int64_t *count; /* [n_a, n_b]; owned */
    int64_t *sum_a; /* [n_a]; owned */
    int64_t *sum_b; /* [n_b]; owned */
} ql_confusion;

/* a and b [n], values in [0, n_a) and [0, n_b). QL_EDATA: a table of more than 2^27
 * entries; QL_EMEMORY. Release with ql_confusion_free. */
QL_MUST_USE ql_status ql_confusion_make(int64_t n, const int32_t *a, int64_t n_a, const int32_t *b,
                                        int64_t n_b, ql_confusion *out, ql_err *err);
void ql_confusion_free(ql_confusion *c);

/* Rand index adjusted for chance (Hubert and Arabie 1985): 1 for the same partition, 0 expected
 * between unrelated ones of these sizes, below 0 for less. 1 where both put all cells into one
 * group, or each cell into its own. */
double ql_adjusted_rand(const ql_confusion *c);

/* Mutual information divided by the mean of the two entropies, in [0, 1]; 1 where both have one
 * group. */
double ql_mutual_information(const ql_confusion *c);

/* Purity of the groups of b by those of a (Manning et al. 2008, ch. 16): the share of the cells
 * whose group of a is the most frequent one in their group of b; 1 when each group of b lies in one
 * of a. */
double ql_purity(const ql_confusion *c);

/* The same of two labelings without a table: those of an ensemble. */
QL_MUST_USE ql_status ql_adjusted_rand_of(int64_t n, const int32_t *a, int64_t n_a,
                                          const int32_t *b, int64_t n_b, double *out, ql_err *err);

/* Mean silhouette width (Rousseeuw 1987) of points in a space. */
typedef struct {
    const double *x; /* [n, d], row-major */
    int64_t n, d;
    const int32_t *label; /* [n], in [0, n_groups); -1: a point that does not take part */
    int64_t n_groups;
    int threads;
} ql_silhouette_task;

/* Exact: Euclidean distances between all pairs, none of them stored. Points alone in their group
 * count as 0. NaN with fewer than 2 groups. width [n] (may be NULL): of each point, NaN where it
 * takes no part. QL_EMEMORY. */
QL_MUST_USE ql_status ql_silhouette(const ql_silhouette_task *task, double *mean, double *width,
                                    ql_err *err);

/* The same of at most `most` of the points that take part, drawn by the seed and held against each
 * other alone: *used of them. */
QL_MUST_USE ql_status ql_silhouette_sampled(const ql_silhouette_task *task, int64_t most,
                                            uint64_t seed, double *mean, int64_t *used,
                                            ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
