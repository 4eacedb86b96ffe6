#include "quell/ladder.h"

#include <math.h>
#include <string.h>

#include "autoencoder_internal.h"
#include "quell/buffers.h"
#include "quell/fmath.h"

/* Numbers of the layers for their dropout masks: behind those of all branches' layers. */
enum { TOP_ID = 1010, PRIOR_ID };

ql_normal ql_combine_normals(ql_normal a, ql_normal b)
{
    const double var = 1 / (1 / a.var + 1 / b.var);
    return (ql_normal){var * (a.mean / a.var + b.mean / b.var), var};
}

/* ---- layers and buffers ---- */

void ql_ae_ladder_declare(ql_ae *ae)
{
    ql_ladder *l = &ae->ladder;
    const ql_hidden *code = &ae->hidden[ae->center];
    l->n_out = ae->cfg.vae.latent2;
    if (l->n_out == 0) return;
    ql_gauss_shape shape = {
        .layer = ae->hidden[0], .n_out = l->n_out, .dense = true, .stream = QL_RNG_LADDER};
    shape.layer.n_in = code->n_in;
    shape.layer.n_extra = code->n_extra;
    shape.layer.id = TOP_ID;
    ql_gauss_net_declare(&l->top, &ae->params, "top", &shape);
    shape.layer.n_in = l->n_out;
    shape.layer.n_extra = 0;
    shape.layer.id = PRIOR_ID;
    shape.layer.dropout = 0; /* it decodes */
    shape.n_out = code->n_out;
    ql_gauss_net_declare(&l->prior, &ae->params, "prior", &shape);
}

enum { N_BUFFERS = 4 };

static void list_buffers(ql_ladder *l, int64_t cells, ql_buffer list[N_BUFFERS])
{
    const int64_t units = l->prior.mean.n_out;
    const ql_buffer all[N_BUFFERS] = {QL_BUFFER(l->mean, units * cells),
                                      QL_BUFFER(l->var, units * cells),
                                      QL_BUFFER(l->by_second, l->n_out * cells),
                                      QL_BUFFER(l->by_below, l->top.layer.n_in * cells)};
    memcpy(list, all, sizeof all);
}

int64_t ql_ae_ladder_bytes(const ql_ae *ae, int64_t cells)
{
    ql_ladder copy = ae->ladder;
    ql_buffer list[N_BUFFERS];
    if (copy.n_out == 0) return 0;
    list_buffers(&copy, cells, list);
    return ql_buffers_bytes(list, N_BUFFERS) + ql_gauss_net_bytes(&copy.top, cells) +
           ql_gauss_net_bytes(&copy.prior, cells);
}

ql_status ql_ae_ladder_alloc(ql_ae *ae, ql_err *err)
{
    ql_ladder *l = &ae->ladder;
    ql_buffer list[N_BUFFERS];
    if (l->n_out == 0) return QL_OK;
    list_buffers(l, ae->capacity, list);
    QL_TRY(ql_buffers_alloc(list, N_BUFFERS, "second code", err));
    QL_TRY(ql_gauss_net_alloc(&l->top, ae->capacity, err));
    return ql_gauss_net_alloc(&l->prior, ae->capacity, err);
}

void ql_ae_ladder_free(ql_ae *ae)
{
    ql_ladder *l = &ae->ladder;
    ql_buffer list[N_BUFFERS];
    if (l->n_out == 0) return;
    list_buffers(l, 0, list);
    ql_buffers_free(list, N_BUFFERS);
    ql_gauss_net_free(&l->top);
    ql_gauss_net_free(&l->prior);
}

void ql_ae_ladder_start(ql_ae *ae)
{
    if (ae->ladder.n_out == 0) return;
    ql_gauss_net_init(&ae->ladder.top, &ae->params, ae->cfg.init, 0, ae->cfg.seed);
    ql_gauss_net_init(&ae->ladder.prior, &ae->params, ae->cfg.init, 0, ae->cfg.seed);
}

/* ---- forward ---- */

