#include "quell/gauss_net.h"

#include <math.h>
#include <stdio.h>

#include "quell/fmath.h"

void ql_gauss_net_declare(ql_gauss_net *g, ql_params *p, const char *prefix,
                          const ql_gauss_shape *s)
{
    char name[24];
    *g = (ql_gauss_net){.layer = s->layer};
    ql_hidden_declare(&g->layer, p, prefix, s->dense);
    g->mean =
        (ql_hidden){.n_in = s->layer.n_out, .n_out = s->n_out, .act = ql_activation_find("linear")};
    snprintf(name, sizeof name, "%s_mean", prefix);
    ql_hidden_declare(&g->mean, p, name, true);
    g->var = (ql_latent){.n_in = s->layer.n_out, .n_out = s->n_out, .stream = s->stream};
    snprintf(name, sizeof name, "%s_var", prefix);
    ql_latent_declare(&g->var, p, name);
}

ql_status ql_gauss_net_alloc(ql_gauss_net *g, int64_t capacity, ql_err *err)
{
    QL_TRY(ql_hidden_alloc(&g->layer, capacity, err));
    QL_TRY(ql_hidden_alloc(&g->mean, capacity, err));
    return ql_latent_alloc(&g->var, capacity, err);
}

void ql_gauss_net_free(ql_gauss_net *g)
{
    ql_hidden_free(&g->layer);
    ql_hidden_free(&g->mean);
    ql_latent_free(&g->var);
}

int64_t ql_gauss_net_bytes(const ql_gauss_net *g, int64_t capacity)
{
    return ql_hidden_bytes(&g->layer, capacity) + ql_hidden_bytes(&g->mean, capacity) +
           ql_latent_bytes(&g->var, capacity);
}

/* ---- the start ---- */

static void start_map(ql_params *p, int weight, int bias, int64_t n_in, int64_t n_out,
                      const ql_init *init, uint64_t seed)
{
    if (weight >= 0) ql_params_init(p, weight, init, n_in, n_out, seed);
    if (init && init->biases) ql_params_init(p, bias, init, n_in, n_out, seed);
}

void ql_hidden_init(const ql_hidden *h, ql_params *p, const ql_init *init, int64_t fan_in,
                    uint64_t seed)
{
    const struct {
        int tensor;
        ql_real value;
    } starts[] = {{h->var, 1}, {h->gamma, 1}, {h->slopes, (ql_real)0.25}};
    start_map(p, h->weight, h->bias, fan_in > 0 ? fan_in : h->n_in, h->n_out, init, seed);
    for (size_t k = 0; k < sizeof starts / sizeof *starts; k++)
        for (int64_t u = 0; u < h->n_out && starts[k].tensor >= 0; u++)
            ql_param(p, starts[k].tensor)[u] = starts[k].value;
}

void ql_gauss_net_init(const ql_gauss_net *g, ql_params *p, const ql_init *init, int64_t fan_in,
                       uint64_t seed)
{
    ql_hidden_init(&g->layer, p, init, fan_in, seed);
    ql_hidden_init(&g->mean, p, init, 0, seed);
    start_map(p, g->var.weight, g->var.bias, g->var.n_in, g->var.n_out, init, seed);
}

/* ---- forward and back ---- */

void ql_gauss_net_forward(ql_gauss_net *g, const ql_params *p, const ql_kern *kern,
                          const ql_real *in, int64_t n, int64_t n_pad, ql_pass pass,
                          const ql_latent_pass *draw)
{
    ql_hidden_forward(&g->layer, p, kern, in, n, n_pad, pass);
    ql_hidden_forward(&g->mean, p, kern, g->layer.out, n, n_pad, pass);
    ql_latent_forward(&g->var, p, kern, g->layer.out, &g->mean, n, n_pad, draw);
}

void ql_gauss_net_backward(ql_gauss_net *g, ql_params *p, const ql_kern *kern, const ql_real *in_t,
                           ql_real *din, int64_t n, int64_t n_pad, const ql_opt_step *step)
{
    ql_hidden_backward(&g->mean, p, kern, g->layer.out_t, g->layer.grad, n, n_pad, step);
    ql_latent_backward(&g->var, p, kern, g->layer.out_t, g->layer.grad, n, n_pad, step);
    ql_hidden_backward(&g->layer, p, kern, in_t, din, n, n_pad, step);
}

void ql_gauss_net_gradient(ql_gauss_net *g, int64_t at, double by_drawn, double w)
{
    const double v = (double)g->var.var[at];
    const double path = by_drawn * (double)g->var.noise[at] / (2 * sqrt(v));
    g->mean.grad[at] = (ql_real)(by_drawn + w * (double)g->var.mean[at]);
    g->var.grad[at] = ql_latent_by_raw(&g->var, at, path + w * 0.5 * (1 - 1 / v));
}

double ql_gauss_net_log_ratio(const ql_gauss_net *g, int64_t i, int64_t n_pad)
{
    double sum = -ql_latent_cell_log_q(&g->var, i, n_pad);
    for (int64_t u = 0; u < g->mean.n_out; u++) {
        const double z = (double)g->mean.out[u * n_pad + i];
        sum -= 0.5 * z * z;
    }
    return sum;
}

ql_kl_pair ql_kl_between(double mean, double var, double prior_mean, double prior_var)
{
    const double d = mean - prior_mean, square = var + d * d;
    return (ql_kl_pair){.kl = 0.5 * (ql_log(prior_var / var) + square / prior_var - 1),
                        .by_mean = d / prior_var,
                        .by_var = 0.5 * (1 / prior_var - 1 / var),
                        .by_prior_mean = -d / prior_var,
                        .by_prior_var = 0.5 * (1 / prior_var - square / (prior_var * prior_var))};
}
