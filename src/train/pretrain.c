#include "pretrain.h"

#include <string.h>

/* The network of a stage: no rules of the code or of the decoder, which are not there yet. */
static ql_ae_config stage_config(const ql_ae_config *cfg, int stage)
{
    ql_ae_config c = *cfg;
    c.stage = stage;
    c.tied = c.code_unit = false;
    c.code_l1 = c.code_kl = c.contractive = 0;
    if (stage <= cfg->n_hidden / 2) c.code_k = 0;
    return c;
}

int64_t ql_pretrain_bytes(const ql_ae_config *cfg, const ql_ae_sizes *sizes)
{
    const int n_stages = cfg->n_hidden / 2 + 1;
    int64_t most = 0;
    /* two stages meet while weights pass from one to the next */
    for (int stage = 1; stage <= n_stages; stage++) {
        const ql_ae_config c = stage_config(cfg, stage);
        int64_t bytes = ql_ae_bytes(&c, sizes);
        if (bytes > most) most = bytes;
    }
    return 2 * most;
}

/* Tensors of the layers, which come before those of the heads, from one network into another. */
static void pass_layers(const ql_ae *from, ql_ae *to)
{
    const int heads = from->heads.weight[QL_HEAD_MEAN];
    for (int i = 0; i < heads; i++) {
        const ql_tensor *t = &from->params.tensor[i];
        const ql_tensor *u = ql_params_find(&to->params, t->name);
        if (!u || u->rows != t->rows || u->cols != t->cols) continue;
        memcpy(to->params.w + u->offset, from->params.w + t->offset,
               (size_t)(t->rows * t->ld) * sizeof(ql_real));
    }
}

/* Train one stage on top of `below` (empty for the first), which it replaces. */
static ql_status train_stage(const ql_fitted *f, const ql_rows *counts, const ql_fit_options *opt,
                             const ql_ae_sizes *sizes, const ql_kern *kern, int stage, ql_ae *below,
                             ql_err *err)
{
    const ql_ae_config cfg = stage_config(&opt->ae, stage);
    ql_train_options train = f->train;
    ql_train_result result;
    ql_ae ae;
    train.epochs = opt->layer_epochs;
    train.patience = train.rate_patience = 0;
    QL_TRY(ql_ae_new(&ae, &cfg, sizes, ql_prep_map(&f->prep), f->prep.log_rate, kern, err));
    if (below->params.n_tensors > 0) pass_layers(below, &ae);
    ql_ae_free(below);
    *below = ae;
    QL_TRY(ql_train(below, counts, &f->split, &train, NULL, &result, err));
    ql_train_result_free(&result);
    return QL_OK;
}

ql_status ql_pretrain_layers(ql_fitted *f, const ql_rows *counts, const ql_fit_options *opt,
                             const ql_ae_sizes *sizes, const ql_kern *kern, ql_err *err)
{
    const int n_stages = opt->ae.n_hidden / 2 + 1;
    ql_ae stage = {0};
    ql_status st = QL_OK;
    for (int i = 1; i <= n_stages && st == QL_OK; i++)
        st = train_stage(f, counts, opt, sizes, kern, i, &stage, err);
    if (st == QL_OK) pass_layers(&stage, &f->ae);
    ql_ae_free(&stage);
    return st;
}
