/* Comparing fits by molecules that none of them has seen.
 *
 * The molecules of the cells are thinned into three parts: eight tenths that the trials train on, a
 * tenth by which they are compared (`select`), and a tenth that nothing looks at but the final
 * figures (`report`): choosing among many makes the figure that chose look better than it is.
 *
 * With a first rung of few epochs this is successive halving (Jamieson and Talwalkar 2016): of the
 * trials of a rung every third goes on to three times the epochs, the last ones to all of them. A
 * rung trains from the start, so that a trial's result depends on its settings alone. Trials run
 * side by side, one thread each; results do not depend on how many. */
#ifndef QUELL_TRIALS_H
#define QUELL_TRIALS_H

#include "quell/fitted.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What is compared, in nats per held-out molecule. */
typedef enum {
    QL_BY_POSTERIOR, /* gain of the posterior estimate over the gene means */
    QL_BY_MEAN,      /* gain of the model's mean */
    QL_BY_LIKELIHOOD /* log-likelihood of the molecules under the model's own likelihood, without
                        ln y!: of use as a difference between trials only */
} ql_trial_score;

/* One part of the held-out molecules. */
typedef struct {
    double value;     /* nats per held-out molecule */
    double molecules; /* held out */
    double *cell;     /* [cells] nats of each cell: they add up to value * molecules; owned */
} ql_trial_part;

typedef struct {
    ql_fit_options options; /* given; threads are ignored */
    int rung;               /* the last one it trained in, from 0; -1: none */
    int64_t epochs;         /* trained there */
    bool diverged;          /* its figures are -infinity then */
    ql_trial_part select, report;
} ql_trial;

/* A rung that begins. */
typedef struct {
    int number, n_trials, side_by_side;
    int64_t epochs; /* at most; 0: as many as the trials' own options say */
} ql_rung;

typedef struct {
    ql_trial_score by;
    int64_t most_cells;   /* a random draw of so many cells is used; 0: all */
    int64_t first_epochs; /* of the first rung; 0: one rung with all epochs */
    int threads;          /* trials side by side at most; fewer where memory is short */
    uint64_t seed;
    /* may be NULL: before a rung, and for each trial after it */
    void (*begin)(void *ctx, const ql_rung *rung);
    void (*done)(void *ctx, int i, const ql_trial *trial);
    void *ctx;
} ql_trials_options;

/* What the trials were compared on. */
typedef struct {
    int64_t n_cells; /* used */
    int n_rungs;
} ql_trials_facts;

/* Run n trials on counts, which stay as they are. Trial 0 is the one that the others are compared
 * with: it goes through all rungs. A trial that diverges loses; any other failure is returned.
 * Release the trials with ql_trials_free. */
QL_MUST_USE ql_status ql_trials_run(const ql_rows *counts, ql_trial *trials, int n,
                                    const ql_trials_options *opt, const ql_kern *kern,
                                    ql_trials_facts *facts, ql_err *err);
void ql_trials_free(ql_trial *trials, int n);

/* How much better a is than b on the same part, in nats per held-out molecule, and the standard
 * error of that over cells, which are compared in pairs. */
double ql_trial_difference(const ql_trial_part *a, const ql_trial_part *b, int64_t n_cells,
                           double *standard_error);

/* The finalist that is best on `select`; trial 0 unless one is better than it by more than two
 * standard errors. */
int ql_trials_best(const ql_trial *trials, int n, const ql_trials_facts *facts);

/* Bytes that ql_trials_run takes for so many nonzeros beside the fits. */
static inline int64_t ql_trials_bytes(int64_t nnz)
{
    return nnz * 24;
}

#ifdef __cplusplus
}
#endif
#endif
