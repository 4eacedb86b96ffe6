#include "quell/latent.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "quell/buffers.h"
#include "quell/dense_map.h"
#include "quell/rng.h"

/* Bounds of v: variances from e^-30 to e^20 are far outside what a posterior needs, and no number
 * within them overflows. */
#define RAW_LO (ql_real) - 30
#define RAW_HI (ql_real)20

/* ---- the weight of the divergence ---- */

static double place_in_period(const ql_kl_rule *r, uint64_t step, uint64_t epoch)
{
    return r->period > 0 ? (double)(r->epochs ? epoch : step) / r->period : 1;
}

double ql_kl_weight(const ql_kl_rule *r, uint64_t step, uint64_t epoch)
{
    double at = place_in_period(r, step, epoch);
    if (r->capacity > 0 || r->course == QL_KL_CONSTANT || !(r->period > 0)) return r->beta;
    if (r->course == QL_KL_CYCLICAL) at = 2 * (at - floor(at));
    return at < 1 ? r->beta * at : r->beta;
}

double ql_kl_capacity(const ql_kl_rule *r, uint64_t step, uint64_t epoch)
{
    const double at = place_in_period(r, step, epoch);
    return at < 1 ? r->capacity * at : r->capacity;
}

static double kl_unit(double mean, double var, double ln_var)
{
    return 0.5 * (var + mean * mean - 1 - ln_var);
}

/* ---- tensors and buffers ---- */

void ql_latent_declare(ql_latent *l, ql_params *p, const char *prefix)
{
    char name[32];
    snprintf(name, sizeof name, "%s/weight", prefix);
    l->weight = ql_params_add(p, name, l->n_out, l->n_in, true);
    snprintf(name, sizeof name, "%s/bias", prefix);
    l->bias = ql_params_add(p, name, 1, l->n_out, true);
}

enum { N_BUFFERS = 9 };

static void list_buffers(ql_latent *l, int64_t cells, ql_buffer list[N_BUFFERS])
{
    const int64_t n = l->n_out * cells;
    const ql_buffer all[N_BUFFERS] = {
        QL_BUFFER(l->mean, n),
        QL_BUFFER(l->raw, n),
        QL_BUFFER(l->var, n),
        QL_BUFFER(l->ln_var, n),
        QL_BUFFER(l->noise, n),
        QL_BUFFER(l->grad, n),
        QL_BUFFER(l->turned, l->n_in * cells),
        QL_BUFFER(l->dw, l->n_out * ql_pad(l->n_in)),
        QL_BUFFER(l->db, ql_pad(l->n_out)),
    };
    memcpy(list, all, sizeof all);
}

ql_status ql_latent_alloc(ql_latent *l, int64_t capacity, ql_err *err)
{
    ql_buffer list[N_BUFFERS];
    list_buffers(l, capacity, list);
    return ql_buffers_alloc(list, N_BUFFERS, "latent layer", err);
}

int64_t ql_latent_bytes(const ql_latent *l, int64_t capacity)
{
    ql_latent copy = *l;
    ql_buffer list[N_BUFFERS];
    list_buffers(&copy, capacity, list);
    return ql_buffers_bytes(list, N_BUFFERS);
}

void ql_latent_free(ql_latent *l)
{
    ql_buffer list[N_BUFFERS];
    list_buffers(l, 0, list);
    ql_buffers_free(list, N_BUFFERS);
    *l = (ql_latent){0};
}

/* The map to v. */
static ql_dense_map map_of(const ql_latent *l)
{
    return (ql_dense_map){l->n_in, l->n_out, l->weight, l->bias, l->turned, l->dw, l->db};
}

/* ---- forward ---- */

static ql_real held(ql_real v)
{
    return v < RAW_LO ? RAW_LO : v > RAW_HI ? RAW_HI : v;
}

/* V and ln V from v; pads get those of v = 0, so that they are ordinary numbers. */
static void variances(ql_latent *l, const ql_kern *kern, int64_t n, int64_t n_pad)
{
    const int64_t size = l->n_out * n_pad;
    for (int64_t u = 0; u < l->n_out; u++)
        for (int64_t j = n; j < n_pad; j++) l->raw[u * n_pad + j] = 0;
    for (int64_t i = 0; i < size; i++) l->var[i] = held(l->raw[i]);
    kern->exp(size, l->var, l->var);
    for (int64_t i = 0; i < size; i++) l->var[i] = l->var[i] + (ql_real)QL_LATENT_VAR;
    kern->log(size, l->var, l->ln_var);
}

static void draw_noise(ql_latent *l, int64_t n, int64_t n_pad, const ql_latent_pass *pass)
{
    for (int64_t j = 0; j < n; j++) {
        ql_rng rng = ql_rng_start(pass->seed, l->stream ? l->stream : QL_RNG_CODE, pass->step,
                                  (uint64_t)pass->cell[j]);
        for (int64_t u = 0; u < l->n_out; u++)
            l->noise[u * n_pad + j] = (ql_real)ql_rng_normal(ql_rng_word(&rng));
    }
}

static ql_real root(ql_real x)
{
    return (ql_real)sqrt((double)x);
}

