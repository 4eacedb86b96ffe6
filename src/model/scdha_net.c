#include "quell/scdha_net.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "quell/activation.h"
#include "quell/alloc.h"
#include "quell/init.h"
#include "quell/rng.h"
#include "quell/transpose.h"
#include "scdha_step.h"

#define BN_MOMENTUM 0.01 /* share of a batch in the running statistics */

/* Arrays of cells, and their gradients by_...; all [capacity, ld] or [capacity, ldl]. */
struct ql_scdha_work {
    int64_t capacity;
    ql_real *block; /* all of it; owned */
    /* [capacity, ld] */
    ql_real *before, *e, *norm, *by_e, *pre, *h, *by_h;
    /* [capacity, ldl] */
    ql_real *mu, *by_mu, *logit, *var, *sd, *by_var, *by_z, *spare;
    ql_real *z[QL_SCDHA_DECODERS], *xi[QL_SCDHA_DECODERS];
    ql_real *mean, *inv; /* [ld] of batch norm */
    ql_real *turned;     /* [ld, ld]: a transposed matrix */
    ql_wide_work wide;
};

enum { N_WIDE = 7, N_LATENT = 8 + 2 * QL_SCDHA_DECODERS };

/* ---- made and freed ---- */

static int add_matrix(ql_params *p, const char *name, int64_t rows, int64_t cols)
{
    return ql_params_add(p, name, rows, cols, true);
}

static int add_decoder_tensor(ql_params *p, int j, const char *what, int64_t rows, int64_t cols,
                              bool of_genes)
{
    char name[32];
    snprintf(name, sizeof name, "decoder%d/%s", j + 1, what);
    return of_genes ? scdha_gene_rows(p, name, rows, cols) : add_matrix(p, name, rows, cols);
}

static void declare(const ql_scdha_net_config *c, ql_scdha_net *net)
{
    ql_params *p = &net->params;
    ql_scdha_tensors *t = &net->t;
    *net = (ql_scdha_net){.cfg = *c, .ld = ql_pad(c->hidden), .ldl = ql_pad(c->latent)};
    t->in_weight = scdha_gene_rows(p, "encoder/weight", c->n_genes, c->hidden);
    t->in_bias = add_matrix(p, "encoder/bias", 1, c->hidden);
    t->gamma = add_matrix(p, "encoder/gamma", 1, c->hidden);
    t->shift = add_matrix(p, "encoder/beta", 1, c->hidden);
    t->mu_weight = add_matrix(p, "mu/weight", c->hidden, c->latent);
    t->mu_bias = add_matrix(p, "mu/bias", 1, c->latent);
    t->var_weight = add_matrix(p, "var/weight", c->hidden, c->latent);
    t->var_bias = add_matrix(p, "var/bias", 1, c->latent);
    for (int j = 0; j < QL_SCDHA_DECODERS; j++) {
        t->decoder[j].weight = add_decoder_tensor(p, j, "weight", c->latent, c->hidden, false);
        t->decoder[j].bias = add_decoder_tensor(p, j, "bias", 1, c->hidden, false);
        t->decoder[j].out_weight =
            add_decoder_tensor(p, j, "out/weight", c->n_genes, c->hidden, true);
        t->decoder[j].out_bias = add_decoder_tensor(p, j, "out/bias", 1, c->n_genes, false);
    }
}

static int64_t work_numbers(const ql_scdha_net *net, int64_t capacity)
{
    return capacity * (N_WIDE * net->ld + N_LATENT * net->ldl) + 2 * net->ld + net->ld * net->ld +
           net->ldl * net->ld;
}

int64_t ql_scdha_net_bytes(const ql_scdha_net_config *cfg, int64_t capacity)
{
    ql_scdha_net net;
    declare(cfg, &net);
    return ql_params_bytes(&net.params, 3) + ql_wide_work_bytes(capacity, net.ld) +
           (work_numbers(&net, capacity) + 2 * net.ld) * (int64_t)sizeof(ql_real);
}

