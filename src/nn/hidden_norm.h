/* The norms of a hidden layer: batch norm (Ioffe and Szegedy 2015), layer norm (Ba, Kiros and
 * Hinton 2016), none. Private to src/nn. */
#ifndef QL_HIDDEN_NORM_H
#define QL_HIDDEN_NORM_H

#include "quell/hidden.h"

/* norm and sum from pre, all [n_out, n_pad]; of batch norm in training from the n cells, whose
 * moments enter the moving ones. */
void ql_hidden_norm_forward(ql_hidden *h, const ql_params *p, int64_t n, int64_t n_pad,
                            bool training);

/* grad by sum becomes grad by pre; shift and gain are updated. Without a norm nothing is to be
 * done. Overwrites db and mask. */
void ql_hidden_norm_backward(ql_hidden *h, ql_params *p, const ql_kern *kern, int64_t n,
                             int64_t n_pad, const ql_opt_step *step);

#endif
