/* The reference of a model, made of the cells it was trained with. */
#ifndef QUELL_REFERENCE_MAKE_H
#define QUELL_REFERENCE_MAKE_H

#include "quell/fitted.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Make f->reference of a model that was trained on these counts, which are as ql_fit left them.
 * Nothing is done where there are no training cells; held needs held-out cells, and a distribution
 * of counts. */
QL_MUST_USE ql_status ql_reference_make(ql_fitted *f, const ql_rows *counts, ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
