/* The contractive penalty (Rifai et al. 2011): factor * sum over cells of |d code / d input|^2,
 * from tangents that go through the encoder beside its values.
 *
 * A tangent says how a layer moves when the input moves along one direction u: r = W t below,
 * t = mask f'(sum) v r, v being what the norm multiplies by. |t|^2 of the last layer is the squared
 * Jacobian along u; with random signs in u its mean is the whole squared Jacobian (Hutchinson
 * 1990). Where the encoder is one layer, the lengths of the units' weights in place of W u give the
 * Jacobian exactly. In the Jacobian, statistics of norms and masks of dropout are constants; the
 * gradient of what is so defined is exact. */
#ifndef QUELL_CONTRACT_H
#define QUELL_CONTRACT_H

#include "quell/hidden.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Tangents of a layer after its forward pass in training: from those of the layer below, or where
 * that is NULL from first [n_out], the same for all cells. */
void ql_tangent_forward(ql_hidden *h, const ql_params *p, const ql_kern *kern,
                        const ql_hidden *below, const ql_real *first, int64_t n, int64_t n_pad);

/* Start backwards at the last layer; returns the penalty. */
double ql_tangent_start(ql_hidden *h, double factor, int64_t n, int64_t n_pad);

/* Backwards through a layer: fills what ql_hidden_backward adds to its gradients (dw begun), and
 * the gradient by the tangents of the layer below. At the first layer tangent.back is the gradient
 * by r afterwards. */
void ql_tangent_backward(ql_hidden *h, const ql_params *p, const ql_kern *kern, ql_hidden *below,
                         int64_t n, int64_t n_pad);

#ifdef __cplusplus
}
#endif
#endif
