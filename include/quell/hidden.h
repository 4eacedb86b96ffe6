/* Hidden layers: dense, batch or layer norm, activation, dropout, on minibatches held transposed,
 * [units, cells], so that vectors run along cells. They are tiny beside the layers as wide as the
 * genes and are computed by one thread. */
#ifndef QUELL_HIDDEN_H
#define QUELL_HIDDEN_H

#include <stdbool.h>
#include <stdint.h>

#include "quell/activation.h"
#include "quell/optimizer.h"
#include "quell/params.h"
#include "quell/transpose.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Buffers of the contractive penalty (contract.h). */
typedef struct {
    ql_real *r;      /* [n_out, cells] tangent of pre */
    ql_real *t;      /* [n_out, cells] tangent of out */
    ql_real *t_t;    /* [cells, pad(n_out)] the same, transposed */
    ql_real *slope;  /* [n_out, cells] mask f'; then the gradient by pre through the norm */
    ql_real *curve;  /* [n_out, cells] mask f''; then the gradient by sum */
    ql_real *back;   /* [n_out, cells] gradient by t, then by r */
    ql_real *dgamma; /* [pad(n_out)] */
    ql_real *dslope; /* [pad(n_out)] */
} ql_tangent;

typedef struct {
    int64_t n_in, n_out;
    const ql_activation *act;
    ql_real slope; /* below zero, of activations that have a fixed one */
    bool batch_norm, layer_norm;
    bool gain;            /* batch norm has a gain too, and its moving variances are unbiased */
    int64_t n_extra;      /* the last so many inputs are given: no gradient by them is wanted */
    double dropout;       /* probability that a unit is dropped while training */
    int64_t keep_largest; /* so many units of a cell pass, the others are 0; 0: all pass */
    double orthogonal;    /* penalty of |W W' - 1|^2, of dense layers */
    bool contracted;      /* has tangents */
    uint64_t id;          /* of the layer, for its dropout masks */
    int weight, bias; /* tensors; weight -1: the pre-activation is made elsewhere (input layer) */
    bool tied;     /* weight is that of an encoder layer, used transposed; so is dw: its gradient */
    bool dw_begun; /* when backward comes, dw has a part of the gradient already */
    int beta, gamma, mean, var; /* tensors of the norm; -1: none */
    int slopes;                 /* tensor of trained slopes; -1: none */
    /* buffers for up to `capacity` padded cells; owned */
    int64_t capacity;
    ql_real *pre;    /* [n_out, cells] output of the dense part: what the latent is read from */
    ql_real *norm;   /* [n_out, cells] the norm's standardised value (pre, without a norm) */
    ql_real *sum;    /* [n_out, cells] what the activation sees */
    ql_real *out;    /* [n_out, cells] output */
    ql_real *out_t;  /* [cells, pad(n_out)] the same, transposed */
    ql_real *grad;   /* [n_out, cells] gradient by out, then by pre */
    ql_real *inv_sd; /* [n_out] batch norm's 1 / sd of this minibatch; [cells] layer norm's */
    ql_real *mask;   /* [n_out, cells] factors of dropout and keep_largest */
    ql_real *dw;     /* [n_out, pad(n_in)], or of the layer it is tied to: then borrowed */
    ql_real *db;     /* [pad(n_out)] */
    ql_real *turned; /* [n_in, pad(n_out)] weights transposed, if orthogonal */
    ql_real *gram;   /* [n_out, pad(n_out)], if orthogonal */
    ql_tangent tangent;
} ql_hidden;

/* Declare the layer's tensors under names with this prefix ("enc0"). dense: it has weights, its own
 * or those of the layer it is tied to. */
void ql_hidden_declare(ql_hidden *h, ql_params *p, const char *prefix, bool dense);
/* Memory for minibatches of up to `capacity` padded cells (QL_EMEMORY); dw of a tied layer is to be
 * set by the caller. The bytes of it. */
QL_MUST_USE ql_status ql_hidden_alloc(ql_hidden *h, int64_t capacity, ql_err *err);
void ql_hidden_free(ql_hidden *h);
int64_t ql_hidden_bytes(const ql_hidden *h, int64_t capacity);

/* Key of the dropout masks of a step. */
typedef struct {
    bool training;
    uint64_t seed, step;
} ql_pass;

static inline bool ql_hidden_has_mask(const ql_hidden *h)
{
    return h->dropout > 0 || h->keep_largest > 0;
}

/* d [n_out, n_pad] *= f' (or f'') at what the activation saw last; out must not be masked yet. */
void ql_hidden_derive(const ql_hidden *h, const ql_params *p, const ql_kern *kern, int64_t n_pad,
                      bool second, ql_real *d);

/* Let the activation's output be seen again where a mask has been over it. */
void ql_hidden_unmask(ql_hidden *h, const ql_params *p, const ql_kern *kern, int64_t n_pad);

/* out (and out_t) of n cells from pre, or from in [n_in, ld] if the layer is dense. Training uses
 * batch statistics and updates the moving ones (momentum 0.99, epsilon 1e-3, biased variance);
 * layer norm is over a cell's units (epsilon 1e-5). Of equal units keep_largest lets the first
 * pass. n_pad is the row stride of all buffers. */
void ql_hidden_forward(ql_hidden *h, const ql_params *p, const ql_kern *kern, const ql_real *in,
                       int64_t n, int64_t n_pad, ql_pass pass);

/* From grad (by out) to grad (by pre), with what the tangents add; writes dw, db, beta's gradient;
 * a tied weight is not updated, its gradient is left in dw; in_t [cells, pad(n_in)] is
 * the input transposed; din [n_in - n_extra, n_pad] receives the gradient by the input (may be
 * NULL). Then updates the layer's own tensors. */
void ql_hidden_backward(ql_hidden *h, ql_params *p, const ql_kern *kern, const ql_real *in_t,
                        ql_real *din, int64_t n, int64_t n_pad, const ql_opt_step *step);

/* The penalty orthogonal * |W W' - 1|^2 of a dense layer with weights of its own, and its gradient
 * 4 orthogonal (W W' - 1) W added to dw. */
double ql_orthogonal_penalty(const ql_hidden *h, const ql_params *p, const ql_kern *kern);
void ql_orthogonal_add(const ql_hidden *h, const ql_params *p, const ql_kern *kern);

#ifdef __cplusplus
}
#endif
#endif
