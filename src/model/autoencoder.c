#include "quell/autoencoder.h"

#include <stdio.h>
#include <string.h>

#include "autoencoder_internal.h"
#include "quell/alloc.h"

static int64_t capacity_of(int64_t batch_size)
{
    /* the last minibatch may take up to half of another one along */
    return ql_pad(batch_size + batch_size / 2);
}

static const ql_activation *activation_of(const ql_ae_config *cfg, int layer)
{
    const bool is_center = layer == cfg->n_hidden / 2;
    if (is_center && cfg->code_act) return cfg->code_act;
    return is_center && cfg->linear_latent ? ql_activation_find("linear") : cfg->act;
}

static double dropout_of(const ql_ae_config *cfg, int layer)
{
    if (cfg->n_dropouts > 0) return cfg->dropouts[layer];
    if (cfg->vae.on && layer > cfg->n_hidden / 2) return 0;
    return layer == cfg->n_hidden / 2 ? 0 : cfg->dropout;
}

/* A norm behind an L1 penalty would give the code back what scale it loses. */
static bool is_normed(const ql_ae_config *cfg, int layer)
{
    const int center = cfg->n_hidden / 2;
    if (layer == center) return !cfg->linear_latent;
    return !(cfg->code_l1 > 0 && layer == center + 1);
}

static void layer_name(const ql_ae *ae, int i, char *name, size_t size)
{
    if (i < ae->center)
        snprintf(name, size, "enc%d", i);
    else if (i == ae->center)
        snprintf(name, size, "center");
    else
        snprintf(name, size, "dec%d", i - ae->center);
}

static void declare_hidden(ql_ae *ae, int i)
{
    const ql_ae_config *cfg = &ae->cfg;
    char name[24];
    ql_hidden *h = &ae->hidden[i];
    *h = (ql_hidden){
        .n_in = i == 0 ? 1 : cfg->hidden[i - 1] + ql_ae_extra(ae, i),
        .n_extra = i == 0 ? 0 : ql_ae_extra(ae, i),
        .n_out = cfg->hidden[i],
        .act = activation_of(cfg, i),
        .slope = (ql_real)cfg->slope,
        .batch_norm = cfg->batch_norm && is_normed(cfg, i),
        .layer_norm = cfg->layer_norm && is_normed(cfg, i),
        .gain = cfg->norm_gain,
        .dropout = dropout_of(cfg, i),
        .keep_largest = i == ae->center ? cfg->code_k : 0,
        .orthogonal = i > 0 && i <= ae->center ? cfg->orthogonal : 0,
        .contracted = cfg->contractive > 0 && i <= ae->center,
        .tied = cfg->tied && i > ae->center,
        .id = (uint64_t)i,
    };
    /* tied layers come first on the way back, and the tangents before all */
    h->dw_begun = h->contracted || (cfg->tied && i <= ae->center);
    if (h->tied) {
        const ql_hidden *mirror = &ae->hidden[ae->n_hidden - i];
        h->weight = mirror->weight;
        h->dw_begun = mirror->contracted;
    }
    layer_name(ae, i, name, sizeof name);
    ql_hidden_declare(h, &ae->params, name, i > 0);
}

static void declare_penalties(ql_ae *ae)
{
    const ql_ae_config *c = &ae->cfg;
    const bool both = c->tied && (c->nonnegative_encoder || c->nonnegative_decoder);
    for (int i = 0; i < ae->params.n_tensors; i++) {
        ql_tensor *t = &ae->params.tensor[i];
        bool is_kernel = strstr(t->name, "/weight") != NULL;
        bool encoder = !strncmp(t->name, "input", 5) || !strncmp(t->name, "enc", 3) ||
                       !strncmp(t->name, "center", 6);
        bool decoder = !strncmp(t->name, "dec", 3) || !strncmp(t->name, "mean", 4);
        if (!is_kernel) continue;
        t->decays = true;
        t->nonnegative =
            (encoder && (c->nonnegative_encoder || both)) || (decoder && c->nonnegative_decoder);
        t->l1 = (ql_real)(encoder && c->l1_enc > 0 ? c->l1_enc : c->l1);
        t->l2 = (ql_real)(encoder && c->l2_enc > 0 ? c->l2_enc : c->l2);
    }
}

/* Hidden layers that are built: all, or those up to a stage of pretraining. */
static int n_built(const ql_ae_config *cfg)
{
    return cfg->stage > 0 ? cfg->stage : cfg->n_hidden;
}

/* The layers below the one whose stage it is do not learn. */
static void freeze_below(ql_ae *ae)
{
    const int first = ae->hidden[ae->cfg.stage - 1].weight; /* -1 at the first stage */
    for (int i = 0; i < first; i++) ae->params.tensor[i].frozen = true;
}

