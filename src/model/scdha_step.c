#include "scdha_step.h"

#include <math.h>

#define EPS 1e-7 /* of the reference's AdamW */

int scdha_gene_rows(ql_params *p, const char *name, int64_t n_genes, int64_t width)
{
    const int tensor = ql_params_add(p, name, n_genes, width, true);
    p->size += (ql_pad(n_genes) - n_genes) * p->tensor[tensor].ld;
    return tensor;
}

void scdha_step_start(ql_optimizer *opt, const ql_kern *kern, double rate, double weight_decay)
{
    ql_opt_start(opt, ql_opt_rule_find("adamw"), kern, rate, 0, weight_decay);
}

static bool has_nan(const ql_real *x, int64_t n)
{
    int found = 0;
    for (int64_t i = 0; i < n; i++) found |= x[i] != x[i];
    return found != 0;
}

/* The reference divides the root of the second moment by its correction before it adds eps, the
 * kernel after that. */
bool scdha_step(ql_optimizer *opt, ql_params *p, const ql_real *grad, int64_t n)
{
    if (has_nan(grad, n)) return false;
    ql_opt_step step = ql_opt_next(opt);
    step.eps = (ql_real)(EPS * sqrt(1 - opt->power2));
    step.update(n, p->w, grad, p->m, p->v, &step);
    return true;
}
