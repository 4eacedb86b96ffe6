/* The options of variational models. Private to src/cmd. */
#ifndef QL_VAE_ARGS_H
#define QL_VAE_ARGS_H

#include "quell/autoencoder.h"
#include "quell/command.h"

/* A part of model_args. List {ql_vae_rows, offsetof(S, model.vae)} in .tables. */
typedef struct {
    const char *batch, *covariate, *labels, *unlabelled, *dispersion, *course, *library, *labels_as;
    bool encode_covariates, deep_covariates, norm_gain, normal_theta, epochs_by_cells;
    int latent2;
    double label_weight, beta, kl_steps, kl_epochs, free_bits, capacity, epsilon;
} vae_args;

extern const ql_option ql_vae_rows[];

/* Dispersions as --dispersion says. */
ql_theta_kind vae_theta(const vae_args *a);

/* Options that do not go together, or are of use to variational models only (on: it is one). */
QL_MUST_USE ql_status vae_args_check(const vae_args *a, bool on, ql_err *err);

/* What they say of the network. The covariates' levels are not known before the cells are read:
 * until then each is taken to have two. */
void vae_args_config(const vae_args *a, ql_ae_config *c);

/* What --labels says, of any model. */
void label_args_config(const vae_args *a, ql_ae_config *c);

/* Column i of a list "A,B", into out; false: there are not so many. */
bool vae_column(const char *list, int i, char *out, size_t size);

#endif
