/* The fit that options describe. Private to src/cmd. */
#ifndef QL_MODEL_FIT_H
#define QL_MODEL_FIT_H

#include "model_args.h"

/* Options that do not go together (QL_EUSAGE). */
QL_MUST_USE ql_status model_args_check(const model_args *a, ql_err *err);

/* The fit that the options describe. */
void model_fit_options(const model_args *a, int threads, ql_fit_options *out);

#endif
