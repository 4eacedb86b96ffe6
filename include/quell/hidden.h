/* Hidden layers: dense, batch norm, activation, dropout, on minibatches held transposed,
 * [units, cells], so that vectors run along cells. They are tiny beside the layers as wide as the
 * genes and are computed by one thread. */
#ifndef QUELL_HIDDEN_H
#define QUELL_HIDDEN_H

#include <stdbool.h>
#include <stdint.h>

#include "quell/activation.h"
#include "quell/optimizer.h"
#include "quell/params.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    int64_t n_in, n_out;
    const ql_activation *act;
    bool batch_norm;
    double dropout;   /* probability that a unit is dropped while training */
    uint64_t id;      /* of the layer, for its dropout masks */
    int weight, bias; /* tensors; weight -1: the pre-activation is made elsewhere (input layer) */
    int beta, mean, var; /* tensors of batch norm */
    /* buffers for up to `capacity` padded cells; owned */
    int64_t capacity;
    ql_real *pre;    /* [n_out, cells] output of the dense part: what the latent is read from */
    ql_real *norm;   /* [n_out, cells] batch norm's standardised value (pre, without batch norm) */
    ql_real *sum;    /* [n_out, cells] what the activation sees */
    ql_real *out;    /* [n_out, cells] output */
    ql_real *out_t;  /* [cells, pad(n_out)] the same, transposed */
    ql_real *grad;   /* [n_out, cells] gradient by out, then by pre */
    ql_real *inv_sd; /* [n_out] batch norm's 1 / sd of this minibatch */
    ql_real *mask;   /* [n_out, cells] dropout factors */
    ql_real *dw;     /* [n_out, pad(n_in)] */
    ql_real *db;     /* [pad(n_out)] */
} ql_hidden;

/* Declare the layer's tensors under names with this prefix ("enc0"). dense: it has its own weights.
 */
void ql_hidden_declare(ql_hidden *h, ql_params *p, const char *prefix, bool dense);
ql_status ql_hidden_alloc(ql_hidden *h, int64_t capacity, ql_err *err);
void ql_hidden_free(ql_hidden *h);

/* Key of the dropout masks of a step. */
typedef struct {
    bool training;
    uint64_t seed, step;
} ql_pass;

/* out (and out_t) of n cells from pre, or from in [n_in, ld] if the layer is dense. Training uses
 * batch statistics and updates the moving ones (momentum 0.99, epsilon 1e-3, biased variance).
 * n_pad is the row stride of all buffers. */
void ql_hidden_forward(ql_hidden *h, const ql_params *p, const ql_kern *kern, const ql_real *in,
                       int64_t n, int64_t n_pad, ql_pass pass);

/* From grad (by out) to grad (by pre); writes dw, db, beta's gradient; in_t [cells, pad(n_in)] is
 * the input transposed; din [n_in, n_pad] receives the gradient by the input (may be NULL). Then
 * updates the layer's own tensors. */
void ql_hidden_backward(ql_hidden *h, ql_params *p, const ql_kern *kern, const ql_real *in_t,
                        ql_real *din, int64_t n, int64_t n_pad, const ql_optimizer *opt,
                        const ql_opt_step *step);

/* dst [cols, ld_dst] = transpose of src [rows, ld_src]; pads of dst rows are set to zero. */
void ql_transpose(int64_t rows, int64_t cols, const ql_real *src, int64_t ld_src, ql_real *dst,
                  int64_t ld_dst);

/* Update one tensor (or `rows` of its rows from `first`) with its gradient, penalties included; the
 * weight decay of the step is for tensors that decay. */
void ql_params_update(ql_params *p, int tensor, int64_t first, int64_t rows, const ql_real *grad,
                      const ql_optimizer *opt, const ql_opt_step *step);

#ifdef __cplusplus
}
#endif
#endif