/* The code's posterior from its own and from what z2 says of it. */
static void combine(ql_ae *ae, const ql_batch *b)
{
    ql_ladder *l = &ae->ladder;
    ql_latent *q = &ae->latent;
    ql_hidden *code = &ae->hidden[ae->center];
    const int64_t size = code->n_out * b->n_pad;
    memcpy(l->mean, q->mean, (size_t)size * sizeof *l->mean);
    memcpy(l->var, q->var, (size_t)size * sizeof *l->var);
    for (int64_t i = 0; i < size; i++) {
        const ql_normal own = {(double)l->mean[i], (double)l->var[i]};
        const ql_normal above = {(double)l->prior.var.mean[i], (double)l->prior.var.var[i]};
        const ql_normal both = ql_combine_normals(own, above);
        q->mean[i] = code->pre[i] = (ql_real)both.mean;
        q->var[i] = (ql_real)both.var;
        q->ln_var[i] = (ql_real)ql_log(both.var);
        code->out[i] = (ql_real)(both.mean + sqrt(both.var) * (double)q->noise[i]);
    }
    for (int64_t u = 0; u < code->n_out; u++)
        for (int64_t j = b->n; j < b->n_pad; j++) code->out[u * b->n_pad + j] = 0;
    ql_transpose(code->n_out, b->n_pad, code->out, b->n_pad, code->out_t, ql_pad(code->n_out));
}

void ql_ae_ladder_forward(ql_ae *ae, const ql_batch *b, const ql_kern *kern, ql_pass pass,
                          const ql_latent_pass *draw)
{
    ql_ladder *l = &ae->ladder;
    if (l->n_out == 0) return;
    ql_gauss_net_forward(&l->top, &ae->params, kern, ql_ae_layer_in(ae, ae->center, b), b->n,
                         b->n_pad, pass, draw);
    ql_gauss_net_forward(&l->prior, &ae->params, kern, l->top.mean.out, b->n, b->n_pad, pass,
                         &(ql_latent_pass){0});
    combine(ae, b);
}

static ql_kl_pair divergence(const ql_ae *ae, int64_t at)
{
    const ql_latent *p = &ae->ladder.prior.var;
    return ql_kl_between((double)ae->latent.mean[at], (double)ae->latent.var[at],
                         (double)p->mean[at], (double)p->var[at]);
}

double ql_ae_code_kl(const ql_ae *ae, int64_t i, double *unit)
{
    const int64_t n_pad = ae->batch[0].n_pad;
    double sum = 0;
    if (ae->ladder.n_out == 0) return ql_latent_cell_kl(&ae->latent, i, n_pad, unit);
    for (int64_t u = 0; u < ae->latent.n_out; u++) {
        const double kl = divergence(ae, u * n_pad + i).kl;
        if (unit) unit[u] = kl;
        sum += kl;
    }
    return sum;
}

double ql_ae_second_kl(const ql_ae *ae, int64_t i, double *unit)
{
    if (ae->ladder.n_out == 0) return 0;
    return ql_latent_cell_kl(&ae->ladder.top.var, i, ae->batch[0].n_pad, unit);
}

ql_normal ql_ae_ladder_above(const ql_ae *ae, int64_t i, int64_t u)
{
    const ql_latent *p = &ae->ladder.prior.var;
    const int64_t at = u * ae->batch[0].n_pad + i;
    return (ql_normal){(double)p->mean[at], (double)p->var[at]};
}

double ql_ae_ladder_log_prior(const ql_ae *ae, int64_t i, const float *z)
{
    double sum = ql_gauss_net_log_ratio(&ae->ladder.top, i, ae->batch[0].n_pad);
    for (int64_t u = 0; u < ae->latent.n_out; u++) {
        const ql_normal p = ql_ae_ladder_above(ae, i, u);
        const double d = (double)z[u] - p.mean;
        sum -= 0.5 * (d * d / p.var + ql_log(p.var));
    }
    return sum;
}

void ql_ae_ladder_prior(ql_ae *ae, const ql_real *z2, int64_t n)
{
    ql_gauss_net_forward(&ae->ladder.prior, &ae->params, ae->kern, z2, n, ql_pad(n), (ql_pass){0},
                         &(ql_latent_pass){0});
}

/* ---- backward ---- */

/* Gradients by m1 and V1, m_p and V_p of one number, from that by z1; w: weight of its divergence.
 * With a = V_q / V1 and b = V_q / V_p. Returns the divergence. */
