#include "quell/scdha_filter.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/init.h"
#include "quell/order.h"
#include "quell/quantile.h"
#include "scdha_step.h"

/* ---- the network ---- */

static void declare(const ql_scdha_filter_config *c, ql_scdha_filter *f)
{
    *f = (ql_scdha_filter){.cfg = *c};
    f->in_weight = scdha_gene_rows(&f->params, "encoder/weight", c->n_genes, c->width);
    f->in_bias = ql_params_add(&f->params, "encoder/bias", 1, c->width, true);
    f->out_weight = scdha_gene_rows(&f->params, "decoder/weight", c->n_genes, c->width);
    f->out_bias = ql_params_add(&f->params, "decoder/bias", 1, c->n_genes, true);
}

int64_t ql_scdha_filter_bytes(const ql_scdha_filter_config *cfg, int64_t capacity)
{
    ql_scdha_filter f;
    declare(cfg, &f);
    const int64_t ld = ql_pad(cfg->width);
    return ql_params_bytes(&f.params, 3) + ql_wide_work_bytes(capacity, ld) +
           2 * capacity * ld * (int64_t)sizeof(ql_real);
}

static ql_status alloc_all(ql_scdha_filter *f, int64_t capacity, ql_err *err)
{
    const int64_t ld = ql_pad(f->cfg.width);
    QL_TRY(ql_params_alloc(&f->params, 2, err));
    QL_TRY(QL_NEW(f->grad, f->params.size, "gradients", err));
    QL_TRY(QL_NEW(f->code, capacity * ld, "the code", err));
    QL_TRY(QL_NEW(f->by_code, capacity * ld, "the code", err));
    return ql_wide_work_new(&f->work, capacity, ld, err);
}

ql_status ql_scdha_filter_new(const ql_scdha_filter_config *cfg, int64_t capacity,
                              const ql_kern *kern, ql_scdha_filter *f, ql_err *err)
{
    declare(cfg, f);
    f->kern = kern;
    ql_status st = alloc_all(f, capacity, err);
    if (st != QL_OK) {
        ql_scdha_filter_free(f);
        return st;
    }
    ql_params_init(&f->params, f->in_weight, NULL, cfg->n_genes, cfg->width, cfg->seed);
    ql_params_init(&f->params, f->out_weight, NULL, cfg->width, cfg->n_genes, cfg->seed);
    scdha_step_start(&f->opt, kern, cfg->rate, cfg->weight_decay);
    return QL_OK;
}

void ql_scdha_filter_free(ql_scdha_filter *f)
{
    ql_params_free(&f->params);
    ql_wide_work_free(&f->work);
    ql_free(f->grad);
    ql_free(f->code);
    ql_free(f->by_code);
    *f = (ql_scdha_filter){0};
}

static ql_real *grad_of(const ql_scdha_filter *f, int tensor)
{
    return f->grad + f->params.tensor[tensor].offset;
}

double ql_scdha_filter_loss(ql_scdha_filter *f, const ql_wide_batch *x)
{
    const int64_t ld = ql_pad(f->cfg.width), d = f->cfg.n_genes;
    const double entries = (double)x->n * (double)d;
    ql_wide_in(f->kern, x, ql_param(&f->params, f->in_weight), ql_param(&f->params, f->in_bias), ld,
               f->code);
    const ql_wide_out out = {.kern = f->kern,
                             .target = x,
                             .n_genes = d,
                             .width = f->cfg.width,
                             .ld = ld,
                             .weight = ql_param(&f->params, f->out_weight),
                             .bias = ql_param(&f->params, f->out_bias),
                             .h = f->code,
                             .scale = 1 / entries,
                             .by_weight = grad_of(f, f->out_weight),
                             .by_bias = grad_of(f, f->out_bias),
                             .by_h = f->by_code};
    const double sum = ql_wide_out_run(&out, &f->work);
    ql_wide_in_back(f->kern, x, f->by_code, d, ld, grad_of(f, f->in_weight),
                    grad_of(f, f->in_bias));
    return sum / entries;
}

bool ql_scdha_filter_step(ql_scdha_filter *f, const ql_wide_batch *x, double *loss)
{
    const ql_tensor *t = &f->params.tensor[f->in_weight];
    ql_real *w = ql_param(&f->params, f->in_weight);
    *loss = ql_scdha_filter_loss(f, x);
    if (!scdha_step(&f->opt, &f->params, f->grad, f->params.size)) return false;
    for (int64_t i = 0; i < t->rows * t->ld; i++) w[i] = w[i] < 0 ? 0 : w[i];
    return true;
}

/* ---- the score ---- */

static double sample_sd(const ql_real *x, int64_t n)
{
    double mean = 0, square = 0;
    for (int64_t i = 0; i < n; i++) mean += (double)x[i];
    mean /= (double)n;
    for (int64_t i = 0; i < n; i++) square += ((double)x[i] - mean) * ((double)x[i] - mean);
    const double sd = sqrt(square / (double)(n - 1));
    return sd == sd ? sd : 0;
}

void ql_scdha_filter_score(const ql_scdha_filter *f, double *score)
{
    const ql_tensor *t = &f->params.tensor[f->in_weight];
    const ql_real *w = ql_param(&f->params, f->in_weight);
    double least = INFINITY, most = -INFINITY;
    for (int64_t g = 0; g < t->rows; g++) {
        score[g] = sample_sd(w + g * t->ld, t->cols);
        if (score[g] < least) least = score[g];
        if (score[g] > most) most = score[g];
    }
    for (int64_t g = 0; g < t->rows; g++)
        score[g] = most > least ? (score[g] - least) / (most - least) : 0;
}

ql_status ql_scdha_select(const double *score, int64_t n, int64_t wanted, uint8_t *keep,
                          int64_t *n_kept, ql_err *err)
{
    double *sorted;
    QL_TRY(QL_NEW(sorted, n, "scores of the genes", err));
    memcpy(sorted, score, (size_t)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, ql_by_value);
    const double cut = ql_quantile_sorted(sorted, n, 1 - (double)wanted / (double)n);
    *n_kept = 0;
    for (int64_t g = 0; g < n; g++) {
        keep[g] = score[g] > cut;
        *n_kept += keep[g];
    }
    ql_free(sorted);
    return QL_OK;
}
