/* Covariates that layers of a variational autoencoder see beside their input, and groups of cells
 * with dispersions of their own (docs/vae.md). */
#include <string.h>

#include "autoencoder_internal.h"
#include "quell/buffers.h"

/* ---- which layers see them ---- */

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

/* ---- declaring, buffers ---- */

void ql_ae_cov_declare(ql_ae *ae)
{
    const ql_ae_config *cfg = &ae->cfg;
    const int64_t columns = ql_cov_columns(&cfg->vae.cov);
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

int64_t ql_ae_cov_bytes(const ql_ae *ae, int64_t cells)
{
    ql_ae copy = *ae;
    ql_buffer list[MAX_BUFFERS];
    return ql_buffers_bytes(list, list_buffers(&copy, cells, list));
}

ql_status ql_ae_cov_alloc(ql_ae *ae, ql_err *err)
{
    ql_buffer list[MAX_BUFFERS];
    return ql_buffers_alloc(list, list_buffers(ae, ae->capacity, list), "covariates", err);
}

void ql_ae_cov_free(ql_ae *ae)
{
    ql_buffer list[MAX_BUFFERS];
    ql_buffers_free(list, list_buffers(ae, 0, list));
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
