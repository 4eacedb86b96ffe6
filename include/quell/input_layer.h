/* The first layer, as wide as the genes, on sparse input.
 *
 * With z = (l - mean) / sd and l sparse, Z W = (L / sd) W + 1 (shift W), shift = -mean / sd: the
 * work is that of the entries with counts, plus one row per tile for the constant part. */
#ifndef QUELL_INPUT_LAYER_H
#define QUELL_INPUT_LAYER_H

#include "quell/batch.h"
#include "quell/input_terms.h"
#include "quell/optimizer.h"
#include "quell/params.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    int64_t n_out;    /* units */
    int64_t n_beside; /* the last so many of them are another layer's, which sees the same input */
    int weight;       /* tensor [genes, units] */
    ql_tiling tiling;
    const ql_real *shift; /* [genes] or NULL; borrowed */
    int64_t capacity;
    ql_real *parts; /* [strips, capacity + 1, pad(units)]: partial sums; the last row of a strip
                       is the constant part; owned */
    ql_real *sum;   /* [capacity + 1, pad(units)]; owned */
} ql_input_layer;

/* Tensor "input/weight" [n_genes, n_out]; memory for the sums of minibatches of up to `capacity`
 * padded cells (QL_EMEMORY). */
void ql_input_declare(ql_input_layer *in, ql_params *p, int64_t n_genes, int64_t n_out);
QL_MUST_USE ql_status ql_input_alloc(ql_input_layer *in, int64_t capacity, ql_err *err);
void ql_input_free(ql_input_layer *in);

/* Partial sums of one strip: clear them, then add its tiles in order. Strips may run on different
 * threads. */
void ql_input_begin_strip(ql_input_layer *in, const ql_batch *b, int64_t strip);
void ql_input_forward_tile(ql_input_layer *in, const ql_params *p, const ql_kern *kern,
                           const ql_batch *b, int64_t strip, int64_t tile);

/* Partial sums of a strip, [capacity + 1, pad(units)]. */
ql_real *ql_input_part(const ql_input_layer *in, int64_t strip);

/* Sum the strips for cells [first, first + n) of the batch (cell b->n: the constant part). */
void ql_input_reduce(ql_input_layer *in, const ql_kern *kern, const ql_batch *b, int64_t first,
                     int64_t n);

/* pre [units, n_pad] = sum transposed + constant part + bias; pads get the bias. The units are the
 * layer's own, n_out - n_beside; or the others. */
void ql_input_finish(const ql_input_layer *in, const ql_batch *b, const ql_real *bias,
                     ql_real *pre);
void ql_input_finish_beside(const ql_input_layer *in, const ql_batch *b, const ql_real *bias,
                            ql_real *pre);

/* Gradient and update of one tile's weights. d_t [cells, pad(units)] is the gradient by pre,
 * transposed; d_sum [pad(units)] its sum over cells; dw is scratch [QL_TILE, pad(units)]; terms are
 * added. */
void ql_input_backward_tile(const ql_input_layer *in, ql_params *p, const ql_kern *kern,
                            const ql_batch *b, int64_t tile, const ql_real *d_t,
                            const ql_real *d_sum, ql_real *dw, const ql_input_terms *terms,
                            const ql_opt_step *step);

#ifdef __cplusplus
}
#endif
#endif
