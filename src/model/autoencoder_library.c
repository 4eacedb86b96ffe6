/* A library size that is drawn: an encoder of its own beside that of the code, on the same input.
 * Its first layer's units are the last ones of the input layer, so that the counts are gone through
 * once. With t the gradient of the loss by ln mu, that by ln library is the sum of t over the
 * genes, which the heads have as the pull of a cell (head_softmax.c). */
#include <math.h>
#include <string.h>

#include "autoencoder_internal.h"
#include "quell/alloc.h"
#include "quell/fmath.h"

#define LEAST_VAR 1e-4 /* of a prior: batches whose cells are alike */
/* Bounds of ln library: no number within them overflows. */
#define LOG_LO -20.0
#define LOG_HI 30.0
/* Number of its dropout masks: behind those of all branches' layers. */
#define LAYER_ID 1000

int64_t ql_ae_library_width(const ql_ae_config *cfg)
{
    return cfg->vae.on && cfg->vae.latent_library ? cfg->hidden[0] : 0;
}

/* Levels of the first covariate if it is a category, and one more. */
static int64_t groups_of(const ql_cov_shape *s)
{
    return (s->n > 0 ? s->n_levels[0] : 0) + 1;
}

int64_t ql_ae_library_group(const ql_ae *ae, const float *row)
{
    const int64_t last = ae->library.n_groups - 1;
    if (last == 0 || !(row[0] >= 0) || row[0] >= (float)last) return last;
    return (int64_t)row[0];
}

void ql_ae_library_declare(ql_ae *ae)
{
    ql_library_encoder *l = &ae->library;
    const int64_t width = ql_ae_library_width(&ae->cfg);
    if (width == 0) return;
    ql_gauss_shape shape = {.layer = ae->hidden[0], .n_out = 1, .stream = QL_RNG_LIBRARY};
    shape.layer.id = LAYER_ID;
    ql_gauss_net_declare(&l->net, &ae->params, "library", &shape);
    l->n_groups = groups_of(&ae->cfg.vae.cov);
    l->prior = ql_params_add(&ae->params, "library_prior", 2, l->n_groups, false);
    l->total = -1;
    if (ae->cfg.vae.library_sees_total)
        l->total = ql_params_add(&ae->params, "library_total/weight", 1, width, true);
}

int64_t ql_ae_library_bytes(const ql_ae *ae, int64_t cells)
{
    const int64_t units = ql_pad(ae->input.n_out), real = (int64_t)sizeof(ql_real);
    if (ae->library.n_groups == 0) return 0;
    return ql_gauss_net_bytes(&ae->library.net, cells) + cells * (int64_t)sizeof(int64_t) +
           (2 * cells + (cells + 1) * units) * real;
}

ql_status ql_ae_library_alloc(ql_ae *ae, ql_err *err)
{
    ql_library_encoder *l = &ae->library;
    const int64_t units = ql_pad(ae->input.n_out);
    if (l->n_groups == 0) return QL_OK;
    QL_TRY(ql_gauss_net_alloc(&l->net, ae->capacity, err));
    QL_TRY(QL_NEW(l->group, ae->capacity, "library sizes", err));
    QL_TRY(QL_NEW(l->log_total, ae->capacity, "library sizes", err));
    QL_TRY(QL_NEW(l->observed, ae->capacity, "library sizes", err));
    QL_TRY(QL_NEW(l->grad_t, ae->capacity * units, "library sizes", err));
    return QL_NEW(l->grad_sum, units, "library sizes", err);
}

void ql_ae_library_free(ql_ae *ae)
{
    ql_library_encoder *l = &ae->library;
    if (l->n_groups == 0) return;
    ql_gauss_net_free(&l->net);
    ql_free(l->group);
    ql_free(l->log_total);
    ql_free(l->observed);
    ql_free(l->grad_t);
    ql_free(l->grad_sum);
}

static ql_real *prior_of(const ql_ae *ae, bool variances)
{
    const ql_tensor *t = &ae->params.tensor[ae->library.prior];
    return ae->params.w + t->offset + (variances ? t->ld : 0);
}

void ql_ae_library_set_prior(ql_ae *ae, const double *mean, const double *var, bool begin)
{
    const ql_gauss_net *g = &ae->library.net;
    const int64_t n = ae->library.n_groups;
    ql_real *m = prior_of(ae, false), *v = prior_of(ae, true);
    for (int64_t k = 0; k < n; k++) {
        m[k] = (ql_real)mean[k];
        v[k] = (ql_real)(var[k] > LEAST_VAR ? var[k] : LEAST_VAR);
    }
    if (!begin) return;
    ql_param(&ae->params, g->mean.bias)[0] = m[n - 1];
    ql_param(&ae->params, g->var.bias)[0] = (ql_real)ql_log((double)v[n - 1]);
}

