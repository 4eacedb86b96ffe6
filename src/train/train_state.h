/* What a training carries from one minibatch to the next, put into a bundle and taken out again.
 * Whatever follows from the counts, the options and the seed is not part of it. Private to
 * src/train. */
#ifndef QUELL_TRAIN_STATE_H
#define QUELL_TRAIN_STATE_H

#include "quell/bundle.h"
#include "quell/trainer.h"
#include "schedule.h"

enum { QL_N_PATIENCE = 3 };

/* Where it is; nothing is owned. */
typedef struct {
    uint64_t origin; /* ql_train_origin of the training */
    int64_t n_train, max_epochs;
    ql_ae *ae;
    ql_real *best; /* [params.size] weights of the best epoch */
    ql_train_result *result;
    ql_patience *patience[QL_N_PATIENCE];
    ql_ae_progress *progress; /* of the epoch at hand */
    bool *finished; /* the weights are final: then moments and best weights are left out */
} ql_train_state;

/* Why a training ends, in the order in which states number it; NULL-terminated. */
extern const char *const ql_train_ends[];

/* Tells what the training begins with: its weights, its cells, its minibatches. */
uint64_t ql_train_origin(const ql_ae *ae, const ql_split *split, const ql_train_options *opt);

/* The bundle borrows the weights: it is to be used before the training goes on. */
QL_MUST_USE ql_status ql_train_state_put(const ql_train_state *s, ql_bundle *b, ql_err *err);

/* QL_EDATA when the bundle is no state of this training; then nothing has changed. */
QL_MUST_USE ql_status ql_train_state_take(const ql_train_state *s, const ql_bundle *b, ql_err *err);

#endif
