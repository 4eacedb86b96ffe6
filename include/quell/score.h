/* How good a denoiser is, by molecules it has not seen.
 *
 * Counts are split binomially; the model sees one part and predicts the other. The figure to steer
 * by is the gain: Poisson log-likelihood of the held-out molecules above the model 'gene mean x
 * library size', in nats per held-out molecule (docs/quality.md). */
#ifndef QUELL_SCORE_H
#define QUELL_SCORE_H

#include "quell/autoencoder.h"
#include "quell/preprocess.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    QL_PRED_MEAN,
    QL_PRED_POSTERIOR,
    QL_PRED_BASE,
    QL_PRED_RAW,
    QL_N_PREDS
} ql_prediction;

/* Poisson figures of one prediction. */
typedef struct {
    double log_lik;  /* sum over entries of t ln p - p, p floored at 1e-8 */
    double mass;     /* sum of p */
    double gain;     /* nats per held-out molecule above QL_PRED_BASE */
    double deviance; /* 2 sum(t ln(t / p) - (t - p)), per held-out molecule */
} ql_score_line;

typedef struct {
    int64_t n_cells, n_molecules; /* scored cells; held-out molecules */
    ql_score_line line[QL_N_PREDS];
    double stderr_gain[QL_N_PREDS]; /* standard error of the gain over cells */
} ql_score;

/* Molecules held out of some cells, row i of both matrices cell i: what a model sees, and what it
 * is to predict of that. Columns are the model's genes. */
typedef struct {
    const ql_csr *seen, *held;
    const int64_t *cell; /* [rows] whose covariates these are; NULL: those of the same row */
} ql_held_out;

/* Held-out molecules per molecule seen; 0 where either has none. */
double ql_held_ratio(const ql_held_out *h);

/* Score the model on cells. gene_total [genes]: the molecules from which the base model's gene
 * means are taken; lost: held-out molecules in genes that the model does not have. theta [genes]:
 * dispersion for the posterior (NULL: the model's own). */
QL_MUST_USE ql_status ql_score_model(ql_ae *ae, const ql_held_out *parts, const double *gene_total,
                                     double lost, const float *theta, ql_score *out, ql_err *err);

/* The same, and the cells' log-likelihoods above the base model's into cell_gain [cells,
 * QL_N_PREDS]. */
QL_MUST_USE ql_status ql_score_cells(ql_ae *ae, const ql_held_out *parts, const double *gene_total,
                                     double lost, const float *theta, ql_score *out,
                                     double *cell_gain, ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
