/* Sparse codes: penalties of the bottleneck's output, and the scale of the weights that read it. */
#ifndef QUELL_CODE_H
#define QUELL_CODE_H

#include "quell/hidden.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    double l1;      /* of the mean over cells of sum |h| */
    double kl, rho; /* of the sum over units of KL(rho || mean over cells of h), h in (0, 1) */
} ql_code_rule;

/* The penalty of a minibatch; its gradient is added to grad. h->out_t is the output,
 * and grad is by it. */
double ql_code_penalty(const ql_code_rule *rule, ql_hidden *h, int64_t n, int64_t n_pad);

/* Scale the columns [0, n_units) of tensors that have them in common so that each has length 1 over
 * all their rows; a column of zeros stays. scratch [n_units]. */
void ql_unit_columns(ql_params *p, const int *tensor, int n_tensors, int64_t n_units,
                     double *scratch);

#ifdef __cplusplus
}
#endif
#endif
