/* What a fitted variational autoencoder can be asked: posteriors of codes, what codes decode to,
 * how likely counts are under a code. All of it goes through ql_ae_visit and its kin; these are the
 * shapes that uses of the model want.
 *
 * Decoding: a ql_batch_source with `code` set to codes [n, width], one for each cell of the visit
 * in turn, skips the encoder. Without counts (counts NULL) `library` must be given and rows may be
 * NULL. Covariates: `cov` and `decode` of the source. E.g. what 3 codes express in batch 1 at 1e4
 * molecules:
 *
 *     float level[1] = {1};
 *     ql_cov_values batch = {level, .same = true};
 *     double library[3] = {1e4, 1e4, 1e4};
 *     ql_batch_source s = {.code = z, .library = library, .cov = &batch};
 *     ql_ae_visit(ae, &s, NULL, 3, 0, &visitor, err);       // visitor.tile sees mean, theta, pi
 */
#ifndef QUELL_VARIATIONAL_H
#define QUELL_VARIATIONAL_H

#include "quell/autoencoder.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Posterior of the code of n rows: mean and var [n, ql_ae_latent_width]; either may be NULL. */
QL_MUST_USE ql_status ql_ae_encode(ql_ae *ae, const ql_batch_source *source, const int64_t *rows,
                                   int64_t n, float *mean, float *var, ql_err *err);

/* Mean, theta and pi [n, genes] of n codes, as ql_ae_tile has them (library and covariates by the
 * source); any may be NULL. For few cells: the arrays are as large as they look. */
QL_MUST_USE ql_status ql_ae_decode(ql_ae *ae, const ql_batch_source *source, const int64_t *rows,
                                   int64_t n, float *mean, float *theta, float *pi, ql_err *err);

/* ln p(x | z) of n rows in nats, ln x! included: z is source->code, or the posterior's mean (drawn,
 * with source->draw). log_lik [n]. */
QL_MUST_USE ql_status ql_ae_log_lik(ql_ae *ae, const ql_batch_source *source, const int64_t *rows,
                                    int64_t n, double *log_lik, ql_err *err);

/* Units of the second code z2, and number of labels y, that the code z is drawn of (ladder.h,
 * scanvi.h); 0: there is none. Without a second code z ~ N(0, 1). */
int64_t ql_ae_second_width(const ql_ae *ae);
int64_t ql_ae_code_labels(const ql_ae *ae);

/* Of a model with a second code, at a z2 that the encoder draws, keyed by the source's seed and
 * epoch and by row: mean and var [n, ql_ae_latent_width] of q(z | x, z2); and of p(z | z2, y), y as
 * the classifier has it. Any may be NULL. */
typedef struct {
    float *mean, *var, *prior_mean, *prior_var;
} ql_ae_levels;
QL_MUST_USE ql_status ql_ae_second(ql_ae *ae, const ql_batch_source *source, const int64_t *rows,
                                   int64_t n, const ql_ae_levels *out, ql_err *err);

/* At the same z2, of codes z [n, ql_ae_latent_width] of the rows: log_prior [n], the logarithm of
 * p(z, z2) / q(z2 | x), of scANVI of the sum over labels y of p(z, z2, y) / q(z2 | z, y), with a z2
 * for each; and kl [n], what the model's bound has beside -ln p(x | z), with weight 1, where log_q
 * [n] is ln q(z | x, z2). A cell whose label source->cov says has no other. */
typedef struct {
    const float *z;
    const double *log_q;
    double *log_prior, *kl;
} ql_ae_priors;
QL_MUST_USE ql_status ql_ae_code_priors(ql_ae *ae, const ql_batch_source *source,
                                        const int64_t *rows, int64_t n, const ql_ae_priors *p,
                                        ql_err *err);

/* p(z | z2, y) of n second codes [n, ql_ae_second_width] and labels [n] (NULL where the model has
 * none): mean and var [n, ql_ae_latent_width]. n at most the capacity. */
QL_MUST_USE ql_status ql_ae_code_prior(ql_ae *ae, const float *z2, const int64_t *label, int64_t n,
                                       float *mean, float *var, ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
