/* What a variational autoencoder has beside the others: a code that is drawn, covariates that
 * layers see beside their input, dispersions of groups of cells (docs/vae.md). */
#include <string.h>

#include "quell/buffers.h"
#include "autoencoder_internal.h"

/* ---- layers ---- */

static bool sees_covariates(const ql_ae_config *cfg, int i, int n_hidden)
{
    const int center = cfg->n_hidden / 2;
    if (!cfg->vae.on || i == 0) return false;
    if (i < center) return cfg->vae.encode_covariates && !cfg->vae.shallow;
    if (i == n_hidden && center < n_hidden - 1) return false; /* heads behind hidden layers */
    return i == center + 1 || (i > center && !cfg->vae.shallow);
}

int64_t ql_ae_extra(const ql_ae *ae, int i)
{
    if (!sees_covariates(&ae->cfg, i, ae->n_hidden)) return 0;
    return ql_cov_columns(&ae->cfg.vae.cov);
}

/* Unlabelled cells are a group of their own. */
int64_t ql_ae_groups(const ql_ae_config *cfg)
{
    const ql_vae_config *v = &cfg->vae;
    if (cfg->likelihood->heads.kind[QL_HEAD_DISP] != QL_KIND_GROUP) return 0;
    if (v->group_by_label) return v->cov.n_labels + 1;
    return v->cov.n > 0 ? v->cov.n_levels[0] : 0;
}

static void declare_labels(ql_ae *ae)
{
    const ql_ae_config *cfg = &ae->cfg;
    if (!(cfg->label_weight > 0) || cfg->vae.cov.n_labels == 0 || cfg->stage > 0) return;
    ae->labels =
        (ql_label_head){.n_in = cfg->hidden[ae->center], .n_labels = cfg->vae.cov.n_labels};
    if (cfg->vae.on && cfg->vae.scanvi) ql_ae_scanvi_declare(ae);
    ql_label_declare(&ae->labels, &ae->params);
}

void ql_ae_variational_declare(ql_ae *ae)
{
    const ql_ae_config *cfg = &ae->cfg;
    const int64_t columns = ql_cov_columns(&cfg->vae.cov);
    declare_labels(ae);
    if (!cfg->vae.on) return;
    ae->latent =
        (ql_latent){.n_in = ae->hidden[ae->center].n_in, .n_out = ae->hidden[ae->center].n_out};
    ql_latent_declare(&ae->latent, &ae->params, "variance");
    ql_ae_library_declare(ae);
    ql_ae_ladder_declare(ae);
    if (cfg->vae.encode_covariates && columns > 0)
        ae->input_cov =
            ql_params_add(&ae->params, "input/covariates", ae->input.n_out, columns, true);
    for (int i = 1; i <= ae->n_hidden; i++)
        ae->joined[i] = (ql_joined){.n_below = cfg->hidden[i - 1], .n_extra = ql_ae_extra(ae, i)};
}

enum { MAX_BUFFERS = 2 * QL_MAX_HIDDEN + 12 };

static int list_buffers(ql_ae *ae, int64_t cells, ql_buffer *list)
{
    const int64_t columns = ql_cov_columns(&ae->cfg.vae.cov), groups = ae->heads.n_groups;
    int n = 0;
    list[n++] = (ql_buffer)QL_BUFFER(ae->cov_in, columns * cells);
    list[n++] = (ql_buffer)QL_BUFFER(ae->cov_in_t, columns ? ql_pad(columns) * cells : 0);
    list[n++] = (ql_buffer)QL_BUFFER(ae->cov_out, columns * cells);
    list[n++] = (ql_buffer)QL_BUFFER(ae->cov_dw,
                                     ae->input_cov >= 0 ? ae->input.n_out * ql_pad(columns) : 0);
    list[n++] = (ql_buffer)QL_BUFFER(ae->group, groups * cells);
    list[n++] = (ql_buffer)QL_BUFFER(ae->group_t, groups ? ql_pad(groups) * cells : 0);
    for (int i = 0; i <= ae->n_hidden; i++) {
        ql_joined *j = &ae->joined[i];
        const int64_t width = j->n_below + j->n_extra;
        if (j->n_extra == 0) continue;
        list[n++] = (ql_buffer)QL_BUFFER(j->in, width * cells);
        list[n++] = (ql_buffer)QL_BUFFER(j->in_t, ql_pad(width) * cells);
    }
    return n;
}

int64_t ql_ae_variational_bytes(const ql_ae *ae, int64_t cells)
{
    ql_ae copy = *ae;
    ql_buffer list[MAX_BUFFERS];
    const int64_t labels = ql_label_bytes(&ae->labels, cells);
    if (!ae->cfg.vae.on) return labels;
    const int n = list_buffers(&copy, cells, list);
    return ql_buffers_bytes(list, n) + ql_latent_bytes(&ae->latent, cells) + labels +
           ql_ae_library_bytes(ae, cells) + ql_ae_scanvi_bytes(ae, cells) +
           ql_ae_ladder_bytes(ae, cells);
}