void ql_latent_forward(ql_latent *l, const ql_params *p, const ql_kern *kern, const ql_real *in,
                       ql_hidden *center, int64_t n, int64_t n_pad, const ql_latent_pass *pass)
{
    const int64_t size = l->n_out * n_pad;
    const ql_dense_map map = map_of(l);
    ql_dense_forward(&map, p, kern, in, n_pad, l->raw);
    variances(l, kern, n, n_pad);
    memcpy(l->mean, center->out, (size_t)size * sizeof *l->mean);
    memset(l->noise, 0, (size_t)size * sizeof *l->noise);
    if (!pass->draw) return;
    draw_noise(l, n, n_pad, pass);
    for (int64_t i = 0; i < size; i++) center->out[i] = l->mean[i] + root(l->var[i]) * l->noise[i];
    ql_transpose(l->n_out, n_pad, center->out, n_pad, center->out_t, ql_pad(l->n_out));
}

/* ---- backward ---- */

static double unit_kl(const ql_latent *l, int64_t at)
{
    return kl_unit((double)l->mean[at], (double)l->var[at], (double)l->ln_var[at]);
}

/* By how much the divergence of a unit counts in the gradient, and what it adds to the loss. With
 * free bits a unit whose mean divergence is small costs what it costs anyhow. */
static double unit_factor(const ql_latent *l, const ql_kl_rule *rule, double beta, int64_t u,
                          int64_t n, int64_t n_pad, const ql_real *weight, double *loss)
{
    double sum = 0, total = 0;
    for (int64_t j = 0; j < n; j++) {
        sum += (double)weight[j] * unit_kl(l, u * n_pad + j);
        total += (double)weight[j];
    }
    if (rule->free_bits > 0 && sum < rule->free_bits * total) {
        *loss += beta * rule->free_bits * total;
        return 0;
    }
    *loss += beta * sum;
    return beta;
}

/* With a capacity: beta |KL - C|, KL the mean over the cells; the sign that gives the gradient. */
static double capacity_factor(const ql_latent *l, double beta, double capacity, int64_t n,
                              int64_t n_pad, const ql_real *weight, double *loss)
{
    double sum = 0, total = 0;
    for (int64_t j = 0; j < n; j++) {
        for (int64_t u = 0; u < l->n_out; u++) sum += (double)weight[j] * unit_kl(l, u * n_pad + j);
        total += (double)weight[j];
    }
    const double over = sum - capacity * total;
    *loss += beta * fabs(over);
    return over > 0 ? beta : over < 0 ? -beta : 0;
}

/* Gradients of one unit: by the drawn code through m and v, and by factor times the divergence. */
static void unit_gradient(ql_latent *l, ql_hidden *center, double factor, int64_t u, int64_t n,
                          int64_t n_pad, const ql_real *weight)
{
    for (int64_t i = u * n_pad, j = 0; j < n; i++, j++) {
        const ql_real by_code = center->grad[i], w = (ql_real)(factor * (double)weight[j]);
        const ql_real var = l->var[i], slope = var - (ql_real)QL_LATENT_VAR;
        const bool inside = l->raw[i] >= RAW_LO && l->raw[i] <= RAW_HI;
        const ql_real path = by_code * l->noise[i] * slope / (2 * root(var));
        const ql_real kl = w * (ql_real)0.5 * (1 - 1 / var) * slope;
        center->grad[i] = by_code + w * l->mean[i];
        l->grad[i] = inside ? path + kl : 0;
    }
    for (int64_t i = u * n_pad + n; i < (u + 1) * n_pad; i++) l->grad[i] = 0;
}

ql_real ql_latent_by_raw(const ql_latent *l, int64_t at, double by_var)
{
    if (!(l->raw[at] >= RAW_LO && l->raw[at] <= RAW_HI)) return 0;
    return (ql_real)(by_var * ((double)l->var[at] - QL_LATENT_VAR));
}

double ql_latent_gradient(ql_latent *l, const ql_kl_rule *rule, uint64_t step, uint64_t epoch,
                          ql_hidden *center, int64_t n, int64_t n_pad, const ql_real *weight)
{
    const double beta = ql_kl_weight(rule, step, epoch);
    double loss = 0, factor = 0;
    if (rule->capacity > 0)
        factor =
            capacity_factor(l, beta, ql_kl_capacity(rule, step, epoch), n, n_pad, weight, &loss);
    for (int64_t u = 0; u < l->n_out; u++) {
        if (!(rule->capacity > 0)) factor = unit_factor(l, rule, beta, u, n, n_pad, weight, &loss);
        unit_gradient(l, center, factor, u, n, n_pad, weight);
    }
    return loss;
}

void ql_latent_backward(ql_latent *l, ql_params *p, const ql_kern *kern, const ql_real *in_t,
                        ql_real *din, int64_t n, int64_t n_pad, const ql_opt_step *step)
{
    const ql_dense_map map = map_of(l);
    ql_dense_backward(&map, p, kern, l->grad, in_t, din, n, n_pad, step);
}

double ql_latent_cell_kl(const ql_latent *l, int64_t i, int64_t n_pad, double *unit)
{
    double sum = 0;
    for (int64_t u = 0; u < l->n_out; u++) {
        const double kl = unit_kl(l, u * n_pad + i);
        if (unit) unit[u] = kl;
        sum += kl;
    }
    return sum;
}

double ql_latent_cell_log_q(const ql_latent *l, int64_t i, int64_t n_pad)
{
    double sum = 0;
    for (int64_t u = 0; u < l->n_out; u++) {
        const int64_t at = u * n_pad + i;
        sum -= 0.5 * ((double)l->ln_var[at] + (double)l->noise[at] * (double)l->noise[at]);
    }
    return sum;
}