void ql_ae_library_start(ql_ae *ae, int64_t fan_in)
{
    ql_library_encoder *l = &ae->library;
    if (l->n_groups == 0) return;
    ql_gauss_net_init(&l->net, &ae->params, ae->cfg.init, fan_in, ae->cfg.seed);
    if (l->total >= 0)
        ql_params_init(&ae->params, l->total, ae->cfg.init, fan_in, l->net.layer.n_out,
                       ae->cfg.seed);
    for (int64_t k = 0; k < l->n_groups; k++) prior_of(ae, true)[k] = 1;
}

/* ---- forward ---- */

static void look_up_groups(ql_ae *ae, const ql_batch *b, const ql_batch_source *source)
{
    const ql_cov_values *v = source->cov ? source->cov : &ae->cov;
    const int64_t width = ql_cov_width(&ae->cfg.vae.cov);
    for (int64_t i = 0; i < b->n; i++) {
        float row[QL_COV_MOST] = {-1};
        if (v->value || v->fixed) ql_cov_row(v, width, b->cell[i], row);
        ae->library.group[i] = ql_ae_library_group(ae, row);
    }
}

/* What the first layer sees beside the genes: covariates, the molecules. */
static void add_covariates(ql_ae *ae, const ql_batch *b)
{
    const int64_t columns = ql_cov_columns(&ae->cfg.vae.cov), ld = ql_pad(columns);
    ql_hidden *h = &ae->library.net.layer;
    if (ae->input_cov < 0) return;
    ae->kern->gemm(&(ql_gemm){.m = h->n_out,
                              .n = b->n_pad,
                              .p = columns,
                              .a = ql_param(&ae->params, ae->input_cov) + ae->hidden[0].n_out * ld,
                              .a_row = ld,
                              .a_col = 1,
                              .b = ae->cov_in,
                              .ldb = b->n_pad,
                              .c = h->pre,
                              .ldc = b->n_pad,
                              .start = QL_FROM_C});
}

static void add_total(ql_ae *ae, const ql_batch *b)
{
    ql_library_encoder *l = &ae->library;
    const int64_t last = l->n_groups - 1;
    const double mean = (double)prior_of(ae, false)[last];
    const double sd = sqrt((double)prior_of(ae, true)[last]);
    if (l->total < 0) return;
    for (int64_t i = 0; i < b->n; i++)
        l->log_total[i] = (ql_real)((ql_log(b->total[i] > 1 ? b->total[i] : 1) - mean) / sd);
    for (int64_t u = 0; u < l->net.layer.n_out; u++)
        for (int64_t i = 0; i < b->n; i++)
            l->net.layer.pre[u * b->n_pad + i] +=
                ql_param(&ae->params, l->total)[u] * l->log_total[i];
}

static bool is_inside(double log_library)
{
    return log_library >= LOG_LO && log_library <= LOG_HI;
}

/* exp(l), for targets of another depth than the input so many times it. */
static void take_library(ql_ae *ae, const ql_batch *b)
{
    const ql_library_encoder *l = &ae->library;
    for (int64_t i = 0; i < b->n; i++) {
        const double raw = (double)l->net.mean.out[i];
        const double drawn = ql_exp(raw < LOG_LO ? LOG_LO : raw > LOG_HI ? LOG_HI : raw);
        l->observed[i] = b->library[i];
        if (b->total[i] > 0) b->library[i] = (ql_real)(drawn * (double)b->library[i] / b->total[i]);
    }
}

void ql_ae_library_forward(ql_ae *ae, const ql_batch *b, const ql_batch_source *source,
                           const ql_kern *kern, ql_pass pass)
{
    ql_library_encoder *l = &ae->library;
    const ql_latent_pass draw = {.draw = pass.training || source->draw,
                                 .seed = pass.training ? pass.seed : source->seed,
                                 .step =
                                     pass.training ? pass.step : QL_INFERENCE_STEP + source->epoch,
                                 .cell = b->row};
    if (l->n_groups == 0) return;
    look_up_groups(ae, b, source);
    ql_input_finish_beside(&ae->input, b, ql_param(&ae->params, l->net.layer.bias),
                           l->net.layer.pre);
    add_covariates(ae, b);
    add_total(ae, b);
    ql_gauss_net_forward(&l->net, &ae->params, kern, NULL, b->n, b->n_pad, pass, &draw);
    if (source->library)
        memcpy(l->observed, b->library, (size_t)b->n * sizeof *l->observed);
    else
        take_library(ae, b);
}

void ql_ae_library_observe(ql_ae *ae)
{
    const ql_batch *b = &ae->batch[0];
    if (!b->code) memcpy(b->library, ae->library.observed, (size_t)b->n * sizeof *b->library);
}

