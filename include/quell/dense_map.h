/* A dense map of a minibatch, W x + b, whose input has other uses: what it adds to the gradient by
 * that input is added to what the others left there. Layers that are all there is between two
 * activations are hidden.h's. */
#ifndef QUELL_DENSE_MAP_H
#define QUELL_DENSE_MAP_H

#include <stdint.h>

#include "quell/optimizer.h"
#include "quell/params.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Arrays are held [units, cells] with row stride n_pad. */
typedef struct {
    int64_t n_in, n_out;
    int weight, bias; /* tensors [n_out, n_in], [1, n_out] */
    ql_real *turned;  /* scratch [n_in, n_pad]; borrowed, as those that follow */
    ql_real *dw, *db; /* scratch [n_out, pad(n_in)], [pad(n_out)] */
} ql_dense_map;

/* out [n_out, n_pad] = W in + b, in [n_in, n_pad] */
void ql_dense_forward(const ql_dense_map *m, const ql_params *p, const ql_kern *kern,
                      const ql_real *in, int64_t n_pad, ql_real *out);

/* From the gradient grad [n_out, n_pad] by out, 0 at pads: that by the input is added to
 * din [n_in, n_pad], then the map's tensors are updated. in_t [n, pad(n_in)] is the input of the n
 * cells transposed. */
void ql_dense_backward(const ql_dense_map *m, ql_params *p, const ql_kern *kern,
                       const ql_real *grad, const ql_real *in_t, ql_real *din, int64_t n,
                       int64_t n_pad, const ql_opt_step *step);

#ifdef __cplusplus
}
#endif
#endif