static ql_status work_new(ql_scdha_net *net, int64_t capacity, ql_err *err)
{
    QL_TRY(QL_NEW(net->work, 1, "work space", err));
    ql_scdha_work *w = net->work;
    w->capacity = capacity;
    QL_TRY(QL_NEW(w->block, work_numbers(net, capacity), "work space", err));
    ql_real *at = w->block;
    ql_real **const wide[N_WIDE] = {&w->before, &w->e, &w->norm, &w->by_e,
                                    &w->pre,    &w->h, &w->by_h};
    ql_real **const latent[N_LATENT] = {&w->mu,   &w->by_mu,  &w->logit, &w->var,
                                        &w->sd,   &w->by_var, &w->by_z,  &w->spare,
                                        &w->z[0], &w->z[1],   &w->xi[0], &w->xi[1]};
    for (int i = 0; i < N_WIDE; i++, at += capacity * net->ld) *wide[i] = at;
    for (int i = 0; i < N_LATENT; i++, at += capacity * net->ldl) *latent[i] = at;
    w->mean = at;
    w->inv = at + net->ld;
    w->turned = at + 2 * net->ld;
    return ql_wide_work_new(&w->wide, capacity, net->ld, err);
}

static void init_weights(ql_scdha_net *net)
{
    const ql_scdha_net_config *c = &net->cfg;
    const ql_scdha_tensors *t = &net->t;
    ql_params *p = &net->params;
    ql_params_init(p, t->in_weight, NULL, c->n_genes, c->hidden, c->seed);
    ql_params_init(p, t->mu_weight, NULL, c->hidden, c->latent, c->seed);
    ql_params_init(p, t->var_weight, NULL, c->hidden, c->latent, c->seed);
    for (int j = 0; j < QL_SCDHA_DECODERS; j++) {
        ql_params_init(p, t->decoder[j].weight, NULL, c->latent, c->hidden, c->seed);
        ql_params_init(p, t->decoder[j].out_weight, NULL, c->hidden, c->n_genes, c->seed);
    }
    for (int64_t k = 0; k < c->hidden; k++) ql_param(p, t->gamma)[k] = net->moving_var[k] = 1;
}

static ql_status alloc_all(ql_scdha_net *net, int64_t capacity, ql_err *err)
{
    QL_TRY(ql_params_alloc(&net->params, 2, err));
    QL_TRY(QL_NEW(net->grad, net->params.size, "gradients", err));
    QL_TRY(QL_NEW(net->moving_mean, net->ld, "batch norm", err));
    QL_TRY(QL_NEW(net->moving_var, net->ld, "batch norm", err));
    return work_new(net, capacity, err);
}

ql_status ql_scdha_net_new(const ql_scdha_net_config *cfg, int64_t capacity, const ql_kern *kern,
                           ql_scdha_net *net, ql_err *err)
{
    declare(cfg, net);
    net->kern = kern;
    ql_status st = alloc_all(net, capacity, err);
    if (st != QL_OK) {
        ql_scdha_net_free(net);
        return st;
    }
    init_weights(net);
    scdha_step_start(&net->opt, kern, cfg->rate, cfg->weight_decay);
    return QL_OK;
}

void ql_scdha_net_free(ql_scdha_net *net)
{
    ql_params_free(&net->params);
    ql_free(net->grad);
    ql_free(net->moving_mean);
    ql_free(net->moving_var);
    if (net->work) {
        ql_free(net->work->block);
        ql_wide_work_free(&net->work->wide);
    }
    ql_free(net->work);
    *net = (ql_scdha_net){0};
}

void ql_scdha_net_restart(ql_scdha_net *net)
{
    const size_t bytes = (size_t)net->params.size * sizeof(ql_real);
    memset(net->params.m, 0, bytes);
    memset(net->params.v, 0, bytes);
    scdha_step_start(&net->opt, net->kern, net->cfg.rate, net->cfg.weight_decay);
}