ql_ae_library ql_ae_library_of(const ql_ae *ae, int64_t i)
{
    const ql_library_encoder *l = &ae->library;
    return (ql_ae_library){.mean = (double)l->net.var.mean[i],
                           .var = (double)l->net.var.var[i],
                           .prior_mean = (double)prior_of(ae, false)[l->group[i]],
                           .prior_var = (double)prior_of(ae, true)[l->group[i]]};
}

static ql_kl_pair divergence(const ql_ae *ae, int64_t i)
{
    const ql_ae_library l = ql_ae_library_of(ae, i);
    return ql_kl_between(l.mean, l.var, l.prior_mean, l.prior_var);
}

double ql_ae_library_kl(const ql_ae *ae, int64_t i)
{
    return ae->library.n_groups > 0 ? divergence(ae, i).kl : 0;
}

/* ---- backward ---- */

/* Gradients by m and v of all cells; returns the divergence, weighed by the cells. */
static double posterior_gradient(ql_ae *ae, const ql_batch *b)
{
    ql_gauss_net *g = &ae->library.net;
    const ql_real *pull = ae->heads.pull + ae->heads.capacity * ae->heads.tiling.n_strips;
    double loss = 0;
    for (int64_t i = 0; i < b->n_pad; i++) g->mean.grad[i] = g->var.grad[i] = 0;
    for (int64_t i = 0; i < b->n; i++) {
        const double w = (double)b->weight[i];
        const bool counts = is_inside((double)g->mean.out[i]) && b->total[i] > 0;
        const double by_log = counts ? (double)pull[i] : 0;
        const double path = (double)g->var.noise[i] / (2 * sqrt((double)g->var.var[i]));
        const ql_kl_pair k = divergence(ae, i);
        loss += w * k.kl;
        g->mean.grad[i] = (ql_real)(by_log + w * k.by_mean);
        g->var.grad[i] = ql_latent_by_raw(&g->var, i, by_log * path + w * k.by_var);
    }
    return loss;
}

static void covariates_backward(ql_ae *ae, const ql_batch *b)
{
    const int64_t ld = ql_pad(ql_cov_columns(&ae->cfg.vae.cov));
    const ql_hidden *h = &ae->library.net.layer;
    if (ae->input_cov < 0) return;
    ae->kern->gemm(&(ql_gemm){.m = h->n_out,
                              .n = ld,
                              .p = b->n,
                              .a = h->grad,
                              .a_row = b->n_pad,
                              .a_col = 1,
                              .b = ae->cov_in_t,
                              .ldb = ld,
                              .c = ae->cov_dw + ae->hidden[0].n_out * ld,
                              .ldc = ld});
}

static void total_backward(ql_ae *ae, const ql_batch *b, const ql_opt_step *step)
{
    ql_library_encoder *l = &ae->library;
    const ql_hidden *h = &l->net.layer;
    if (l->total < 0) return;
    memset(l->grad_sum, 0, (size_t)ql_pad(h->n_out) * sizeof *l->grad_sum);
    for (int64_t u = 0; u < h->n_out; u++) {
        double sum = 0;
        for (int64_t i = 0; i < b->n; i++)
            sum += (double)h->grad[u * b->n_pad + i] * (double)l->log_total[i];
        l->grad_sum[u] = (ql_real)sum;
    }
    ql_params_update(&ae->params, l->total, 0, 1, l->grad_sum, step);
}

double ql_ae_library_backward(ql_ae *ae, const ql_batch *b, const ql_kern *kern,
                              const ql_opt_step *step)
{
    ql_library_encoder *l = &ae->library;
    if (l->n_groups == 0) return 0;
    const double loss = posterior_gradient(ae, b);
    ql_gauss_net_backward(&l->net, &ae->params, kern, NULL, NULL, b->n, b->n_pad, step);
    covariates_backward(ae, b);
    total_backward(ae, b, step);
    return loss;
}

void ql_ae_library_join(ql_ae *ae, const ql_batch *b)
{
    ql_library_encoder *l = &ae->library;
    const ql_hidden *side[] = {&ae->hidden[0], &l->net.layer};
    const int64_t units = ql_pad(ae->input.n_out);
    if (l->n_groups == 0) return;
    memset(l->grad_sum, 0, (size_t)units * sizeof *l->grad_sum);
    memset(l->grad_t, 0, (size_t)(b->n * units) * sizeof *l->grad_t);
    for (int64_t k = 0, first = 0; k < 2; first += side[k++]->n_out) {
        memcpy(l->grad_sum + first, side[k]->db, (size_t)side[k]->n_out * sizeof *l->grad_sum);
        for (int64_t i = 0; i < b->n; i++)
            for (int64_t u = 0; u < side[k]->n_out; u++)
                l->grad_t[i * units + first + u] = side[k]->grad[u * b->n_pad + i];
    }
}
