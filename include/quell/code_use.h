/* How a fitted model uses its code: for codes that are meant to be sparse. */
#ifndef QUELL_CODE_USE_H
#define QUELL_CODE_USE_H

#include "quell/autoencoder.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Below this a value of the code counts as 0. */
#define QL_CODE_ZERO 1e-6

typedef struct {
    int64_t n_cells, n_units;
    double near_zero; /* share of the values that are 0 */
    double mean;      /* of all values */
    int64_t dead;     /* units that are 0 in every cell */
} ql_code_use;

/* Over n rows of the counts, in inference. */
QL_MUST_USE ql_status ql_measure_code(ql_ae *ae, const ql_rows *counts, const int64_t *rows,
                                      int64_t n, ql_code_use *out, ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
