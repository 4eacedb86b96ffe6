/* Labels handed on by the nearest cells that have one. */
#ifndef QUELL_VOTE_H
#define QUELL_VOTE_H

#include <stdint.h>

#include "quell/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The most frequent of label[0 .. n), in [0, k); of equally frequent ones the one that comes first
 * in the list. tally [k]: zeroed scratch, zero afterwards. count (may be NULL): how often. */
int32_t ql_most_frequent(const int32_t *label, int64_t n, int32_t *tally, int32_t *count);

typedef struct {
    const double *known; /* [n_known, d]: cells with a label */
    int64_t n_known;
    const int32_t *label; /* [n_known], in [0, n_labels) */
    int64_t n_labels;
    const double *asked; /* [n_asked, d] */
    int64_t n_asked;
    int64_t d;
    int64_t neighbours; /* lowered to n_known */
    int threads;
} ql_vote_task;

/* Label of each asked cell: the most frequent among the known cells that are nearest to it by
 * 1 - correlation, of the nearest where they tie: out [n_asked]. */
QL_MUST_USE ql_status ql_vote(const ql_vote_task *task, int32_t *out, ql_err *err);

/* Votes of several latent spaces of the same cells. */
typedef struct {
    const ql_vote_task *member; /* [n_members], of the same cells and labels */
    int n_members;
} ql_vote_ensemble;

/* Label of each cell: the most frequent of what the members say (of the earliest where they tie);
 * share [n_asked]: of all members' neighbours that have it. */
QL_MUST_USE ql_status ql_vote_ensemble_run(const ql_vote_ensemble *e, int32_t *label, double *share,
                                           ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
