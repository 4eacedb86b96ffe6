/* The parts of fitting an ensemble. Private to src/train. */
#ifndef QL_ENSEMBLE_INTERNAL_H
#define QL_ENSEMBLE_INTERNAL_H

#include "quell/ensemble.h"

/* Fit the weights of f->others by molecules that are held out. theta
 * [genes]: of the posterior estimates that are mixed; NULL: means are. groups: of genes too. Leaves
 * the weights as they are where nothing is held out. */
QL_MUST_USE ql_status ql_ensemble_weigh(ql_fitted *f, const ql_held_out *parts, const float *theta,
                                        bool groups, ql_err *err);

/* Set all weights from the shares in the facts. */
void ql_ensemble_set_shares(ql_ensemble *e);

/* Bytes that ql_ensemble_weigh takes. */
int64_t ql_ensemble_weigh_bytes(const ql_rows *counts, const ql_train_options *train, int n);

#endif
