/* How well a fitted model explains each cell: figures for finding cells it has not learned.
 * Formulas and units for users: docs/output.md. */
#ifndef QUELL_CELL_SCORES_H
#define QUELL_CELL_SCORES_H

#include "quell/fitted.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    QL_SCORE_NLL,      /* -ln P of the cell's counts, ln y! included, nats per molecule */
    QL_SCORE_ERROR,    /* mean over the kept genes of (log1p(cp10k) - that of the mean)^2 */
    QL_SCORE_PEARSON,  /* mean over the kept genes of min((x - m)^2 / v, 100) */
    QL_SCORE_DISTANCE, /* Mahalanobis distance of the latent space from the training cells, divided
                          by the root of its width */
    QL_N_SCORES
} ql_cell_score;

/* A set of scores is a sum of these bits. */
#define QL_SCORE_BIT(score) (1U << (score))

typedef struct {
    int64_t n_cells;
    double *of[QL_N_SCORES]; /* [cells of the file], NaN for cells without counts; NULL: not asked
                                for; owned */
} ql_cell_scores;

/* counts: as ql_fit left them. Release *out with ql_cell_scores_free; it is empty after a failure.
 */
QL_MUST_USE ql_status ql_cell_scores_of(ql_fitted *fitted, const ql_rows *counts, unsigned which,
                                        ql_cell_scores *out, ql_err *err);
void ql_cell_scores_free(ql_cell_scores *s);

/* Bytes of the scores, and what making them takes at most beside the fit. */
int64_t ql_cell_scores_bytes(const ql_fit_options *opt, int64_t n_cells, unsigned which);

#ifdef __cplusplus
}
#endif
#endif
