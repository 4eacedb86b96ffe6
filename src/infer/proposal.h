/* Where a cell's codes are likely, better than its encoder says: Newton's method from the
 * encoder's mean with Fisher's information in the place of the Hessian (R. A. Fisher's scoring),
 * then a multivariate t around what was found with the inverse of that information as its scale.
 * The encoder serves all cells at once and is off for single ones (Cremer, Li & Duvenaud 2018,
 * "Inference suboptimality in variational autoencoders"); this is fitted to each. Private to
 * src/infer. */
#ifndef QL_PROPOSAL_H
#define QL_PROPOSAL_H

#include "quell/generative.h"

/* Most units of a code. */
enum { PROPOSAL_MOST = 64 };

/* For cells of a block. */
typedef struct {
    const ql_generative *g;
    int64_t at_once; /* cells whose slopes are found together */
    double *mode;    /* [block, n_latent]; owned, as all that follows */
    double *centre;  /* [block, n_latent] what is drawn is around it */
    double *info;    /* as root, of the information at the mode */
    double *root;    /* [block, n_latent, n_latent] L, lower triangular: the information is L L' */
    double *gradient, *step; /* [block, n_latent] */
    double *prior_mean,
        *prior_var;           /* [block, n_latent] normal distributions in the place of the prior */
    double *joint, *tried;    /* [block] ln p(x, z) at the mode; of what is tried */
    float *z;                 /* [block, n_latent] */
    float *code;              /* [at_once, n_latent + 1, n_latent] */
    float *mean, *theta, *pi; /* [at_once, n_latent + 1, n_genes]; NULL: the law has none */
    float *count;             /* [at_once, n_genes] */
    double *library;          /* [block] */
    double *depth;            /* [at_once, n_latent + 1] */
    int64_t *cell;            /* the same */
    double log_norm;          /* of the t density */
} proposals;

QL_MUST_USE ql_status proposals_new(proposals *p, const ql_generative *g, ql_err *err);
void proposals_free(proposals *p);
int64_t proposals_bytes(int64_t n_genes);

/* Fit them to the cells (at most a block), from what the encoder says: mean and var [n, n_latent].
 * library [n]: molecules, NULL: those that are counted. */
QL_MUST_USE ql_status proposals_fit(proposals *p, const ql_gen_cells *cells, const float *mean,
                                    const float *var, const double *library, ql_err *err);

/* Let that of cell i stand where the prior is N(prior_mean, prior_var) instead, and the encoder's
 * variance is var; [n_latent] all. */
void proposals_follow(proposals *p, int64_t i, const float *prior_mean, const float *prior_var,
                      const float *var);

/* z [n_latent] from that of cell i of the block, with the noise of (cell, draw); and the logarithm
 * of its density at any z. */
void proposals_draw(const proposals *p, int64_t i, ql_gen_key key, int64_t cell, int64_t draw,
                    float *z);
double proposals_log_density(const proposals *p, int64_t i, const float *z);

#endif
