/* Optimizers: a registry of update rules, and the running state of one. */
#ifndef QUELL_OPTIMIZER_H
#define QUELL_OPTIMIZER_H

#include <stdbool.h>

#include "quell/kern.h"
#include "quell/params.h"
#include "quell/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* One update rule. */
typedef struct {
    const char *name;
    const char *summary;
    int n_moments;                    /* arrays of ql_params it uses */
    double rate, decay1, decay2, eps; /* defaults */
    double weight_decay;              /* default; 0: none */
    bool bias_correction;             /* Adam's, folded into the rate */
    bool torch; /* eps stands beside the corrected root, and weight decay is part of the gradient,
                   of every tensor */
    ql_opt_kern (*kernel)(const ql_kern *kern);
} ql_opt_rule;

extern const ql_opt_rule *const ql_opt_rules[];        /* NULL-terminated */
const ql_opt_rule *ql_opt_rule_find(const char *name); /* NULL: unknown */

typedef struct {
    const ql_opt_rule *rule;
    ql_opt_kern update;
    double rate;         /* now; lowered by the schedule */
    double clip;         /* 0: none */
    double weight_decay; /* 0: none */
    double eps;
    double power1, power2; /* decay1^t, decay2^t */
} ql_optimizer;

/* eps of the rule's steps; 0: its own. After ql_opt_start. */
void ql_opt_set_eps(ql_optimizer *opt, double eps);

/* rate 0 means the rule's default, and so does a weight decay that is NaN. */
void ql_opt_start(ql_optimizer *opt, const ql_opt_rule *rule, const ql_kern *kern, double rate,
                  double clip, double weight_decay);

/* Count one step and return what updates need for it. */
ql_opt_step ql_opt_next(ql_optimizer *opt);

/* Update one tensor (or `rows` of its rows from `first`) with its gradient grad [rows, ld],
 * penalties included; the weight decay of the step is for tensors that decay. Weights that may not
 * be negative end at 0 where they would be; a frozen tensor stays. */
void ql_params_update(ql_params *p, int tensor, int64_t first, int64_t rows, const ql_real *grad,
                      const ql_opt_step *step);

/* The same of n elements of a tensor from `first` on, counted through its rows; n and first are
 * multiples of QL_PAD, grad [n] is 0 at pads. */
void ql_params_update_range(ql_params *p, int tensor, int64_t first, int64_t n, const ql_real *grad,
                            const ql_opt_step *step);

#ifdef __cplusplus
}
#endif
#endif
