/* What a variational autoencoder has beside the others: a code that is drawn, labels that are told
 * from it; and what does not go with it (docs/vae.md). */
#include <string.h>

#include "autoencoder_internal.h"

/* ---- layers ---- */

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
    declare_labels(ae);
    if (!cfg->vae.on) return;
    ae->latent =
        (ql_latent){.n_in = ae->hidden[ae->center].n_in, .n_out = ae->hidden[ae->center].n_out};
    ql_latent_declare(&ae->latent, &ae->params, "variance");
    ql_ae_library_declare(ae);
    ql_ae_ladder_declare(ae);
    ql_ae_cov_declare(ae);
}

int64_t ql_ae_variational_bytes(const ql_ae *ae, int64_t cells)
{
    const int64_t labels = ql_label_bytes(&ae->labels, cells);
    if (!ae->cfg.vae.on) return labels;
    return ql_ae_cov_bytes(ae, cells) + ql_latent_bytes(&ae->latent, cells) + labels +
           ql_ae_library_bytes(ae, cells) + ql_ae_scanvi_bytes(ae, cells) +
           ql_ae_ladder_bytes(ae, cells);
}

ql_status ql_ae_variational_alloc(ql_ae *ae, ql_err *err)
{
    QL_TRY(ql_label_alloc(&ae->labels, ae->capacity, err));
    if (!ae->cfg.vae.on) return QL_OK;
    QL_TRY(ql_ae_cov_alloc(ae, err));
    QL_TRY(ql_ae_library_alloc(ae, err));
    QL_TRY(ql_ae_scanvi_alloc(ae, err));
    QL_TRY(ql_ae_ladder_alloc(ae, err));
    return ql_latent_alloc(&ae->latent, ae->capacity, err);
}

void ql_ae_variational_free(ql_ae *ae)
{
    ql_ae_cov_free(ae);
    ql_latent_free(&ae->latent);
    ql_ae_library_free(ae);
    ql_ae_scanvi_free(ae);
    ql_ae_ladder_free(ae);
    ql_label_free(&ae->labels);
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
