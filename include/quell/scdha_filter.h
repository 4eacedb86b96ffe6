/* scDHA's choice of genes: a linear autoencoder whose encoder is held at 0 or above; genes whose
 * weights into the code differ most are kept (Tran et al. 2021, "non-negative kernel
 * autoencoder"). */
#ifndef QUELL_SCDHA_FILTER_H
#define QUELL_SCDHA_FILTER_H

#include "quell/optimizer.h"
#include "quell/params.h"
#include "quell/wide.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    int64_t n_genes, width; /* of the code: 32 */
    double rate, weight_decay;
    uint64_t seed;
} ql_scdha_filter_config;

/* One network and its training, of one thread. */
typedef struct {
    ql_scdha_filter_config cfg;
    const ql_kern *kern;
    ql_params params; /* encoder/weight, encoder/bias, decoder/weight, decoder/bias */
    int in_weight, in_bias, out_weight, out_bias;
    ql_real *grad; /* [params.size]; owned */
    ql_optimizer opt;
    ql_wide_work work;
    ql_real *code, *by_code; /* [capacity, ld]; owned */
} ql_scdha_filter;

/* A network with its starting weights, for minibatches of up to `capacity` cells; on failure
 * (QL_EMEMORY) everything is released. The bytes it takes. */
QL_MUST_USE ql_status ql_scdha_filter_new(const ql_scdha_filter_config *cfg, int64_t capacity,
                                          const ql_kern *kern, ql_scdha_filter *f, ql_err *err);
void ql_scdha_filter_free(ql_scdha_filter *f);
int64_t ql_scdha_filter_bytes(const ql_scdha_filter_config *cfg, int64_t capacity);

/* The mean squared error of the batch, and its gradient in f->grad. */
double ql_scdha_filter_loss(ql_scdha_filter *f, const ql_wide_batch *x);

/* One step; *loss is that before it. False: a gradient was NaN and the step left out. */
bool ql_scdha_filter_step(ql_scdha_filter *f, const ql_wide_batch *x, double *loss);

/* Sample standard deviation of each gene's weights into the code, stretched to [0, 1] over the
 * genes; score [n_genes]. */
void ql_scdha_filter_score(const ql_scdha_filter *f, double *score);

/* keep[g] = 1 for the genes whose score is above the quantile that leaves `wanted` of them: fewer
 * where scores tie there. Returns their number through *n_kept. */
QL_MUST_USE ql_status ql_scdha_select(const double *score, int64_t n, int64_t wanted, uint8_t *keep,
                                      int64_t *n_kept, ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
