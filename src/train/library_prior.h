/* The prior of library sizes that are drawn. Private to src/train. */
#ifndef QL_LIBRARY_PRIOR_H
#define QL_LIBRARY_PRIOR_H

#include "quell/autoencoder.h"

/* Mean and variance (over n) of ln molecules of the n cells rows[], for each batch that the model
 * tells apart and for all of them, which is also what a batch without cells has. begin: as in
 * ql_ae_library_set_prior. Nothing where the model's library size is observed. */
QL_MUST_USE ql_status ql_library_prior_fit(ql_ae *ae, const ql_rows *counts, const int64_t *rows,
                                           int64_t n, bool begin, ql_err *err);

#endif
