/* The code of a variational autoencoder (Kingma and Welling 2014): the bottleneck's dense part
 * gives the means m, a second one v the variances V = exp(v) + 1e-4 of a normal posterior. While
 * training the code is drawn, z = m + sqrt(V) eps; in inference it is m. The divergence from N(0,
 * 1), KL = sum over units of (V + m^2 - 1 - ln V) / 2, is part of the loss, with a weight that may
 * change in the course of training. */
#ifndef QUELL_LATENT_H
#define QUELL_LATENT_H

#include "quell/hidden.h"
#include "quell/rng.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How the weight of the divergence goes from 0 to beta. */
typedef enum {
    QL_KL_CONSTANT, /* beta from the start */
    QL_KL_LINEAR,   /* up to beta within the period, then beta */
    QL_KL_CYCLICAL  /* the same in every period: up within its first half (Fu et al. 2019) */
} ql_kl_course;

typedef struct {
    double beta;
    ql_kl_course course;
    double period;    /* steps, or */
    bool epochs;      /* epochs, counted from 0: the weight of an epoch is epoch / period */
    double free_bits; /* a unit whose divergence, in the mean over a minibatch, is below this many
                         nats costs nothing more (Kingma et al. 2016); 0: none */
    double capacity;  /* above 0: |KL - C| weighs beta, where C rises to this many nats within the
                         period (Burgess et al. 2018); instead of a course */
} ql_kl_rule;

/* Weight of the divergence in a step of an epoch. */
double ql_kl_weight(const ql_kl_rule *r, uint64_t step, uint64_t epoch);

/* The divergence that a rule with a capacity aims at. */
double ql_kl_capacity(const ql_kl_rule *r, uint64_t step, uint64_t epoch);

/* Added to every variance. */
#define QL_LATENT_VAR 1e-4

typedef struct {
    int64_t n_in, n_out;
    int weight, bias;     /* tensors of v */
    ql_rng_stream stream; /* of the noise; 0: QL_RNG_CODE */
    /* buffers for up to `capacity` padded cells; owned */
    ql_real *mean;    /* [n_out, cells] m */
    ql_real *raw;     /* [n_out, cells] v */
    ql_real *var;     /* [n_out, cells] V */
    ql_real *ln_var;  /* [n_out, cells] ln V */
    ql_real *noise;   /* [n_out, cells] eps; 0 in inference */
    ql_real *grad;    /* [n_out, cells] gradient by v */
    ql_real *turned;  /* [n_in, cells] what v adds to the gradient by the layer below */
    ql_real *dw, *db; /* [n_out, pad(n_in)], [pad(n_out)] */
} ql_latent;

/* Tensors "PREFIX/weight" [n_out, n_in] and "PREFIX/bias" [n_out]; memory for minibatches of up to
 * `capacity` padded cells (QL_EMEMORY). */
void ql_latent_declare(ql_latent *l, ql_params *p, const char *prefix);
QL_MUST_USE ql_status ql_latent_alloc(ql_latent *l, int64_t capacity, ql_err *err);
void ql_latent_free(ql_latent *l);
int64_t ql_latent_bytes(const ql_latent *l, int64_t capacity);

/* Key of the noise: a cell has the same in a step wherever it stands in the minibatch. */
typedef struct {
    bool draw; /* else the code is the mean */
    uint64_t seed, step;
    const int64_t *cell; /* [n] */
} ql_latent_pass;

/* After the bottleneck's own forward pass, whose output is m: V from the layer below (in [n_in,
 * n_pad]); the bottleneck's output becomes the code. v is held within [-30, 20], with gradient 0
 * beyond. */
void ql_latent_forward(ql_latent *l, const ql_params *p, const ql_kern *kern, const ql_real *in,
                       ql_hidden *center, int64_t n, int64_t n_pad, const ql_latent_pass *pass);

/* Where the gradient by the code is in center->grad: becomes that by m, with what the divergence
 * adds; the gradient by v stays in l->grad. weight [n_pad] is the factor of each cell's gradient.
 * Returns what the rule adds to the loss, weighed by the cells. */
double ql_latent_gradient(ql_latent *l, const ql_kl_rule *rule, uint64_t step, uint64_t epoch,
                          ql_hidden *center, int64_t n, int64_t n_pad, const ql_real *weight);

/* After the bottleneck's own backward pass: adds to din [n_in, n_pad], updates the tensors of v. */
void ql_latent_backward(ql_latent *l, ql_params *p, const ql_kern *kern, const ql_real *in_t,
                        ql_real *din, int64_t n, int64_t n_pad, const ql_opt_step *step);

/* Gradient by v of an element from that by V: dV/dv = V - 1e-4, and 0 beyond the bounds of v. */
ql_real ql_latent_by_raw(const ql_latent *l, int64_t at, double by_var);

/* Divergence of cell i of the batch at hand, of each unit into unit [n_out] (NULL: not wanted);
 * returns the sum. */
double ql_latent_cell_kl(const ql_latent *l, int64_t i, int64_t n_pad, double *unit);

/* ln q of its drawn code, without the constant -n_out ln(2 pi) / 2. */
double ql_latent_cell_log_q(const ql_latent *l, int64_t i, int64_t n_pad);

#ifdef __cplusplus
}
#endif
#endif
