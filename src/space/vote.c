#include "quell/vote.h"

#include <string.h>

#include "correlation.h"
#include "quell/alloc.h"

int32_t ql_most_frequent(const int32_t *label, int64_t n, int32_t *tally, int32_t *count)
{
    int32_t best = label[0];
    for (int64_t i = 0; i < n; i++) tally[label[i]]++;
    for (int64_t i = 1; i < n; i++)
        if (tally[label[i]] > tally[best]) best = label[i];
    if (count) *count = tally[best];
    for (int64_t i = 0; i < n; i++) tally[label[i]] = 0;
    return best;
}

/* For each asked cell the labels of the known cells that are nearest by 1 - correlation, nearest
 * first: votes [n_asked, *width], *width the neighbours there are. votes has room for
 * task->neighbours a cell. */
static ql_status vote_labels(const ql_vote_task *t, int32_t *votes, int64_t *width, ql_err *err)
{
    ql_knn near;
    *width = t->neighbours < t->n_known ? t->neighbours : t->n_known;
    QL_TRY(ql_nearest_directions(t->known, t->n_known, t->asked, t->n_asked, t->d, *width,
                                 t->threads, &near, err));
    for (int64_t i = 0; i < t->n_asked * *width; i++) votes[i] = t->label[near.index[i]];
    ql_knn_free(&near);
    return QL_OK;
}

ql_status ql_vote(const ql_vote_task *t, int32_t *out, ql_err *err)
{
    int32_t *votes, *tally = NULL;
    int64_t width;
    QL_TRY(QL_NEW(votes, t->n_asked * t->neighbours, "votes", err));
    ql_status st = QL_NEW(tally, t->n_labels, "votes", err);
    if (st == QL_OK) st = vote_labels(t, votes, &width, err);
    for (int64_t i = 0; st == QL_OK && i < t->n_asked; i++)
        out[i] = ql_most_frequent(votes + i * width, width, tally, NULL);
    ql_free(tally);
    ql_free(votes);
    return st;
}

typedef struct {
    int32_t *votes;  /* [n_asked, width] of one member */
    int32_t *choice; /* [n_asked, members] */
    int32_t *total;  /* [n_asked, n_labels]: votes of all members */
    int32_t *tally;  /* [n_labels] */
    int64_t width;
} ballot;

static ql_status count_member(const ql_vote_ensemble *e, int m, ballot *b, ql_err *err)
{
    const ql_vote_task *t = &e->member[m];
    QL_TRY(vote_labels(t, b->votes, &b->width, err));
    for (int64_t i = 0; i < t->n_asked; i++) {
        const int32_t *votes = b->votes + i * b->width;
        b->choice[i * e->n_members + m] = ql_most_frequent(votes, b->width, b->tally, NULL);
        for (int64_t v = 0; v < b->width; v++) b->total[i * t->n_labels + votes[v]]++;
    }
    return QL_OK;
}

ql_status ql_vote_ensemble_run(const ql_vote_ensemble *e, int32_t *label, double *share,
                               ql_err *err)
{
    const ql_vote_task *t = e->member;
    ballot b = {0};
    ql_status st;
    QL_GO(QL_NEW(b.votes, t->n_asked * t->neighbours, "votes", err));
    QL_GO(QL_NEW(b.choice, t->n_asked * e->n_members, "votes", err));
    QL_GO(QL_NEW(b.total, t->n_asked * t->n_labels, "votes", err));
    QL_GO(QL_NEW(b.tally, t->n_labels, "votes", err));
    for (int m = 0; m < e->n_members; m++) QL_GO(count_member(e, m, &b, err));
    for (int64_t i = 0; i < t->n_asked; i++) {
        label[i] = ql_most_frequent(b.choice + i * e->n_members, e->n_members, b.tally, NULL);
        share[i] = (double)b.total[i * t->n_labels + label[i]] / (double)(b.width * e->n_members);
    }
out:
    ql_free(b.votes);
    ql_free(b.choice);
    ql_free(b.total);
    ql_free(b.tally);
    return st;
}