/* ---- small products ---- */

static ql_real *weight_of(const ql_scdha_net *net, int tensor)
{
    return ql_param(&net->params, tensor);
}

static ql_real *grad_of(const ql_scdha_net *net, int tensor)
{
    return net->grad + net->params.tensor[tensor].offset;
}

/* A dense layer between x [n, ldx] and y [n, ldy]. */
typedef struct {
    int64_t n, in, ldx, out, ldy;
    int weight, bias;
} layer;

static void layer_forward(const ql_scdha_net *net, layer l, const ql_real *x, ql_real *y)
{
    const ql_real *bias = weight_of(net, l.bias);
    for (int64_t i = 0; i < l.n; i++) memcpy(y + i * l.ldy, bias, (size_t)l.ldy * sizeof *y);
    net->kern->gemm(&(ql_gemm){.m = l.n,
                               .n = l.ldy,
                               .p = l.in,
                               .a = x,
                               .a_row = l.ldx,
                               .a_col = 1,
                               .b = weight_of(net, l.weight),
                               .ldb = l.ldy,
                               .c = y,
                               .ldc = l.ldy,
                               .start = QL_FROM_C});
}

/* Gradients of the layer from by_y, and by_x, which is added to with start QL_FROM_C. */
static void layer_back(const ql_scdha_net *net, layer l, const ql_real *x, const ql_real *by_y,
                       ql_real *by_x, ql_gemm_start start)
{
    ql_real *by_bias = grad_of(net, l.bias);
    net->kern->gemm(&(ql_gemm){.m = l.in,
                               .n = l.ldy,
                               .p = l.n,
                               .a = x,
                               .a_row = 1,
                               .a_col = l.ldx,
                               .b = by_y,
                               .ldb = l.ldy,
                               .c = grad_of(net, l.weight),
                               .ldc = l.ldy,
                               .start = QL_FROM_ZERO});
    memset(by_bias, 0, (size_t)l.ldy * sizeof *by_bias);
    for (int64_t i = 0; i < l.n; i++) net->kern->add(l.ldy, by_y + i * l.ldy, by_bias);
    ql_real *turned = net->work->turned; /* [out, ldx] */
    ql_transpose(l.in, l.out, weight_of(net, l.weight), l.ldy, turned, l.ldx);
    net->kern->gemm(&(ql_gemm){.m = l.n,
                               .n = l.ldx,
                               .p = l.out,
                               .a = by_y,
                               .a_row = l.ldy,
                               .a_col = 1,
                               .b = turned,
                               .ldb = l.ldx,
                               .c = by_x,
                               .ldc = l.ldx,
                               .start = start});
}

static layer head_layer(const ql_scdha_net *net, int64_t n, int weight, int bias)
{
    return (layer){n, net->cfg.hidden, net->ld, net->cfg.latent, net->ldl, weight, bias};
}

static layer decoder_layer(const ql_scdha_net *net, int64_t n, int j)
{
    return (layer){n,
                   net->cfg.latent,
                   net->ldl,
                   net->cfg.hidden,
                   net->ld,
                   net->t.decoder[j].weight,
                   net->t.decoder[j].bias};
}

/* ---- the encoder ---- */

static void batch_statistics(const ql_scdha_net *net, int64_t n)
{
    ql_scdha_work *w = net->work;
    const ql_real share = 1 / (ql_real)n;
    memset(w->mean, 0, (size_t)net->ld * sizeof *w->mean);
    for (int64_t i = 0; i < n; i++) net->kern->add(net->ld, w->before + i * net->ld, w->mean);
    for (int64_t k = 0; k < net->ld; k++) {
        w->mean[k] *= share;
        w->inv[k] = 0;
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < net->ld; k++) {
            const ql_real d = w->before[i * net->ld + k] - w->mean[k];
            w->inv[k] += d * d;
        }
    for (int64_t k = 0; k < net->ld; k++) w->inv[k] *= share; /* the variance, for now */
}

