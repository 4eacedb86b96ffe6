/* What a network expects of a cell, in the form that a mixture of models takes. Private to
 * src/train. */
#ifndef QL_NETWORK_RATES_H
#define QL_NETWORK_RATES_H

#include "quell/autoencoder.h"

/* Expected counts of a network alone, whatever company it has, as `rates` of a ql_member_kind has
 * them. */
QL_MUST_USE ql_status ql_network_rates(ql_ae *ae, const ql_batch_source *source,
                                       const int64_t *rows, int64_t n, int64_t ld, ql_real *out,
                                       ql_err *err);

#endif
