#include "quell/vae_generative.h"

#include <math.h>

#include "quell/variational.h"

enum { MOST_BLOCK = 256 }; /* cells; decides no value */

/* The batch that codes are decoded in, into the source. */
static void say_batch(ql_vae_generative *v, int64_t batch, ql_batch_source *source)
{
    const ql_covariates *cov = v->fitted->cov;
    if (batch == QL_OWN_BATCH || !cov || cov->n == 0) return;
    v->fixed[0] = (float)batch;
    v->instead = (ql_cov_values){.value = cov->value, .fixed = v->fixed};
    v->list[0] = &v->instead;
    source->decode = v->list;
    source->n_decode = 1;
}

static ql_status encode(void *ctx, const ql_gen_cells *cells, float *mean, float *var, ql_err *err)
{
    ql_vae_generative *v = ctx;
    const ql_batch_source source = {.counts = cells->counts, .cell = cells->cell};
    return ql_ae_encode(&v->fitted->ae, &source, cells->row, cells->n, mean, var, err);
}

/* Without counts: rows are those of the covariates, and depth is what the codes say. */
static ql_status decode(void *ctx, const ql_gen_codes *codes, float *mean, float *theta, float *pi,
                        ql_err *err)
{
    ql_vae_generative *v = ctx;
    ql_ae *ae = &v->fitted->ae;
    const bool match = ae->cfg.match_depth;
    ql_batch_source source = {.code = codes->z, .library = codes->library};
    say_batch(v, codes->batch, &source);
    ae->cfg.match_depth = false;
    ql_status st = ql_ae_decode(ae, &source, codes->cell, codes->n, mean, theta, pi, err);
    ae->cfg.match_depth = match;
    return st;
}

static ql_status log_lik(void *ctx, const ql_gen_cells *cells, const float *z,
                         const double *library, double *out, ql_err *err)
{
    ql_vae_generative *v = ctx;
    const ql_batch_source source = {
        .counts = cells->counts, .cell = cells->cell, .code = z, .library = library};
    return ql_ae_log_lik(&v->fitted->ae, &source, cells->row, cells->n, out, err);
}

static ql_status take_libraries(void *ctx, const ql_ae *ae, int64_t first, int64_t n, ql_err *err)
{
    ql_gen_library *out = ctx;
    (void)err;
    for (int64_t i = 0; i < n; i++) {
        const ql_ae_library l = ql_ae_library_of(ae, i);
        out[first + i] = (ql_gen_library){l.mean, l.var, l.prior_mean, l.prior_var};
    }
    return QL_OK;
}

static ql_status library(void *ctx, const ql_gen_cells *cells, ql_gen_library *out, ql_err *err)
{
    ql_vae_generative *v = ctx;
    const ql_batch_source source = {.counts = cells->counts, .cell = cells->cell};
    const ql_ae_visitor visitor = {.cells = take_libraries, .ctx = out};
    return ql_ae_visit(&v->fitted->ae, &source, cells->row, cells->n, 0, &visitor, err);
}

static ql_status prior(void *ctx, int64_t n, const float *z2, const int64_t *label, float *mean,
                       float *var, ql_err *err)
{
    ql_vae_generative *v = ctx;
    return ql_ae_code_prior(&v->fitted->ae, z2, label, n, mean, var, err);
}

/* Of cells whose labels are not looked at: own is room for that. */
static ql_batch_source second_source(const ql_vae_generative *v, const ql_gen_cells *cells,
                                     uint64_t seed, int64_t draw, ql_cov_values *own)
{
    const ql_ae *ae = &v->fitted->ae;
    *own = ae->cov;
    if (ae->cfg.vae.cov.n_labels > 0) own->fixed = v->no_label;
    return (ql_batch_source){.counts = cells->counts,
                             .cell = cells->cell,
                             .cov = own,
                             .seed = seed,
                             .epoch = (uint64_t)draw};
}

static ql_status levels(void *ctx, const ql_gen_cells *cells, uint64_t seed, int64_t draw,
                        const ql_gen_levels *out, ql_err *err)
{
    ql_vae_generative *v = ctx;
    ql_cov_values own;
    const ql_batch_source source = second_source(v, cells, seed, draw, &own);
    const ql_ae_levels to = {out->mean, out->var, out->prior_mean, out->prior_var};
    return ql_ae_second(&v->fitted->ae, &source, cells->row, cells->n, &to, err);
}

static ql_status log_prior(void *ctx, const ql_gen_cells *cells, uint64_t seed, int64_t draw,
                           const ql_gen_priors *p, ql_err *err)
{
    ql_vae_generative *v = ctx;
    ql_cov_values own;
    const ql_batch_source source = second_source(v, cells, seed, draw, &own);
    const ql_ae_priors to = {p->z, p->log_q, p->log_prior, p->kl};
    return ql_ae_code_priors(&v->fitted->ae, &source, cells->row, cells->n, &to, err);
}

static ql_law law_of(const ql_likelihood *l)
{
    if (l->heads.odds) return QL_LAW_BERNOULLI;
    if (l->gaussian) return QL_LAW_NORMAL;
    if (l->has_pi) return QL_LAW_ZINB;
    return l->disp == QL_DISP_NONE ? QL_LAW_POISSON : QL_LAW_NB;
}

ql_status ql_vae_generative_of(ql_fitted *fitted, ql_vae_generative *v, ql_generative *out,
                               ql_err *err)
{
    const ql_ae *ae = &fitted->ae;
    const ql_covariates *cov = fitted->cov;
    if (!ae->cfg.vae.on) {
        ql_fail(err, QL_EUSAGE, "the model is no variational autoencoder: it has no prior");
        return ql_hint(err, QL_EUSAGE,
                       "quell embed INPUT --model vae --save-model FILE trains one");
    }
    *v = (ql_vae_generative){.fitted = fitted};
    fitted->ae.mix_weight = NULL; /* --shrink-genes is of denoised means, not of the model */
    for (int k = 0; k < QL_COV_MOST; k++) v->fixed[k] = v->no_label[k] = NAN;
    v->no_label[ae->cfg.vae.cov.n] = -1;
    *out = (ql_generative){
        .ctx = v,
        .law = law_of(ae->cfg.likelihood),
        .n_genes = ae->n_genes,
        .n_latent = ql_ae_latent_width(ae),
        .block = ae->capacity < MOST_BLOCK ? ae->capacity : MOST_BLOCK,
        .n_batches = cov && cov->n > 0 && !cov->item[0].number ? cov->item[0].levels.n : 0,
        .threads = ae->n_threads,
        .n_second = ql_ae_second_width(ae),
        .n_labels = ql_ae_code_labels(ae),
        .encode = encode,
        .decode = decode,
        .log_lik = log_lik,
        .library = ae->library.n_groups > 0 ? library : NULL,
        .prior = prior,
        .levels = levels,
        .log_prior = log_prior};
    return QL_OK;
}
