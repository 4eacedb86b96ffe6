/* Greedy layer-wise pretraining (Bengio et al. 2007). Private to src/train. */
#ifndef QL_PRETRAIN_H
#define QL_PRETRAIN_H

#include "quell/fitted.h"

/* Train the encoder's layers one after the other, from the input to the bottleneck, for
 * opt->layer_epochs epochs each: as the last layer of a network whose heads read it, on top of
 * those before it, which stay as they are. Their weights, norms and moving moments then start those
 * of f->ae, which has been built. Corruption of the inputs is that of the whole training. */
QL_MUST_USE ql_status ql_pretrain_layers(ql_fitted *f, const ql_rows *counts,
                                         const ql_fit_options *opt, const ql_ae_sizes *sizes,
                                         const ql_kern *kern, ql_err *err);

/* Bytes that takes beside the model. */
int64_t ql_pretrain_bytes(const ql_ae_config *cfg, const ql_ae_sizes *sizes);

#endif
