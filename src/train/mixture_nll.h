/* Negative log-likelihood of cells under the mixture of an ensemble. Private to src/train. */
#ifndef QL_MIXTURE_NLL_H
#define QL_MIXTURE_NLL_H

#include "quell/fitted.h"

/* nll [n]: of each of rows[0..n), negative binomial around the mixed means with f->theta, over all
 * genes, in nats, without ln x!. */
QL_MUST_USE ql_status ql_mixture_nll(ql_fitted *f, const ql_rows *counts, const int64_t *rows,
                                     int64_t n, double *nll, ql_err *err);

#endif
