/* --decode-as: the batch in which cells are decoded. Private to src/cmd. */
#ifndef QL_DECODE_AS_H
#define QL_DECODE_AS_H

#include "quell/fitted.h"

typedef struct {
    ql_cov_values *values;      /* [n]; owned */
    const ql_cov_values **list; /* [n] to each of them; owned */
    float *fixed;               /* [n, width]; owned */
    int n;
} decode_as;

/* What the text says of the covariates of a model, for the predictions of *fitted. NULL: nothing,
 * each cell is decoded as it is. QL_EUSAGE for what the model does not know. */
QL_MUST_USE ql_status decode_as_set(const char *text, ql_fitted *fitted, decode_as *d, ql_err *err);
void decode_as_free(decode_as *d);

#endif
