/* How likely a cell is under a generative model (Burda et al. 2016, "Importance weighted
 * autoencoders"): with z_s ~ q(z | x) and
 *   ln w_s = ln p(x | z_s) + ln p(z_s) - ln q(z_s | x),
 *   L_S = ln((w_1 + ... + w_S) / S),
 * L_S is at most ln p(x) in expectation and does not fall as S grows. The evidence lower bound is
 * the expectation of ln w. Of both, higher is better. Where codes have a second one above them what
 * takes the place of p(z_s) is ql_generative.log_prior, whose expectation is p(z_s). */
#ifndef QUELL_EVIDENCE_H
#define QUELL_EVIDENCE_H

#include "quell/generative.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Below this effective sample size an L_S is not to be relied on. */
#define QL_LEAST_ESS 5.0

/* Weights by their logarithms, as they come: sums relative to the largest so far. */
typedef struct {
    int64_t n;
    double most;        /* largest ln w */
    double sum, square; /* of w / exp(most), and of its square */
} ql_weights;

void ql_weights_add(ql_weights *w, double log_weight);
double ql_weights_log_mean(const ql_weights *w); /* L_S; -inf if all weights are 0 */

/* Of L_S by the delta method: sqrt(Var(w / mean w) / S); NaN of one weight. */
double ql_weights_stderr(const ql_weights *w);
double ql_weights_ess(const ql_weights *w); /* (sum w)^2 / sum w^2 */

/* Of one cell, in nats. */
typedef struct {
    double log_lik, log_lik_se; /* L_S */
    double ess;
    double elbo, elbo_se;  /* mean of ln p(x | z_s) less kl */
    double reconstruction; /* mean of ln p(x | z_s) */
    double kl;             /* of q(z | x) from the prior, exact; of codes with a second one the mean
                              of the draws'; with that of the library */
} ql_evidence;

/* A fourth of the draws (two at least) are from the encoder's posterior, of which the bound is; the
 * others from a distribution that is fitted to each cell around its likeliest code
 * (src/infer/proposal.h), with weights by the mixture of both. encoder_only, a model that does not
 * decode, or more than 64 units: all from the encoder's. */
typedef struct {
    int samples;
    uint64_t seed;
    bool encoder_only;
} ql_evidence_options;

/* out [cells->n]; a cell's noise is keyed by its row of the counts. */
QL_MUST_USE ql_status ql_evidence_of(const ql_generative *g, const ql_gen_cells *cells,
                                     const ql_evidence_options *opt, ql_evidence *out, ql_err *err);

/* Bytes that it takes for a model of so many genes. */
int64_t ql_evidence_bytes(int64_t n_genes);

/* How unusual a figure is for a cell of its depth. ln p(x) falls with every molecule there is to be
 * explained: a quadratic in ln(total) is fitted to value[] by least squares, anew without cells
 * farther than 3 robust standard deviations off it, and out[i] = (trend - value) / spread, where
 * spread is the robust standard deviation (1.4826 MAD) of the departures. Positive: less likely
 * than cells of that depth are. NaN where value is not finite or total is not above 0. */
QL_MUST_USE ql_status ql_evidence_anomaly(const double *value, const double *total, int64_t n,
                                          double *out, ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