static void norm_forward(ql_scdha_net *net, int64_t n)
{
    ql_scdha_work *w = net->work;
    const ql_real *gamma = weight_of(net, net->t.gamma), *beta = weight_of(net, net->t.shift);
    const ql_real take = (ql_real)BN_MOMENTUM, keep = 1 - take;
    batch_statistics(net, n);
    for (int64_t k = 0; k < net->ld; k++) {
        const ql_real unbiased = n > 1 ? w->inv[k] * (ql_real)n / (ql_real)(n - 1) : w->inv[k];
        net->moving_mean[k] = keep * net->moving_mean[k] + take * w->mean[k];
        net->moving_var[k] = keep * net->moving_var[k] + take * unbiased;
        w->inv[k] = (ql_real)(1 / sqrt((double)w->inv[k] + QL_SCDHA_BN_EPS));
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0, at = i * net->ld; k < net->ld; k++, at++) {
            w->norm[at] = (w->before[at] - w->mean[k]) * w->inv[k];
            w->e[at] = gamma[k] * w->norm[at] + beta[k];
        }
}

static void encode(ql_scdha_net *net, const ql_wide_batch *x)
{
    ql_scdha_work *w = net->work;
    const ql_scdha_tensors *t = &net->t;
    ql_wide_in(net->kern, x, weight_of(net, t->in_weight), weight_of(net, t->in_bias), net->ld,
               w->before);
    if (net->cfg.batch_norm)
        norm_forward(net, x->n);
    else
        ql_activation_find("selu")->forward(net->kern, 0, x->n * net->ld, w->before, w->e);
    layer_forward(net, head_layer(net, x->n, t->mu_weight, t->mu_bias), w->e, w->mu);
    layer_forward(net, head_layer(net, x->n, t->var_weight, t->var_bias), w->e, w->logit);
}

/* var = softmax(logit) over the latent units, sd its root; pads are 0. */
static void softmax(const ql_scdha_net *net, int64_t n)
{
    ql_scdha_work *w = net->work;
    const int64_t latent = net->cfg.latent, ldl = net->ldl;
    for (int64_t i = 0; i < n; i++) {
        const ql_real *u = w->logit + i * ldl;
        ql_real *var = w->var + i * ldl, most = u[0], sum = 0;
        for (int64_t k = 1; k < latent; k++) most = u[k] > most ? u[k] : most;
        for (int64_t k = 0; k < latent; k++) var[k] = u[k] - most;
        for (int64_t k = latent; k < ldl; k++) var[k] = 0;
        net->kern->exp(ldl, var, var);
        for (int64_t k = 0; k < latent; k++) sum += var[k];
        for (int64_t k = 0; k < ldl; k++) var[k] = k < latent ? var[k] / sum : 0;
        for (int64_t k = 0; k < ldl; k++) w->sd[i * ldl + k] = (ql_real)sqrt((double)var[k]);
    }
}

/* ---- the noise ---- */

static void draw(const ql_scdha_net *net, int j, int64_t cell, ql_real *xi)
{
    ql_rng rng = ql_rng_start(net->cfg.seed, QL_RNG_SCDHA_LATENT, net->step,
                              2 * (uint64_t)cell + (uint64_t)j);
    for (int64_t k = 0; k < net->cfg.latent; k++) xi[k] = (ql_real)ql_rng_normal(ql_rng_word(&rng));
}

static void sample(const ql_scdha_net *net, int64_t n)
{
    ql_scdha_work *w = net->work;
    const int64_t ldl = net->ldl;
    const ql_real noise = (ql_real)net->cfg.noise;
    for (int j = 0; j < QL_SCDHA_DECODERS; j++) {
        draw(net, j, 0, w->xi[j]);
        for (int64_t i = 0; i < n; i++) {
            ql_real *xi = w->xi[j] + i * ldl, *z = w->z[j] + i * ldl;
            if (net->cfg.cell_noise)
                draw(net, j, i, xi);
            else if (i > 0)
                memcpy(xi, w->xi[j], (size_t)ldl * sizeof *xi);
            for (int64_t k = 0; k < ldl; k++)
                z[k] = w->mu[i * ldl + k] + noise * w->sd[i * ldl + k] * xi[k];
        }
    }
}

