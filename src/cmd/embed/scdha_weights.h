/* Weights of cells of being drawn for training (--sample-weights). Private to src/cmd. */
#ifndef QL_SCDHA_WEIGHTS_H
#define QL_SCDHA_WEIGHTS_H

#include "quell/frame.h"

/* What a column of the cells says: numbers are the weights, of names each gets an equal share of
 * the cells drawn; a cell without a value is not drawn. out [cells]. QL_EUSAGE: no such column;
 * QL_EDATA: a weight that is below 0 or infinite. */
QL_MUST_USE ql_status scdha_weights_read(const char *column, const ql_frame *cells, double *out,
                                         ql_err *err);

#endif
