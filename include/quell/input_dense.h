/* The first layer on inputs that are not sparse: corrupted ones. The block of a tile's inputs,
 * [genes, cells], is made from the sparse entries and the constant part, corrupted, multiplied, and
 * forgotten; the backward pass makes the same block again. Nothing of size cells x genes is kept.
 */
#ifndef QUELL_INPUT_DENSE_H
#define QUELL_INPUT_DENSE_H

#include "quell/corrupt.h"
#include "quell/input_layer.h"
#include "quell/input_terms.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { QL_INPUT_BLOCK = QL_TILE * QL_BLOCK }; /* elements of the scratch */

/* ql_input_forward_tile and ql_input_backward_tile for such inputs; x is scratch
 * [QL_INPUT_BLOCK]. The strip's constant part stays 0. */
void ql_input_dense_forward_tile(ql_input_layer *in, const ql_params *p, const ql_kern *kern,
                                 const ql_batch *b, const ql_corrupt *c, int64_t strip,
                                 int64_t tile, ql_real *x);
void ql_input_dense_backward_tile(const ql_input_layer *in, ql_params *p, const ql_kern *kern,
                                  const ql_batch *b, const ql_corrupt *c, int64_t tile,
                                  const ql_real *d_t, ql_real *dw, ql_real *x,
                                  const ql_input_terms *terms, const ql_opt_step *step);

#ifdef __cplusplus
}
#endif
#endif
