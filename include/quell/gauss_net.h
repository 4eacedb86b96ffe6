/* A normal distribution given an input: one hidden layer, from which a linear map gives the means
 * and another one v the variances V = exp(v) + 1e-4 (latent.h). What variational models have beside
 * the code's own: the encoder of the library size, the layers of scANVI and of the ladder. */
#ifndef QUELL_GAUSS_NET_H
#define QUELL_GAUSS_NET_H

#include "quell/init.h"
#include "quell/latent.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    ql_hidden layer; /* n_in -> width; its weights are elsewhere if it has none (input layer) */
    ql_hidden mean;  /* width -> n_out, linear; out: the means, or what is drawn; grad: by them */
    ql_latent var;   /* width -> n_out; mean: the means; grad: by v */
} ql_gauss_net;

/* What is to be declared. Of the layer: n_in, n_extra, n_out and how it is made (activation, norm,
 * dropout, id). */
typedef struct {
    ql_hidden layer;
    int64_t n_out;
    bool dense;           /* the layer has weights */
    ql_rng_stream stream; /* of the noise */
} ql_gauss_shape;

/* Tensors PREFIX/weight ..., PREFIX_mean/weight ..., PREFIX_var/weight ... */
void ql_gauss_net_declare(ql_gauss_net *g, ql_params *p, const char *prefix,
                          const ql_gauss_shape *s);
QL_MUST_USE ql_status ql_gauss_net_alloc(ql_gauss_net *g, int64_t capacity, ql_err *err);
void ql_gauss_net_free(ql_gauss_net *g);
int64_t ql_gauss_net_bytes(const ql_gauss_net *g, int64_t capacity);

/* Starting weights, biases where the initialiser draws them, gains and moving variances; fan_in of
 * the layer, 0: its own. */
void ql_gauss_net_init(const ql_gauss_net *g, ql_params *p, const ql_init *init, int64_t fan_in,
                       uint64_t seed);

/* The same of one layer; fan_in 0: its own. */
void ql_hidden_init(const ql_hidden *h, ql_params *p, const ql_init *init, int64_t fan_in,
                    uint64_t seed);

/* n columns of in [n_in, n_pad] (NULL: layer.pre is there); draw as in ql_latent_forward. */
void ql_gauss_net_forward(ql_gauss_net *g, const ql_params *p, const ql_kern *kern,
                          const ql_real *in, int64_t n, int64_t n_pad, ql_pass pass,
                          const ql_latent_pass *draw);

/* From mean.grad and var.grad (both [n_out, n_pad], 0 in pads): updates all tensors; in_t [n,
 * pad(n_in)]; din [n_in - n_extra, n_pad] may be NULL. */
void ql_gauss_net_backward(ql_gauss_net *g, ql_params *p, const ql_kern *kern, const ql_real *in_t,
                           ql_real *din, int64_t n, int64_t n_pad, const ql_opt_step *step);

/* mean.grad and var.grad of element at of what was drawn: from the gradient by it, and w times that
 * of its divergence from N(0, 1). */
void ql_gauss_net_gradient(ql_gauss_net *g, int64_t at, double by_drawn, double w);

/* ln N(z; 0, 1) - ln q(z) of column i of what was drawn. */
double ql_gauss_net_log_ratio(const ql_gauss_net *g, int64_t i, int64_t n_pad);

/* KL(N(m1, V1) || N(m2, V2)) of one unit, and its derivatives. */
typedef struct {
    double kl, by_mean, by_var, by_prior_mean, by_prior_var;
} ql_kl_pair;
ql_kl_pair ql_kl_between(double mean, double var, double prior_mean, double prior_var);

#ifdef __cplusplus
}
#endif
#endif