ql_status ql_ae_variational_alloc(ql_ae *ae, ql_err *err)
{
    ql_buffer list[MAX_BUFFERS];
    QL_TRY(ql_label_alloc(&ae->labels, ae->capacity, err));
    if (!ae->cfg.vae.on) return QL_OK;
    const int n = list_buffers(ae, ae->capacity, list);
    QL_TRY(ql_buffers_alloc(list, n, "covariates", err));
    QL_TRY(ql_ae_library_alloc(ae, err));
    QL_TRY(ql_ae_scanvi_alloc(ae, err));
    QL_TRY(ql_ae_ladder_alloc(ae, err));
    return ql_latent_alloc(&ae->latent, ae->capacity, err);
}

void ql_ae_variational_free(ql_ae *ae)
{
    ql_buffer list[MAX_BUFFERS];
    const int n = list_buffers(ae, 0, list);
    ql_buffers_free(list, n);
    ql_latent_free(&ae->latent);
    ql_ae_library_free(ae);
    ql_ae_scanvi_free(ae);
    ql_ae_ladder_free(ae);
    ql_label_free(&ae->labels);
}

/* ---- covariates of a batch ---- */

static bool says_nothing(const ql_cov_values *v)
{
    return !v->value && !v->fixed;
}

/* x [columns, n_pad]; cells of which nothing is known, and pads, have 0. */
static void fill_columns(const ql_ae *ae, const ql_cov_values *v, const ql_batch *b, ql_real *x)
{
    const ql_cov_shape *s = &ae->cfg.vae.cov;
    memset(x, 0, (size_t)(ql_cov_columns(s) * b->n_pad) * sizeof *x);
    for (int64_t i = 0; i < b->n && !says_nothing(v); i++) {
        float row[QL_COV_MOST];
        ql_cov_row(v, ql_cov_width(s), b->cell[i], row);
        ql_cov_fill(s, row, b->n_pad, x + i);
    }
}

static void fill_groups(ql_ae *ae, const ql_cov_values *v, const ql_batch *b)
{
    const ql_vae_config *c = &ae->cfg.vae;
    const int64_t n = ae->heads.n_groups;
    if (n == 0) return;
    memset(ae->group, 0, (size_t)(n * b->n_pad) * sizeof *ae->group);
    for (int64_t i = 0; i < b->n; i++) {
        float row[QL_COV_MOST];
        ql_cov_row(v, ql_cov_width(&c->cov), b->cell[i], row);
        int64_t group = (int64_t)row[c->group_by_label ? c->cov.n : 0];
        if (group < 0) group = n - 1; /* unlabelled */
        ae->group[group * b->n_pad + i] = 1;
    }
    ql_transpose(n, b->n_pad, ae->group, b->n_pad, ae->group_t, ql_pad(n));
}

void ql_ae_cov_decode(ql_ae *ae, const ql_batch *b, const ql_cov_values *decode)
{
    if (ql_cov_columns(&ae->cfg.vae.cov) > 0) fill_columns(ae, decode, b, ae->cov_out);
    fill_groups(ae, decode, b);
}

static void fill_labels(ql_ae *ae, const ql_cov_values *v, const ql_batch *b)
{
    const ql_cov_shape *s = &ae->cfg.vae.cov;
    for (int64_t i = 0; ae->labels.n_labels > 0 && i < b->n; i++) {
        float row[QL_COV_MOST];
        ql_cov_row(v, ql_cov_width(s), b->cell[i], row);
        ae->labels.label[i] = (int32_t)row[s->n];
    }
}

void ql_ae_cov_begin(ql_ae *ae, const ql_batch *b, const ql_batch_source *source)
{
    const int64_t columns = ql_cov_columns(&ae->cfg.vae.cov);
    const ql_cov_values *own = source->cov ? source->cov : &ae->cov;
    fill_labels(ae, own, b);
    if (!ae->cfg.vae.on) return;
    if (columns > 0 && ae->cfg.vae.encode_covariates) {
        fill_columns(ae, own, b, ae->cov_in);
        ql_transpose(columns, b->n_pad, ae->cov_in, b->n_pad, ae->cov_in_t, ql_pad(columns));
    }
    ql_ae_cov_decode(ae, b, source->n_decode > 0 ? source->decode[0] : own);
}