/* ---- the loss ---- */

/* Decoder j on its draw: returns the sum of errors, and puts the gradient by z into w->by_z. */
static double decode(ql_scdha_net *net, const ql_wide_batch *x, int j, ql_scdha_phase phase)
{
    ql_scdha_work *w = net->work;
    const ql_activation *selu = ql_activation_find("selu");
    const int64_t n = x->n, d = net->cfg.n_genes;
    const layer l = decoder_layer(net, n, j);
    const double entries = (double)n * (double)d;
    layer_forward(net, l, w->z[j], w->pre);
    selu->forward(net->kern, 0, n * net->ld, w->pre, w->h);
    const ql_wide_out out = {.kern = net->kern,
                             .target = x,
                             .n_genes = d,
                             .width = net->cfg.hidden,
                             .ld = net->ld,
                             .weight = weight_of(net, net->t.decoder[j].out_weight),
                             .bias = weight_of(net, net->t.decoder[j].out_bias),
                             .h = w->h,
                             .absolute = phase == QL_SCDHA_WARM_UP,
                             .scale = (phase == QL_SCDHA_WARM_UP ? 1 : net->cfg.beta) / entries,
                             .by_weight = grad_of(net, net->t.decoder[j].out_weight),
                             .by_bias = grad_of(net, net->t.decoder[j].out_bias),
                             .by_h = w->by_h};
    const double sum = ql_wide_out_run(&out, &w->wide);
    selu->backward(net->kern, 0, n * net->ld, w->pre, w->h, w->by_h);
    layer_back(net, l, w->z[j], w->by_h, w->by_z, QL_FROM_ZERO);
    return out.scale * sum;
}

/* What a draw's gradient says of mu and of var. */
static void collect(const ql_scdha_net *net, int64_t n, int j)
{
    ql_scdha_work *w = net->work;
    const ql_real half = (ql_real)(net->cfg.noise / 2);
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0, at = i * net->ldl; k < net->cfg.latent; k++, at++) {
            w->by_mu[at] += w->by_z[at];
            w->by_var[at] += w->by_z[at] * half * w->xi[j][at] / w->sd[at];
        }
}

/* The divergence of both terms, 2 mean over cells of -mean over units of (1 + ln var - mu^2 - var)
 * / 2; adds its gradient by mu. That by the logits, (var - 1/L) / cells, comes with theirs. */
static double diverge(const ql_scdha_net *net, int64_t n)
{
    ql_scdha_work *w = net->work;
    const int64_t latent = net->cfg.latent, ldl = net->ldl;
    const ql_real share = (ql_real)(2.0 / (double)(n * latent));
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        ql_real *ln = w->spare;
        for (int64_t k = 0; k < ldl; k++) ln[k] = k < latent ? w->var[i * ldl + k] : 1;
        net->kern->log(ldl, ln, ln);
        for (int64_t k = 0; k < latent; k++) {
            const ql_real mu = w->mu[i * ldl + k];
            sum -= (double)(1 + ln[k] - mu * mu - w->var[i * ldl + k]);
            w->by_mu[i * ldl + k] += share * mu;
        }
    }
    return sum / (double)(n * latent);
}

/* by_var becomes the gradient by the logits. */
static void logits_back(const ql_scdha_net *net, int64_t n, bool divergence)
{
    ql_scdha_work *w = net->work;
    const int64_t latent = net->cfg.latent, ldl = net->ldl;
    const ql_real even = 1 / (ql_real)latent, share = 1 / (ql_real)n;
    for (int64_t i = 0; i < n; i++) {
        const ql_real *var = w->var + i * ldl;
        ql_real *g = w->by_var + i * ldl, mean = 0;
        for (int64_t k = 0; k < latent; k++) mean += var[k] * g[k];
        for (int64_t k = 0; k < latent; k++) {
            g[k] = var[k] * (g[k] - mean);
            if (divergence) g[k] += (var[k] - even) * share;
        }
    }
}

