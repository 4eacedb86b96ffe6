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

#ifdef __cplusplus
}
#endif
#endif
