/* How far cells are along a process, from a start cell: path lengths in a minimum spanning tree of
 * 1
 * - correlation, as scDHA does (Tran et al. 2021). */
#ifndef QUELL_PSEUDOTIME_H
#define QUELL_PSEUDOTIME_H

#include <stdint.h>

#include "quell/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Minimum spanning tree of the complete graph of x's rows [n, d], edges 1 - Pearson correlation, by
 * Prim 1957 from `start`, without storing an edge: length [n] of the path from the start, parent
 * [n] (may be NULL; -1 of the start). */
QL_MUST_USE ql_status ql_tree_lengths(const double *x, int64_t n, int64_t d, int64_t start,
                                      double *length, int32_t *parent, ql_err *err);

/* Within each group, times are moved linearly onto the span between their own quartiles. Groups of
 * equal times stay as they are. */
QL_MUST_USE ql_status ql_draw_in_quartiles(int64_t n, const int32_t *group, int64_t n_groups,
                                           double *time, ql_err *err);

enum { QL_PSEUDOTIME_DIRECT = 5000 }; /* cells up to which the tree has all of them */

/* One latent space of the cells, with a clustering of its own. */
typedef struct {
    const double *x; /* [n, d] */
    int64_t d;
    const int32_t *group; /* [n], in [0, n_groups); NULL: times are not drawn in */
    int64_t n_groups;
} ql_pseudotime_member;

typedef struct {
    int64_t n;
    const ql_pseudotime_member *member; /* [members]: those that count */
    int members;
    int voter;     /* the member in which cells outside a sample look for their nearest */
    int64_t start; /* cell */
    uint64_t seed; /* of the sample */
    int threads;
} ql_pseudotime_task;

/* time [n]: the mean over the members. Of more than QL_PSEUDOTIME_DIRECT cells a sample is in the
 * trees; the others take the mean of their 3 nearest. */
QL_MUST_USE ql_status ql_pseudotime(const ql_pseudotime_task *task, double *time, ql_err *err);

/* The cell of a group, in[i] true, whose direction is nearest to the mean of theirs; -1: none. */
QL_MUST_USE ql_status ql_central_cell(const double *x, int64_t n, int64_t d, const uint8_t *in,
                                      int64_t *cell, ql_err *err);

/* Squared Pearson correlation of a and b [n], over entries where both are numbers; NaN where one of
 * them does not vary. */
double ql_r_squared(const double *a, const double *b, int64_t n);

#ifdef __cplusplus
}
#endif
#endif
