/* From the model's rates to an estimate of what each cell expresses. */
#ifndef QUELL_ESTIMATE_H
#define QUELL_ESTIMATE_H

#include <stdint.h>

#include "quell/autoencoder.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Mean of a gamma-distributed rate with mean mu and shape theta after x molecules were seen:
 * mu (x + theta) / (mu + theta). */
static inline float ql_posterior_mean(float mu, float theta, float x)
{
    return mu * ((x + theta) / (mu + theta));
}

/* One dispersion per gene under the final rates, by empirical Bayes: the NB likelihood of the
 * counts of the given cells on a grid of theta, a prior over the grid estimated from all genes by
 * EM, and 1 / (posterior mean of 1 / theta). theta [genes]. rows: the n
 * rows of `source` to use; at most QL_THETA_CELLS of them, evenly spaced, are. */
enum { QL_THETA_CELLS = 4096, QL_THETA_GRID = 21 };
QL_MUST_USE ql_status ql_fit_theta(ql_ae *ae, const ql_batch_source *source, const int64_t *rows,
                                   int64_t n, float *theta, ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