static double one_gradient(ql_ae *ae, int64_t at, double w)
{
    ql_ladder *l = &ae->ladder;
    const ql_latent *q = &ae->latent, *p = &l->prior.var;
    ql_hidden *code = &ae->hidden[ae->center];
    const double m = (double)q->mean[at], v = (double)q->var[at], by_z = (double)code->grad[at];
    const double v1 = (double)l->var[at], vp = (double)p->var[at], a = v / v1, b = v / vp;
    const ql_kl_pair k = divergence(ae, at);
    const double by_m = by_z + w * k.by_mean;
    const double by_v = by_z * (double)q->noise[at] / (2 * sqrt(v)) + w * k.by_var;
    code->grad[at] = (ql_real)(a * by_m);
    q->grad[at] = (ql_real)(a * a * by_v + by_m * a * (m - (double)l->mean[at]) / v1);
    l->prior.mean.grad[at] = (ql_real)(b * by_m + w * k.by_prior_mean);
    l->prior.var.grad[at] = ql_latent_by_raw(
        p, at, b * b * by_v + by_m * b * (m - (double)p->mean[at]) / vp + w * k.by_prior_var);
    return k.kl;
}

static double first_gradient(ql_ae *ae, const ql_batch *b, double beta)
{
    ql_latent *q = &ae->latent;
    ql_ladder *l = &ae->ladder;
    double loss = 0;
    for (int64_t u = 0; u < q->n_out; u++) {
        for (int64_t i = 0; i < b->n; i++) {
            const double w = beta * (double)b->weight[i];
            loss += w * one_gradient(ae, u * b->n_pad + i, w);
        }
        for (int64_t at = u * b->n_pad + b->n; at < (u + 1) * b->n_pad; at++)
            q->grad[at] = l->prior.mean.grad[at] = l->prior.var.grad[at] = 0;
    }
    /* the slope of V1 by v is its own */
    memcpy(q->var, l->var, (size_t)(q->n_out * b->n_pad) * sizeof *q->var);
    for (int64_t at = 0; at < q->n_out * b->n_pad; at++)
        q->grad[at] = ql_latent_by_raw(q, at, (double)q->grad[at]);
    return loss;
}

static double second_gradient(ql_ae *ae, const ql_batch *b, double beta)
{
    ql_ladder *l = &ae->ladder;
    ql_gauss_net *t = &l->top;
    double loss = 0;
    for (int64_t i = 0; i < b->n; i++)
        loss += beta * (double)b->weight[i] * ql_latent_cell_kl(&t->var, i, b->n_pad, NULL);
    for (int64_t u = 0; u < l->n_out; u++)
        for (int64_t i = 0; i < b->n_pad; i++) {
            const int64_t at = u * b->n_pad + i;
            const double w = i < b->n ? beta * (double)b->weight[i] : 0;
            ql_gauss_net_gradient(t, at, i < b->n ? (double)l->by_second[at] : 0, w);
        }
    return loss;
}

double ql_ae_ladder_gradient(ql_ae *ae, const ql_batch *b, const ql_kern *kern,
                             const ql_opt_step *step)
{
    ql_ladder *l = &ae->ladder;
    const double beta = ql_kl_weight(&ae->cfg.vae.kl, ae->step, b->epoch);
    double loss = first_gradient(ae, b, beta);
    ql_gauss_net_backward(&l->prior, &ae->params, kern, l->top.mean.out_t, l->by_second, b->n,
                          b->n_pad, step);
    loss += second_gradient(ae, b, beta);
    ql_gauss_net_backward(&l->top, &ae->params, kern, ql_ae_layer_in_t(ae, ae->center), l->by_below,
                          b->n, b->n_pad, step);
    return loss;
}

void ql_ae_ladder_add(ql_ae *ae, const ql_batch *b, const ql_kern *kern)
{
    const ql_hidden *t = &ae->ladder.top.layer;
    if (ae->ladder.n_out == 0) return;
    kern->add((t->n_in - t->n_extra) * b->n_pad, ae->ladder.by_below,
              ae->hidden[ae->center - 1].grad);
}
