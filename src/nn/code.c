#include "quell/code.h"

#include <math.h>

#include "quell/fmath.h"

/* Means are held off 0 and 1, where the divergence has no end. */
#define RHO_LEAST 1e-6

static double add_l1(double l1, ql_hidden *h, int64_t n, int64_t n_pad)
{
    const ql_real step = (ql_real)(l1 / (double)n);
    double sum = 0;
    for (int64_t j = 0; j < n; j++)
        for (int64_t u = 0; u < h->n_out; u++) {
            ql_real x = h->out_t[j * ql_pad(h->n_out) + u];
            sum += fabs((double)x);
            h->grad[u * n_pad + j] += x > 0 ? step : x < 0 ? -step : 0;
        }
    return l1 * sum / (double)n;
}

static double add_kl(const ql_code_rule *rule, ql_hidden *h, int64_t n, int64_t n_pad)
{
    const double rho = rule->rho;
    double penalty = 0;
    for (int64_t u = 0; u < h->n_out; u++) {
        double mean = 0;
        for (int64_t j = 0; j < n; j++)
            mean += (double)h->out_t[j * ql_pad(h->n_out) + u] / (double)n;
        double m = fmin(fmax(mean, RHO_LEAST), 1 - RHO_LEAST);
        penalty += rho * (ql_log(rho) - ql_log(m)) + (1 - rho) * (ql_log(1 - rho) - ql_log(1 - m));
        if (m != mean) continue;
        ql_real step = (ql_real)(rule->kl / (double)n * ((1 - rho) / (1 - m) - rho / m));
        for (int64_t i = u * n_pad; i < u * n_pad + n; i++) h->grad[i] += step;
    }
    return rule->kl * penalty;
}

double ql_code_penalty(const ql_code_rule *rule, ql_hidden *h, int64_t n, int64_t n_pad)
{
    double sum = 0;
    if (rule->l1 > 0) sum += add_l1(rule->l1, h, n, n_pad);
    if (rule->kl > 0) sum += add_kl(rule, h, n, n_pad);
    return sum;
}

void ql_unit_columns(ql_params *p, const int *tensor, int n_tensors, int64_t n_units,
                     double *scratch)
{
    for (int64_t u = 0; u < n_units; u++) scratch[u] = 0;
    for (int k = 0; k < n_tensors; k++) {
        const ql_tensor *t = &p->tensor[tensor[k]];
        for (const ql_real *w = p->w + t->offset; w < p->w + t->offset + t->rows * t->ld;
             w += t->ld)
            for (int64_t u = 0; u < n_units; u++) scratch[u] += (double)w[u] * (double)w[u];
    }
    for (int64_t u = 0; u < n_units; u++) scratch[u] = scratch[u] > 0 ? 1 / sqrt(scratch[u]) : 1;
    for (int k = 0; k < n_tensors; k++) {
        const ql_tensor *t = &p->tensor[tensor[k]];
        for (ql_real *w = p->w + t->offset; w < p->w + t->offset + t->rows * t->ld; w += t->ld)
            for (int64_t u = 0; u < n_units; u++) w[u] = (ql_real)((double)w[u] * scratch[u]);
    }
}
