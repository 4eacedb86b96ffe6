/* A first layer for genes in genome order: a one-dimensional convolution over their scaled inputs,
 * an activation, and a dense layer (an input layer, quell/input_layer.h) on what comes out.
 *
 * Position q of filter f is f(bias_f + sum_k weight[k, f] x[q stride + k]), x by place, 0 beyond
 * the last gene. Features are numbered q * filters + f and cut into tiles of QL_TILE, which are
 * whole positions. A tile's inputs and features are made when they are wanted, forward and
 * backward, and forgotten. */
#ifndef QUELL_CONV_LAYER_H
#define QUELL_CONV_LAYER_H

#include "quell/activation.h"
#include "quell/corrupt.h"
#include "quell/input_layer.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { QL_CONV_FILTERS = 64, QL_CONV_WIDTH = 512 }; /* most */

typedef struct {
    int64_t filters; /* a power of two; 0: there is no convolution */
    int64_t width;   /* genes that a filter sees */
    int64_t stride;  /* genes from one position to the next, at most width */
} ql_conv_shape;

typedef struct {
    ql_conv_shape shape;
    int64_t n_genes, positions;
    const ql_activation *act;
    ql_real slope;        /* of act, where it has one */
    int weight, bias;     /* tensors [width, filters], [filters] */
    const int32_t *place; /* [genes] place of each in genome order; NULL: as they are; borrowed */
    ql_real *shift_at;    /* [genes] constant part of the inputs, by place; owned */
    ql_real *parts;       /* [strips, part] partial gradients of weight and bias; owned */
    ql_real *sum;         /* [part]; owned */
} ql_conv;

/* Number of features, the width of the dense layer. */
int64_t ql_conv_features(const ql_conv_shape *shape, int64_t n_genes);

/* Tensors "inputconv/weight" [width, filters] and "inputconv/bias" [filters]; act and slope are its
 * activation's. */
void ql_conv_declare(ql_conv *c, ql_params *p, ql_conv_shape shape, int64_t n_genes,
                     const ql_activation *act, ql_real slope);
/* Memory for the sums of all strips, and the constant part of the inputs by place; map->place is
 * borrowed. */
QL_MUST_USE ql_status ql_conv_alloc(ql_conv *c, const ql_input_map *map, ql_err *err);
void ql_conv_free(ql_conv *c);

/* Bytes that ql_conv_alloc takes. */
int64_t ql_conv_bytes(const ql_conv_shape *shape, int64_t n_genes);

/* Work space of one thread, in numbers, which ql_conv_forward_tile and ql_conv_backward_tile get.
 */
int64_t ql_conv_space(const ql_conv_shape *shape);

/* A minibatch as the layer sees it. */
typedef struct {
    const ql_batch *batch;     /* with entries in order (ql_batch_alloc_ordered) */
    const ql_corrupt *corrupt; /* NULL: none */
    const ql_input_layer *dense;
    const ql_params *params;
    const ql_kern *kern;
    ql_real *space;
} ql_conv_pass;

/* Add the tile's part of the dense layer's sums to the strip's; the constant part stays 0. */
void ql_conv_forward_tile(const ql_conv *c, const ql_conv_pass *pass, int64_t strip, int64_t tile);

/* Gradients of a strip: clear its part, then add its tiles in order, each of which has its dense
 * weights updated. grad [units, n_pad] and d_t [cells, pad(units)] are the gradient by the dense
 * layer's output; dw is scratch [QL_TILE, pad(units)]. */
void ql_conv_begin_strip(ql_conv *c, int64_t strip);
void ql_conv_backward_tile(ql_conv *c, const ql_conv_pass *pass, ql_params *p, int64_t strip,
                           int64_t tile, const ql_real *grad, const ql_real *d_t, ql_real *dw,
                           const ql_opt_step *step);

/* Sum the strips and update the filters; one thread, when all strips are done. */
void ql_conv_update(ql_conv *c, ql_params *p, const ql_kern *kern, int n_strips,
                    const ql_opt_step *step);

#ifdef __cplusplus
}
#endif
#endif