void ql_ae_declare(ql_ae *ae, const ql_ae_config *cfg, int64_t n_genes)
{
    *ae = (ql_ae){.cfg = *cfg, .n_genes = n_genes, .n_hidden = n_built(cfg), .input_cov = -1};
    ae->center = cfg->n_hidden / 2;
    ae->input.n_beside = ql_ae_library_width(cfg);
    ql_input_declare(&ae->input, &ae->params, ql_ae_input_width(cfg, n_genes),
                     cfg->hidden[0] + ae->input.n_beside);
    if (cfg->conv.filters > 0)
        ql_conv_declare(&ae->conv, &ae->params, cfg->conv, n_genes, cfg->act, (ql_real)cfg->slope);
    for (int i = 0; i < ae->n_hidden; i++) declare_hidden(ae, i);
    ql_ae_variational_declare(ae);
    ql_ae_input_declare_terms(ae);
    ae->heads.tied = cfg->tied;
    ae->heads.weight[QL_HEAD_MEAN] = ae->input.weight;
    ql_head_layout layout = cfg->likelihood->heads;
    /* without layers behind the bottleneck there is nothing to have one's own of */
    layout.fork = layout.fork && ae->center + 1 < ae->n_hidden;
    layout.groups = ql_ae_groups(cfg);
    ql_heads_declare(&ae->heads, &ae->params, n_genes,
                     cfg->hidden[ae->n_hidden - 1] + ql_ae_extra(ae, ae->n_hidden), &layout,
                     cfg->shared_pi);
    ql_ae_fork_declare(ae);
    ae->heads.ridge = (ql_real)cfg->ridge;
    ae->heads.disp_rate = cfg->disp_rate;
    declare_penalties(ae);
    if (cfg->stage > 0) freeze_below(ae);
}

/* The widest array a tile's gradient needs. */
static int64_t tile_width(const ql_ae *ae)
{
    const int64_t widths[] = {ae->input.n_out, ae->heads.n_in, ae->heads.n_groups};
    int64_t most = 0;
    for (size_t i = 0; i < sizeof widths / sizeof *widths; i++)
        if (widths[i] > most) most = widths[i];
    return ql_pad(most);
}

int64_t ql_ae_bytes(const ql_ae_config *cfg, const ql_ae_sizes *sizes)
{
    ql_ae ae;
    ql_ae_declare(&ae, cfg, sizes->n_genes);
    int64_t cells = capacity_of(sizes->batch_size), real = (int64_t)sizeof(ql_real);
    ae.heads.keep = cells <= QL_KEEP_CELLS && !cfg->recompute;
    int64_t bytes = ql_params_bytes(&ae.params, cfg->optimizer->n_moments);
    bytes += ql_ae_variational_bytes(&ae, cells);
    bytes +=
        2 * ql_batch_bytes(cells, sizes->max_row_nnz, ae.heads.tiling, sizes->separate_targets);
    bytes += (ae.input.tiling.n_strips + 1) * (cells + 1) * ql_pad(ae.input.n_out) * real;
    bytes += ql_heads_bytes(&ae.heads, cells) + ql_ae_fork_bytes(&ae, cells);
    for (int b = 0; b < ae.heads.n_branches; b++)
        for (int i = b ? ae.center + 1 : 0; i < ae.n_hidden; i++)
            bytes += ql_hidden_bytes(ql_ae_layer(&ae, b, i), cells);
    bytes += ql_input_terms_bytes(&ae.input_terms);
    int64_t width = tile_width(&ae);
    int64_t dense = ql_ae_input_scratch(cfg);
    if (cfg->conv.filters > 0)
        bytes += ql_conv_bytes(&cfg->conv, sizes->n_genes) +
                 2 * ql_batch_ordered_bytes(cells, sizes->max_row_nnz, ae.heads.tiling);
    return bytes +
           sizes->n_threads * (ql_head_space_bytes(width) + (QL_TILE * width + dense) * real);
}

int64_t ql_ae_state_bytes(const ql_ae_config *cfg, int64_t n_genes)
{
    ql_ae ae;
    ql_ae_declare(&ae, cfg, n_genes);
    return ql_params_bytes(&ae.params, cfg->optimizer->n_moments + 1);
}

/* Work space of each thread. */
static ql_status allocate_threads(ql_ae *ae, ql_err *err)
{
    const int64_t width = tile_width(ae), dense = ql_ae_input_scratch(&ae->cfg);
    QL_TRY(QL_NEW(ae->space, ae->n_threads, "tile work space", err));
    QL_TRY(QL_NEW(ae->tile_dw, ae->n_threads, "tile work space", err));
    if (dense > 0) QL_TRY(QL_NEW(ae->tile_x, ae->n_threads, "tile work space", err));
    for (int t = 0; t < ae->n_threads; t++) {
        QL_TRY(ql_head_space_alloc(&ae->space[t], width, err));
        QL_TRY(QL_NEW(ae->tile_dw[t], QL_TILE * width, "tile work space", err));
        if (dense > 0) QL_TRY(QL_NEW(ae->tile_x[t], dense, "tile work space", err));
    }
    return QL_OK;
}