const ql_real *ql_ae_layer_in(ql_ae *ae, int i, const ql_batch *b)
{
    ql_joined *j = &ae->joined[i];
    const ql_real *below = ae->hidden[i - 1].out,
                  *extra = i < ae->center ? ae->cov_in : ae->cov_out;
    if (j->n_extra == 0) return below;
    memcpy(j->in, below, (size_t)(j->n_below * b->n_pad) * sizeof *below);
    memcpy(j->in + j->n_below * b->n_pad, extra, (size_t)(j->n_extra * b->n_pad) * sizeof *extra);
    ql_transpose(j->n_below + j->n_extra, b->n_pad, j->in, b->n_pad, j->in_t,
                 ql_pad(j->n_below + j->n_extra));
    return j->in;
}

const ql_real *ql_ae_layer_in_t(const ql_ae *ae, int i)
{
    return ae->joined[i].n_extra > 0 ? ae->joined[i].in_t : ae->hidden[i - 1].out_t;
}

void ql_ae_input_cov_forward(ql_ae *ae, const ql_batch *b)
{
    const int64_t columns = ql_cov_columns(&ae->cfg.vae.cov);
    if (ae->input_cov < 0) return;
    ae->kern->gemm(&(ql_gemm){.m = ae->hidden[0].n_out,
                              .n = b->n_pad,
                              .p = columns,
                              .a = ql_param(&ae->params, ae->input_cov),
                              .a_row = ql_pad(columns),
                              .a_col = 1,
                              .b = ae->cov_in,
                              .ldb = b->n_pad,
                              .c = ae->hidden[0].pre,
                              .ldc = b->n_pad,
                              .start = QL_FROM_C});
}

void ql_ae_input_cov_backward(ql_ae *ae, const ql_batch *b, const ql_opt_step *step)
{
    const int64_t ld = ql_pad(ql_cov_columns(&ae->cfg.vae.cov));
    if (ae->input_cov < 0) return;
    ae->kern->gemm(&(ql_gemm){.m = ae->hidden[0].n_out,
                              .n = ld,
                              .p = b->n,
                              .a = ae->hidden[0].grad,
                              .a_row = b->n_pad,
                              .a_col = 1,
                              .b = ae->cov_in_t,
                              .ldb = ld,
                              .c = ae->cov_dw,
                              .ldc = ld});
    ql_params_update(&ae->params, ae->input_cov, 0, ae->input.n_out, ae->cov_dw, step);
}

/* ---- labels ---- */

void ql_ae_labels_forward(ql_ae *ae, const ql_batch *b, const ql_batch_source *source,
                          const ql_kern *kern, ql_pass pass)
{
    if (ae->scanvi.n_labels > 0) ql_ae_scanvi_forward(ae, b, source, kern, pass);
    if (ae->labels.n_labels == 0 || ae->scanvi.n_labels > 0) return;
    ql_label_forward(&ae->labels, &ae->params, ae->kern, ae->hidden[ae->center].out, b->n_pad);
}

double ql_ae_labels_backward(ql_ae *ae, const ql_batch *b, const ql_kern *kern,
                             const ql_opt_step *step)
{
    ql_hidden *h = &ae->hidden[ae->center];
    if (ae->labels.n_labels == 0) return 0;
    if (ae->scanvi.n_labels > 0) return ql_ae_scanvi_backward(ae, b, kern, step);
    return ql_label_backward(&ae->labels, &ae->params, kern, ae->cfg.label_weight, h->out_t,
                             h->grad, b->n, b->n_pad, step);
}

void ql_ae_label_probs(const ql_ae *ae, int64_t i, float *out)
{
    for (int64_t l = 0; l < ae->labels.n_labels; l++)
        out[l] = (float)ae->labels.prob[l * ae->batch[0].n_pad + i];
}

/* ---- the code ---- */

void ql_ae_latent_forward(ql_ae *ae, const ql_batch *b, const ql_batch_source *source,
                          const ql_kern *kern, ql_pass pass)
{
    const bool draw = pass.training || source->draw;
    const ql_latent_pass own = {.draw = draw,
                                .seed = pass.training ? pass.seed : source->seed,
                                .step =
                                    pass.training ? pass.step : QL_INFERENCE_STEP + source->epoch,
                                .cell = b->row};
    if (!ae->cfg.vae.on) return;
    ql_latent_forward(&ae->latent, &ae->params, ae->kern, ql_ae_layer_in(ae, ae->center, b),
                      &ae->hidden[ae->center], b->n, b->n_pad, &own);
    ql_ae_ladder_forward(ae, b, kern, pass, &own);
}

void ql_ae_latent_given(ql_ae *ae, const ql_batch *b)
{
    ql_hidden *h = &ae->hidden[ae->center];
    memset(h->out, 0, (size_t)(h->n_out * b->n_pad) * sizeof *h->out);
    for (int64_t i = 0; i < b->n; i++)
        for (int64_t u = 0; u < h->n_out; u++)
            h->out[u * b->n_pad + i] = (ql_real)b->code[i * h->n_out + u];
    ql_transpose(h->n_out, b->n_pad, h->out, b->n_pad, h->out_t, ql_pad(h->n_out));
}

