/* Count likelihoods: a registry. A likelihood is its kernels (src/kern/lik_<name>.h), the heads it
 * needs, and a float64 reference that is written from the formulas alone and that tests compare the
 * kernels with. docs/add-a-likelihood.md walks through adding one. */
#ifndef QUELL_LIKELIHOOD_H
#define QUELL_LIKELIHOOD_H

#include <stdbool.h>

#include "quell/heads.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const char *name;    /* identity: --type, stored in files */
    const char *summary; /* one line for help and docs */
    ql_disp_kind disp;   /* how the kernel makes theta */
    bool has_pi;
    bool gaussian;  /* squared error: no likelihood of counts, hence no ln y! in the loss and no
                       posterior; the mean is linear */
    bool of_inputs; /* its values are scaled inputs, not counts (target_input of ql_batch_source);
                       its means are turned back into counts */
    ql_head_layout heads;
    const ql_lik_kern *(*kernel)(const ql_kern *kern);
    /* -ln P(y | mu, theta, pi) in float64, with the reference's epsilons, ln y! included (gaussian:
       the squared error) */
    double (*nll)(double y, double mu, double theta, double pi);
} ql_likelihood;

/* Does it have dispersions of counts, which a posterior of a cell's rate rests on? */
static inline bool ql_has_posterior(const ql_likelihood *l)
{
    return l->disp != QL_DISP_NONE && !l->gaussian;
}

extern const ql_likelihood *const ql_likelihoods[]; /* NULL-terminated */

/* Squared error of the scaled input: the classic autoencoder. It is none of the above, as it is not
 * about counts; its nll is the loss itself. */
extern const ql_likelihood ql_gaussian;

const ql_likelihood *ql_likelihood_find(const char *name); /* NULL: unknown */

/* Those of variational models (docs/vae.md): poisson, nb, zinb, normal, bernoulli, each with the
 * dispersions it can have. NULL-terminated. */
typedef enum {
    QL_THETA_GENE,  /* one per gene */
    QL_THETA_GROUP, /* one per gene and group of cells */
    QL_THETA_CELL   /* one per gene and cell, a head of its own */
} ql_theta_kind;
extern const ql_likelihood *const ql_vae_likelihoods[];

/* NULL: unknown. One without dispersions is the same for all kinds of them. */
const ql_likelihood *ql_vae_likelihood_find(const char *name, ql_theta_kind theta);

#ifdef __cplusplus
}
#endif
#endif
