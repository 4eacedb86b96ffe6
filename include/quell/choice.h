/* Which of several models, or which mixture of them, predicts molecules best that none has seen.
 *
 * Each fold divides the molecules of every cell anew: eight tenths to fit to, a tenth to choose by,
 * and a tenth (`report`) that nothing looks at but the figures that are told. All candidates are
 * fitted side by side. Each is judged by its posterior estimate with dispersions of its own, and so
 * is the mixture, whose weights are fitted to the molecules that choose. */
#ifndef QUELL_CHOICE_H
#define QUELL_CHOICE_H

#include "quell/ensemble.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    double select, report;               /* gain over the gene means, nats a held-out molecule */
    double report_error;                 /* standard error over cells */
    double report_folds;                 /* standard deviation over folds; NaN with one */
    double difference, difference_error; /* of `report` from what was chosen, over cells in pairs */
    double weight;                       /* in the mixture, mean over folds */
} ql_candidate;

enum { QL_CHOICE_FOLDS = 20 };

typedef struct {
    int n, folds;
    int64_t n_cells;
    ql_candidate candidate[QL_MEMBERS_MOST + 1]; /* [n] is the mixture */
    int chosen;                                  /* n: the mixture */
    bool member[QL_MEMBERS_MOST];                /* it is part of the mixture */
} ql_choice;

typedef struct {
    int folds, threads;
    int64_t most_cells; /* a random draw of so many cells is used; 0: all */
    uint64_t seed;
    bool posterior;                      /* judge by the posterior estimate; else by the mean */
    const int *order;                    /* [n] the candidates from simple to rich */
    void (*fold)(void *ctx, int number); /* before each; NULL: not wanted */
    void *ctx;
} ql_choice_options;

/* Compare n candidates, the first of them a network. Chosen is the simplest candidate that none
 * beats by more than two standard errors on the molecules that choose; or the mixture, if it beats
 * that one by more than two. counts stay as they are. */
QL_MUST_USE ql_status ql_choose(const ql_rows *counts, const ql_member_spec *specs, int n,
                                const ql_choice_options *opt, const ql_kern *kern, ql_choice *out,
                                ql_err *err);

/* Bytes that it takes beside the fits (ql_ensemble_bytes). */
int64_t ql_choice_bytes(const ql_rows *counts, int n, int64_t most_cells);

#ifdef __cplusplus
}
#endif
#endif