static void free_threads(ql_ae *ae)
{
    for (int t = 0; t < ae->n_threads; t++) {
        if (ae->space) ql_head_space_free(&ae->space[t]);
        if (ae->tile_dw) ql_free(ae->tile_dw[t]);
        if (ae->tile_x) ql_free(ae->tile_x[t]);
    }
    ql_free(ae->space);
    ql_free(ae->tile_dw);
    ql_free(ae->tile_x);
    ae->space = NULL;
    ae->tile_dw = ae->tile_x = NULL;
}

ql_status ql_ae_set_threads(ql_ae *ae, int n_threads, ql_err *err)
{
    free_threads(ae);
    ae->n_threads = n_threads;
    return allocate_threads(ae, err);
}

static ql_status allocate(ql_ae *ae, const ql_ae_sizes *sizes, ql_err *err)
{
    QL_TRY(ql_params_alloc(&ae->params, ae->cfg.optimizer->n_moments, err));
    for (int i = 0; i < 2; i++)
        QL_TRY(ql_batch_alloc(&ae->batch[i], ae->capacity, sizes->max_row_nnz, ae->heads.tiling,
                              sizes->separate_targets, err));
    QL_TRY(ql_input_alloc(&ae->input, ae->capacity, err));
    for (int i = 0; i < ae->n_hidden; i++)
        QL_TRY(ql_hidden_alloc(&ae->hidden[i], ae->capacity, err));
    for (int i = 0; i < ae->n_hidden; i++)
        if (ae->hidden[i].tied) ae->hidden[i].dw = ae->hidden[ae->n_hidden - i].dw;
    QL_TRY(ql_ae_fork_alloc(ae, err));
    QL_TRY(ql_ae_variational_alloc(ae, err));
    QL_TRY(ql_input_terms_alloc(&ae->input_terms, err));
    ae->heads.kept = ae->input_terms.kept;
    QL_TRY(QL_NEW(ae->code_scale, ae->hidden[ae->center].n_out, "hidden layer", err));
    QL_TRY(ql_heads_alloc(&ae->heads, ae->capacity, err));
    QL_TRY(allocate_threads(ae, err));
    return ql_ae_input_alloc_conv(ae, err);
}

static ql_status choose_products(ql_ae *ae, ql_err *err)
{
    if (!ae->cfg.bf16 || ql_kern_bf16(ae->kern, &ae->bf16_kern, &ae->bf16_how)) return QL_OK;
    ql_fail(err, QL_EUSAGE, "this processor has no products in bfloat16 (AMX or AVX512-BF16)");
    return ql_hint(err, QL_EUSAGE, "leave out --precision bf16");
}

ql_status ql_ae_new(ql_ae *ae, const ql_ae_config *cfg, const ql_ae_sizes *sizes, ql_input_map map,
                    const ql_real *log_rate, const ql_kern *kern, ql_err *err)
{
    *ae = (ql_ae){0};
    QL_TRY(ql_ae_check(cfg, err));
    ql_ae_declare(ae, cfg, sizes->n_genes);
    ae->kern = kern;
    ae->map = map;
    ae->capacity = capacity_of(sizes->batch_size);
    ae->n_threads = sizes->n_threads;
    ae->input.shift = map.shift;
    ae->heads.keep = ae->capacity <= QL_KEEP_CELLS && !cfg->recompute;
    ae->heads.lik = cfg->likelihood->kernel(kern);
    if (cfg->likelihood->of_inputs) ae->heads.inverse = map;
    ql_status st = choose_products(ae, err);
    if (st == QL_OK) st = allocate(ae, sizes, err);
    if (st != QL_OK) {
        ql_ae_free(ae);
        return st;
    }
    ql_ae_start(ae, log_rate);
    return QL_OK;
}

void ql_ae_free(ql_ae *ae)
{
    free_threads(ae);
    ql_params_free(&ae->params);
    for (int i = 0; i < 2; i++) ql_batch_free(&ae->batch[i]);
    ql_input_free(&ae->input);
    ql_ae_fork_free(ae); /* asks the heads how many there are */
    ql_ae_variational_free(ae);
    ql_input_terms_free(&ae->input_terms);
    ql_free(ae->code_scale);
    ql_conv_free(&ae->conv);
    ql_heads_free(&ae->heads);
    for (int i = 0; i < ae->n_hidden; i++) ql_hidden_free(&ae->hidden[i]);
    *ae = (ql_ae){0};
}

int64_t ql_ae_latent_width(const ql_ae *ae)
{
    return ae->hidden[ae->center].n_out;
}

void ql_ae_latent(const ql_ae *ae, ql_latent_at at, int64_t i, float *out)
{
    const ql_hidden *h = &ae->hidden[ae->center];
    const ql_real *const stages[] = {
        [QL_LATENT_LINEAR] = h->pre, [QL_LATENT_NORM] = h->sum, [QL_LATENT_ACTIVATION] = h->out};
    const ql_real *values = stages[at];
    for (int64_t u = 0; u < h->n_out; u++) out[u] = (float)values[u * ae->batch[0].n_pad + i];
}