/* ---- back through the encoder ---- */

/* by_e becomes the gradient before batch norm. */
static void norm_back(const ql_scdha_net *net, int64_t n)
{
    ql_scdha_work *w = net->work;
    const int64_t ld = net->ld;
    const ql_real *gamma = weight_of(net, net->t.gamma);
    ql_real *by_gamma = grad_of(net, net->t.gamma), *by_beta = grad_of(net, net->t.shift);
    const ql_real share = 1 / (ql_real)n;
    memset(by_gamma, 0, (size_t)ld * sizeof *by_gamma);
    memset(by_beta, 0, (size_t)ld * sizeof *by_beta);
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0, at = i * ld; k < ld; k++, at++) {
            by_gamma[k] += w->by_e[at] * w->norm[at];
            by_beta[k] += w->by_e[at];
        }
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0, at = i * ld; k < ld; k++, at++)
            w->by_e[at] = gamma[k] * w->inv[k] *
                          (w->by_e[at] - share * by_beta[k] - w->norm[at] * share * by_gamma[k]);
}

static void encode_back(ql_scdha_net *net, const ql_wide_batch *x)
{
    ql_scdha_work *w = net->work;
    const ql_scdha_tensors *t = &net->t;
    layer_back(net, head_layer(net, x->n, t->mu_weight, t->mu_bias), w->e, w->by_mu, w->by_e,
               QL_FROM_ZERO);
    layer_back(net, head_layer(net, x->n, t->var_weight, t->var_bias), w->e, w->by_var, w->by_e,
               QL_FROM_C);
    if (net->cfg.batch_norm)
        norm_back(net, x->n);
    else
        ql_activation_find("selu")->backward(net->kern, 0, x->n * net->ld, w->before, w->e,
                                             w->by_e);
    ql_wide_in_back(net->kern, x, w->by_e, net->cfg.n_genes, net->ld, grad_of(net, t->in_weight),
                    grad_of(net, t->in_bias));
    /* batch norm takes off what a bias adds: its gradient is 0, and AdamW would walk by what
     * rounding leaves of it */
    if (net->cfg.batch_norm)
        memset(grad_of(net, t->in_bias), 0, (size_t)net->ld * sizeof *net->grad);
}

double ql_scdha_net_loss(ql_scdha_net *net, const ql_wide_batch *x, ql_scdha_phase phase)
{
    ql_scdha_work *w = net->work;
    const size_t bytes = (size_t)(x->n * net->ldl) * sizeof(ql_real);
    double loss = 0;
    encode(net, x);
    softmax(net, x->n);
    sample(net, x->n);
    memset(w->by_mu, 0, bytes);
    memset(w->by_var, 0, bytes);
    for (int j = 0; j < QL_SCDHA_DECODERS; j++) {
        loss += decode(net, x, j, phase);
        collect(net, x->n, j);
    }
    if (phase == QL_SCDHA_MAIN) loss += diverge(net, x->n);
    logits_back(net, x->n, phase == QL_SCDHA_MAIN);
    encode_back(net, x);
    return loss;
}

bool ql_scdha_net_step(ql_scdha_net *net, const ql_wide_batch *x, ql_scdha_phase phase,
                       double *loss)
{
    *loss = ql_scdha_net_loss(net, x, phase);
    net->step++;
    return scdha_step(&net->opt, &net->params, net->grad, net->params.size);
}

ql_scdha_latent ql_scdha_net_latent(const ql_scdha_net *net, int64_t i, int j)
{
    const ql_scdha_work *w = net->work;
    return (ql_scdha_latent){w->mu + i * net->ldl, w->var + i * net->ldl, w->z[j] + i * net->ldl};
}
