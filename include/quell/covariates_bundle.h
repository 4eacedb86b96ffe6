/* The covariates of a model as its file has them: names, levels, scales; not the cells' values. */
#ifndef QUELL_COVARIATES_BUNDLE_H
#define QUELL_COVARIATES_BUNDLE_H

#include "quell/bundle.h"
#include "quell/covariates.h"

#ifdef __cplusplus
extern "C" {
#endif

QL_MUST_USE ql_status ql_covariates_put(const ql_covariates *c, ql_bundle *b, ql_err *err);

/* Empty where b has none. QL_EDATA where what it has makes no sense; *out is empty then. */
QL_MUST_USE ql_status ql_covariates_take(const ql_bundle *b, ql_covariates *out, ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
