/* Mixing predictions of counts: the non-negative weights, adding up to 1, under which the mixture
 * makes counts most likely. */
#ifndef QUELL_SIMPLEX_H
#define QUELL_SIMPLEX_H

#include <stdint.h>

#include "quell/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Predictions of n counts above 0 by m models. */
typedef struct {
    int64_t n;
    int m;
    const float *rate;  /* [n, m] */
    const float *count; /* [n] */
} ql_simplex_data;

/* Weights w that maximise
 *
 *     sum over entries of count ln(sum over k of w[k] rate[k]) - sum over k of w[k] mass[k]
 *         + strength * sum over k of prior[k] ln w[k]
 *
 * which is concave: the Poisson log-likelihood of counts of which mass[k] are expected in all under
 * model k, those that are 0 included, and a Dirichlet prior worth so many molecules. By EM from w =
 * prior, until a step changes no weight by more than 1e-7, or for 1000 steps. chosen: entries
 * [n_chosen] to use; NULL: all. prior adds up to 1. */
void ql_simplex_fit(const ql_simplex_data *data, const int64_t *chosen, int64_t n_chosen,
                    const double *mass, const double *prior, double strength, double *w);

enum { QL_SIMPLEX_MOST = 64 }; /* models */

#ifdef __cplusplus
}
#endif
#endif
