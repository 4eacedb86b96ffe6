/* A fitted variational autoencoder as what src/infer asks for. */
#ifndef QUELL_VAE_GENERATIVE_H
#define QUELL_VAE_GENERATIVE_H

#include "quell/fitted.h"
#include "quell/generative.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What is said of all codes' covariates besides their cell's; borrows the fitted model. */
typedef struct {
    ql_fitted *fitted;
    float fixed[QL_COV_MOST];
    ql_cov_values instead;
    const ql_cov_values *list[1];
    float no_label[QL_COV_MOST]; /* says of all cells that they are not labelled */
} ql_vae_generative;

/* *out is valid as long as *v and the model are. Counts that it is asked about must have rows of at
 * most the entries that the model was made for. QL_EUSAGE: the model is not variational. */
QL_MUST_USE ql_status ql_vae_generative_of(ql_fitted *fitted, ql_vae_generative *v,
                                           ql_generative *out, ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
