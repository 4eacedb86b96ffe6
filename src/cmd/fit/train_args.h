/* The options of training: optimizer, inputs damaged on the way, validation, stopping. Private to
 * src/cmd. */
#ifndef QL_TRAIN_ARGS_H
#define QL_TRAIN_ARGS_H

#include "model_args.h"

/* Options of training that do not go together (QL_EUSAGE). */
QL_MUST_USE ql_status train_args_check(const model_args *a, ql_err *err);

/* What they say of a step, into c. */
void train_args_config(const model_args *a, ql_ae_config *c);

/* And of the epochs. */
ql_train_options train_args_options(const model_args *a);

/* Epochs for each layer of the encoder before all (--pretrain layers); 0: none. */
int train_layer_epochs(const model_args *a);

#endif