double ql_ae_latent_gradient(ql_ae *ae, const ql_batch *b, const ql_kern *kern,
                             const ql_opt_step *step)
{
    if (!ae->cfg.vae.on) return 0;
    if (ae->scanvi.n_labels > 0) return ql_ae_scanvi_latent(ae, b);
    if (ae->ladder.n_out > 0) return ql_ae_ladder_gradient(ae, b, kern, step);
    return ql_latent_gradient(&ae->latent, &ae->cfg.vae.kl, ae->step, b->epoch,
                              &ae->hidden[ae->center], b->n, b->n_pad, b->weight);
}

void ql_ae_latent_backward(ql_ae *ae, const ql_batch *b, const ql_kern *kern,
                           const ql_opt_step *step)
{
    if (!ae->cfg.vae.on) return;
    ql_latent_backward(&ae->latent, &ae->params, kern, ql_ae_layer_in_t(ae, ae->center),
                       ae->hidden[ae->center - 1].grad, b->n, b->n_pad, step);
    ql_ae_ladder_add(ae, b, kern);
}

/* ---- settings ---- */

static ql_status check_groups(const ql_ae_config *cfg, ql_err *err)
{
    const ql_vae_config *v = &cfg->vae;
    if (cfg->likelihood->heads.kind[QL_HEAD_DISP] != QL_KIND_GROUP) return QL_OK;
    if (v->group_by_label && v->cov.n_labels == 0)
        return ql_fail(err, QL_EUSAGE, "--dispersion gene-label needs --labels COLUMN");
    if (!v->group_by_label && (v->cov.n == 0 || v->cov.n_levels[0] == 0))
        return ql_fail(err, QL_EUSAGE, "--dispersion gene-batch needs --batch COLUMN");
    return QL_OK;
}

/* What other kinds of network have, and two that exclude each other. */
static ql_status check_strangers(const ql_ae_config *cfg, ql_err *err)
{
    const ql_likelihood *lik = cfg->likelihood;
    const ql_vae_config *v = &cfg->vae;
    const struct {
        bool given;
        const char *what;
    } strangers[] = {
        {cfg->tied, "--tied"},
        {cfg->conv.filters > 0, "--conv"},
        {cfg->code_l1 > 0 || cfg->code_kl > 0 || cfg->code_k > 0, "a sparse code"},
        {cfg->code_act != NULL, "--code-activation"},
        {!cfg->linear_latent, "--no-linear-latent"},
        {cfg->contractive > 0, "--contractive"},
        {cfg->stage > 0, "--pretrain layers"},
        {!lik->heads.share && !lik->heads.odds, "this type"},
        {v->latent_library && !lik->heads.share, "a latent library and this type"},
        {v->latent_library && cfg->orthogonal > 0, "a latent library and --orthogonal"},
        {v->kl.capacity > 0 && v->kl.free_bits > 0, "both --capacity and --free-bits"},
    };
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++)
        if (strangers[i].given)
            return ql_fail(err, QL_EUSAGE, "a variational model does not go with %s",
                           strangers[i].what);
    return QL_OK;
}

/* Of a second code, by label or as in a ladder. */
static ql_status check_second_code(const ql_ae_config *cfg, ql_err *err)
{
    const ql_vae_config *v = &cfg->vae;
    const bool ruled = v->kl.capacity > 0 || v->kl.free_bits > 0;
    if (v->scanvi && (v->cov.n_labels == 0 || !(cfg->label_weight > 0)))
        return ql_fail(err, QL_EUSAGE,
                       "--labels-as scanvi needs --labels COLUMN and a --label-weight");
    if (v->latent2 > 0 && (ruled || v->scanvi))
        return ql_fail(err, QL_EUSAGE,
                       "--latent2 does not go with --capacity, --free-bits or --labels-as scanvi");
    if (v->scanvi && ruled)
        return ql_fail(err, QL_EUSAGE,
                       "--labels-as scanvi does not go with --capacity or --free-bits");
    return QL_OK;
}

ql_status ql_ae_variational_check(const ql_ae_config *cfg, ql_err *err)
{
    const ql_likelihood *lik = cfg->likelihood;
    if (!cfg->vae.on && (lik->heads.share || lik->heads.odds))
        return ql_fail(err, QL_EUSAGE, "type %s is for variational models", lik->name);
    if (!cfg->vae.on) return QL_OK;
    QL_TRY(check_strangers(cfg, err));
    if (cfg->n_hidden < 2) {
        ql_fail(err, QL_EUSAGE, "a variational model needs a layer before its bottleneck");
        return ql_hint(err, QL_EUSAGE,
                       "give --hidden such as 128,10,128 or, for a linear decoder, 128,10");
    }
    QL_TRY(check_second_code(cfg, err));
    return check_groups(cfg, err);
}
