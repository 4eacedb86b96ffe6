/* scDHA's stacked Bayesian autoencoder (Tran et al. 2021): one encoder to a normal distribution in
 * a latent space, of which two decoders each see a draw of their own.
 *
 *     e = x W + b, then batch norm (no activation) or SELU          genes -> 64
 *     mu = e M + m,  var = softmax(e V + v) over the latent units   64 -> L
 *     z = mu + noise sqrt(var) xi;  y = SELU(z A + a) B + c         L -> 64 -> genes, twice
 *
 * xi is one vector for all cells of a minibatch, or one a cell. */
#ifndef QUELL_SCDHA_NET_H
#define QUELL_SCDHA_NET_H

#include "quell/optimizer.h"
#include "quell/params.h"
#include "quell/wide.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { QL_SCDHA_DECODERS = 2 };
#define QL_SCDHA_BN_EPS 1e-3 /* of batch norm */

typedef struct {
    int64_t n_genes, hidden, latent;
    bool batch_norm; /* else SELU */
    bool cell_noise; /* xi is drawn for each cell */
    double noise;    /* 0.25 */
    double beta;     /* weight of the squared error beside the divergence */
    double rate, weight_decay;
    uint64_t seed;
} ql_scdha_net_config;

/* What a minibatch is trained for. */
typedef enum {
    QL_SCDHA_WARM_UP, /* absolute error alone */
    QL_SCDHA_MAIN     /* squared error and divergence */
} ql_scdha_phase;

typedef struct {
    int in_weight, in_bias, gamma, shift, mu_weight, mu_bias, var_weight, var_bias;
    struct {
        int weight, bias, out_weight, out_bias;
    } decoder[QL_SCDHA_DECODERS];
} ql_scdha_tensors;

/* Arrays of a minibatch, [capacity, ld]: private to scdha_net.c. */
typedef struct ql_scdha_work ql_scdha_work;

/* One network and its training, of one thread. */
typedef struct {
    ql_scdha_net_config cfg;
    const ql_kern *kern;
    int64_t ld, ldl; /* padded widths of the hidden layers and the latent space */
    ql_params params;
    ql_scdha_tensors t;
    ql_real *moving_mean, *moving_var; /* [ld] of batch norm; owned */
    ql_real *grad;                     /* [params.size]; owned */
    ql_optimizer opt;
    uint64_t step; /* minibatches so far: where the noise is drawn */
    ql_scdha_work *work;
} ql_scdha_net;

/* A network with its starting weights, for minibatches of up to `capacity` cells; on failure
 * (QL_EMEMORY) everything is released. The bytes it takes. */
QL_MUST_USE ql_status ql_scdha_net_new(const ql_scdha_net_config *cfg, int64_t capacity,
                                       const ql_kern *kern, ql_scdha_net *net, ql_err *err);
void ql_scdha_net_free(ql_scdha_net *net);
int64_t ql_scdha_net_bytes(const ql_scdha_net_config *cfg, int64_t capacity);

/* New moments and a new count of steps for the optimizer. */
void ql_scdha_net_restart(ql_scdha_net *net);

/* Loss of the batch with the noise of net->step, and its gradient in net->grad; moves the running
 * statistics. */
double ql_scdha_net_loss(ql_scdha_net *net, const ql_wide_batch *x, ql_scdha_phase phase);

/* One step; *loss is that before it. False: a gradient was NaN and the step left out. */
bool ql_scdha_net_step(ql_scdha_net *net, const ql_wide_batch *x, ql_scdha_phase phase,
                       double *loss);

/* What the last ql_scdha_net_loss had for cell i and decoder j, [latent]: for tests. */
typedef struct {
    const ql_real *mu, *var, *z;
} ql_scdha_latent;
ql_scdha_latent ql_scdha_net_latent(const ql_scdha_net *net, int64_t i, int j);

/* ---- what remains of it: cells to mu ---- */

/* Tensors of an encoder, in one block. Batch norm is folded into a slope and a shift when it is
 * read. */
typedef struct {
    int64_t n_genes, hidden, latent;
    bool batch_norm;
    float *weight;                                  /* [n_genes, hidden]; the block; owned */
    float *bias;                                    /* [hidden] */
    float *gamma, *beta, *moving_mean, *moving_var; /* [hidden]; used with batch norm */
    float *mu_weight;                               /* [hidden, latent] */
    float *mu_bias;                                 /* [latent] */
} ql_scdha_encoder;

/* Room for one, zeroed: n_genes, hidden, latent, batch_norm are set. */
QL_MUST_USE ql_status ql_scdha_encoder_new(ql_scdha_encoder *e, ql_err *err);
void ql_scdha_encoder_free(ql_scdha_encoder *e);
int64_t ql_scdha_encoder_size(const ql_scdha_encoder *e); /* numbers of the block */

/* The encoder as it is now; e has room for it. */
void ql_scdha_net_encoder(const ql_scdha_net *net, ql_scdha_encoder *e);

/* The same in the layout of the kernels. */
typedef struct {
    const ql_scdha_encoder *e;
    const ql_kern *kern;
    int64_t ld, ldl;
    ql_real *weight, *bias, *slope, *shift, *mu_weight, *mu_bias; /* one block; owned: weight */
} ql_scdha_reader;

enum { QL_SCDHA_BLOCK = 64 }; /* cells read at a time */

/* e is borrowed; on failure (QL_EMEMORY) everything is released. The bytes it takes. */
QL_MUST_USE ql_status ql_scdha_reader_new(ql_scdha_reader *r, const ql_scdha_encoder *e,
                                          const ql_kern *kern, ql_err *err);
void ql_scdha_reader_free(ql_scdha_reader *r);
int64_t ql_scdha_reader_bytes(const ql_scdha_encoder *e);

/* mu of up to QL_SCDHA_BLOCK cells into out, rows of `latent` numbers every `stride`. work:
 * QL_SCDHA_BLOCK * (2 ld + ldl) numbers. A cell's values do not depend on the others. */
void ql_scdha_read(const ql_scdha_reader *r, const ql_wide_batch *x, ql_real *work, float *out,
                   int64_t stride);

#ifdef __cplusplus
}
#endif
#endif
