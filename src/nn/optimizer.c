#include "quell/optimizer.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

/* The kernel of each rule in a table, by name: kernel_sgd, ... */
#define X(name)                                                                                    \
    static ql_opt_kern kernel_##name(const ql_kern *k)                                             \
    {                                                                                              \
        return k->name;                                                                            \
    }
QL_OPT_MAP(X)
#undef X

static const ql_opt_rule sgd = {
    .name = "sgd",
    .summary = "plain gradient descent",
    .rate = 0.01,
    .kernel = kernel_sgd,
};

/* Tieleman and Hinton 2012, with the constants of Keras */
static const ql_opt_rule rmsprop = {
    .name = "rmsprop",
    .summary = "RMSprop, as DCA uses it (rho 0.9)",
    .n_moments = 1,
    .rate = 1e-3,
    .decay2 = 0.9,
    .eps = 1e-7,
    .kernel = kernel_rmsprop,
};

/* clang-format off */
/* Kingma and Ba 2015, with the constants of its section 2 */
#define ADAM .n_moments = 2, .rate = 1e-3, .decay1 = 0.9, .decay2 = 0.999, .eps = 1e-8, \
             .bias_correction = true, .kernel = kernel_adam
/* clang-format on */

static const ql_opt_rule adam = {
    .name = "adam",
    .summary = "Adam (0.9, 0.999)",
    ADAM,
};

/* Loshchilov and Hutter 2019: Adam, and the weights shrink by themselves */
static const ql_opt_rule adamw = {
    .name = "adamw",
    .summary = "Adam with decoupled weight decay (0.01)",
    ADAM,
    .weight_decay = 0.01,
};

/* Adam as PyTorch has it (Paszke et al. 2019): it matters where eps is large */
static const ql_opt_rule torch_adam = {
    .name = "torch-adam",
    .summary = "Adam as in PyTorch: weight decay in the gradient",
    ADAM,
    .torch = true,
};

const ql_opt_rule *const ql_opt_rules[] = {&adam, &adamw, &rmsprop, &sgd, &torch_adam, NULL};

const ql_opt_rule *ql_opt_rule_find(const char *name)
{
    for (int i = 0; ql_opt_rules[i]; i++)
        if (!strcmp(ql_opt_rules[i]->name, name)) return ql_opt_rules[i];
    return NULL;
}

void ql_opt_start(ql_optimizer *opt, const ql_opt_rule *rule, const ql_kern *kern, double rate,
                  double clip, double weight_decay)
{
    *opt = (ql_optimizer){.rule = rule, .update = rule->kernel(kern), .clip = clip};
    opt->rate = rate > 0 ? rate : rule->rate;
    opt->weight_decay = weight_decay >= 0 ? weight_decay : rule->weight_decay;
    opt->eps = rule->eps;
    opt->power1 = opt->power2 = 1;
}

void ql_opt_set_eps(ql_optimizer *opt, double eps)
{
    opt->eps = eps > 0 ? eps : opt->rule->eps;
}

ql_opt_step ql_opt_next(ql_optimizer *opt)
{
    const ql_opt_rule *r = opt->rule;
    double rate = opt->rate;
    opt->power1 *= r->decay1;
    opt->power2 *= r->decay2;
    if (r->bias_correction) rate *= sqrt(1 - opt->power2) / (1 - opt->power1);
    ql_opt_step step = {.update = opt->update,
                        .rate = (ql_real)rate,
                        .decay1 = (ql_real)r->decay1,
                        .decay2 = (ql_real)r->decay2,
                        .eps = (ql_real)opt->eps,
                        .clip = (ql_real)opt->clip};
    if (r->torch) {
        step.eps = (ql_real)(opt->eps * sqrt(1 - opt->power2));
        step.l2 = (ql_real)(opt->weight_decay / 2); /* l2 w^2 has twice its gradient */
    } else {
        /* decay goes by the plain rate (Loshchilov and Hutter 2019): take the corrections out again
         */
        step.weight_decay = (ql_real)(opt->weight_decay * (opt->rate / rate));
    }
    return step;
}

void ql_params_update_range(ql_params *p, int tensor, int64_t first, int64_t n, const ql_real *grad,
                            const ql_opt_step *step)
{
    const ql_tensor *t = &p->tensor[tensor];
    const int64_t at = t->offset + first;
    ql_opt_step s = *step;
    if (t->frozen) return;
    s.l1 = t->l1;
    s.l2 = t->l2 + s.l2;
    if (!t->decays) s.weight_decay = 0;
    s.update(n, p->w + at, grad, p->m ? p->m + at : NULL, p->v ? p->v + at : NULL, &s);
    if (!t->nonnegative) return;
    for (int64_t i = at; i < at + n; i++) p->w[i] = p->w[i] < 0 ? 0 : p->w[i];
}

void ql_params_update(ql_params *p, int tensor, int64_t first, int64_t rows, const ql_real *grad,
                      const ql_opt_step *step)
{
    const int64_t ld = p->tensor[tensor].ld;
    ql_params_update_range(p, tensor, first * ld, rows * ld, grad, step);
}
