/* How a fitted variational model uses its code. */
#ifndef QUELL_LATENT_USE_H
#define QUELL_LATENT_USE_H

#include "quell/autoencoder.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A unit whose mean varies by more than this over the cells is active (Burda et al. 2016). */
#define QL_ACTIVE_UNIT 0.01

typedef struct {
    int64_t n_cells, n_units;
    double *kl;       /* [n_units] mean divergence from the prior, nats; owned */
    double *variance; /* [n_units] of the posterior's mean over the cells; owned */
    double total;     /* sum of kl */
    int64_t active;
    double library; /* mean divergence of the library size from its prior; 0: it is observed */
} ql_latent_use;

/* Over n rows of the counts, in inference; second: of the second code (n_units 0 where there is
 * none). */
QL_MUST_USE ql_status ql_measure_latent(ql_ae *ae, const ql_rows *counts, const int64_t *rows,
                                        int64_t n, bool second, ql_latent_use *out, ql_err *err);
void ql_latent_use_free(ql_latent_use *u);

#ifdef __cplusplus
}
#endif
#endif
