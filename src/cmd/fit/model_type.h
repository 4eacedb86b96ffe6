/* What a model predicts, and how that is judged. Private to src/cmd. */
#ifndef QL_MODEL_TYPE_H
#define QL_MODEL_TYPE_H

#include "model_args.h"

/* --target input: the scaled input in the place of counts. */
bool model_predicts_input(const model_args *a);

/* --type auto, which is still to be decided. */
bool model_type_is_auto(const model_args *a);

/* What is predicted, and how it is judged; until --type auto is decided, its default. */
const ql_likelihood *model_likelihood(const model_args *a);

/* Has the model such a type (QL_EUSAGE)? If not, model_likelihood is NULL. */
QL_MUST_USE ql_status model_type_check(const model_args *a, ql_err *err);

#endif
