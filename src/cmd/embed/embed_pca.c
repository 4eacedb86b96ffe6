/* quell embed --model pca: principal components, where scanpy puts them. */
#include <stdio.h>
#include <string.h>

#include "embed.h"
#include "quell/alloc.h"
#include "quell/fingerprint.h"
#include "quell/h5ad_writer.h"
#include "quell/pca.h"

#define RUN_KEY "uns/quell/embed"

typedef struct {
    const embed_args *a;
    const char *key;
    ql_run *run;
    fit_run fit;
    ql_prep prep;
    ql_pca pca;
    ql_h5ad_writer *writer;
} job;

static ql_pca_options options_of(const job *j)
{
    return (ql_pca_options){.components = j->a->components,
                            .tolerance = j->a->tolerance,
                            .seed = (uint64_t)j->a->d.fit.model.seed.seed,
                            .threads = j->run->threads};
}

static ql_status begin_output(job *j)
{
    ql_err *err = &j->run->err;
    char obsm[256];
    ql_write_options opt = {.force = j->a->d.force, .threads = j->run->threads};
    QL_TRY(ql_denoise_deflate(&j->a->d, &opt.deflate, err));
    const int known = j->fit.notes.n;
    QL_TRY(ql_h5ad_begin(j->a->d.output, &j->fit.ds, &opt, &j->fit.notes, &j->writer, err));
    ql_notes added = {.items = j->fit.notes.items + known, .n = j->fit.notes.n - known};
    ql_log_notes(j->run->log, &added);
    snprintf(obsm, sizeof obsm, "obsm/%s", j->key);
    const char *const claims[] = {obsm, "varm/PCs", "uns/pca", RUN_KEY};
    for (size_t i = 0; i < sizeof claims / sizeof *claims; i++)
        QL_TRY(ql_h5ad_claim(j->writer, claims[i], err));
    return QL_OK;
}

/* ---- the work ---- */

static void tell(const job *j)
{
    const ql_pca *p = &j->pca;
    double share = 0;
    for (int64_t i = 0; i < p->n; i++) share += p->variance[i] / p->total_variance;
    ql_log_info(j->run->log,
                "%lld principal components hold %.2f %% of the variance; %d passes over the cells, "
                "largest |A'u - sv| / s %.1e (tolerance %.1e)",
                (long long)p->n, 100 * share, p->passes, p->residual, j->a->tolerance);
    if (!p->converged)
        ql_log_warn(j->run->log,
                    "the tolerance was not reached: the last components are not exact; ask for "
                    "fewer, or a looser --tolerance");
    if (p->n < j->a->components)
        ql_log_warn(j->run->log, "the matrix has no more than %lld components", (long long)p->n);
    ql_summary_int(j->run->summary, "cells", j->prep.n_cells);
    ql_summary_int(j->run->summary, "genes", j->prep.n_genes);
    ql_summary_int(j->run->summary, "components", p->n);
    ql_summary_int(j->run->summary, "passes", p->passes);
    ql_summary_double(j->run->summary, "residual", p->residual);
    ql_summary_double(j->run->summary, "variance_share", share);
}

static ql_status fit(job *j)
{
    const model_args *m = &j->a->d.fit.model;
    const ql_prep_options prep = {.log = m->log_input,
                                  .size_factors = m->size_factors,
                                  .center = true,
                                  .scale = m->norm_input};
    const ql_pca_options opt = options_of(j);
    QL_TRY(
        ql_prep_counts(&j->fit.rows, prep, j->fit.kern, j->run->threads, &j->prep, &j->run->err));
    QL_TRY(ql_pca_fit(&j->fit.rows, &j->prep, &opt, j->fit.kern, &j->pca, &j->run->err));
    tell(j);
    return QL_OK;
}

/* ---- the results ---- */

static ql_status write_scores(const job *j, ql_err *err)
{
    char key[256];
    float *scores;
    const int64_t n = j->fit.rows.n_rows;
    QL_TRY(QL_NEW(scores, n * j->pca.n, "the principal components", err));
    snprintf(key, sizeof key, "obsm/%s", j->key);
    ql_status st =
        ql_pca_scores(&j->pca, &j->fit.rows, &j->prep, j->run->threads, j->fit.kern, scores, err);
    if (st == QL_OK) st = ql_h5ad_matrix(j->writer, key, scores, n, j->pca.n, err);
    ql_free(scores);
    return st;
}

/* Genes that were set aside have loadings 0. */
static ql_status write_loadings(const job *j, ql_err *err)
{
    float *x;
    const ql_pca *p = &j->pca;
    QL_TRY(QL_NEW(x, j->prep.n_genes * p->n, "the loadings", err));
    for (int64_t g = 0; g < p->n_genes; g++)
        for (int64_t i = 0; i < p->n; i++)
            x[j->prep.kept_gene[g] * p->n + i] = (float)p->loading[i * p->n_genes + g];
    ql_status st = ql_h5ad_matrix(j->writer, "varm/PCs", x, j->prep.n_genes, p->n, err);
    ql_free(x);
    return st;
}

static ql_status write_variances(const job *j, ql_err *err)
{
    const ql_pca *p = &j->pca;
    double *ratio;
    QL_TRY(QL_NEW(ratio, p->n, "the variances", err));
    for (int64_t i = 0; i < p->n; i++) ratio[i] = p->variance[i] / p->total_variance;
    ql_status st = ql_h5ad_doubles(j->writer, "uns/pca/variance", p->variance, p->n, err);
    if (st == QL_OK) st = ql_h5ad_doubles(j->writer, "uns/pca/variance_ratio", ratio, p->n, err);
    ql_free(ratio);
    return st;
}

static ql_status write_run(const job *j, ql_err *err)
{
    char scale[300];
    const uint64_t weights =
        ql_doubles_fingerprint(j->pca.loading, j->pca.n * j->pca.n_genes, QL_HASH_START);
    ql_str json = {0};
    ql_h5ad_writer *w = j->writer;
    QL_TRY(ql_h5ad_string(w, RUN_KEY "/version", "quell " QL_VERSION, err));
    QL_TRY(ql_h5ad_string(w, RUN_KEY "/model", "pca", err));
    QL_TRY(ql_h5ad_string(w, RUN_KEY "/matrix", j->fit.ds.matrix, err));
    QL_TRY(ql_h5ad_hash(w, RUN_KEY "/weights_fnv1a", weights, err));
    QL_TRY(ql_h5ad_double(w, RUN_KEY "/median_counts", j->prep.median_total, err));
    QL_TRY(ql_h5ad_double(w, RUN_KEY "/total_variance", j->pca.total_variance, err));
    QL_TRY(ql_h5ad_double(w, RUN_KEY "/residual", j->pca.residual, err));
    QL_TRY(ql_h5ad_int(w, RUN_KEY "/passes", j->pca.passes, err));
    snprintf(scale, sizeof scale, RUN_KEY "/scale/%s", j->key);
    QL_TRY(ql_h5ad_string(
        w, scale, "coordinates along principal components of the scaled inputs; no counts", err));
    ql_options_json(j->run->opts, false, &json);
    ql_status st = json.failed ? ql_fail(err, QL_EMEMORY, "no memory for the options")
                               : ql_h5ad_string(w, RUN_KEY "/options", ql_str_text(&json), err);
    ql_str_free(&json);
    return st;
}

static ql_status write_results(job *j)
{
    ql_err *err = &j->run->err;
    QL_TRY(write_scores(j, err));
    QL_TRY(write_loadings(j, err));
    QL_TRY(write_variances(j, err));
    QL_TRY(write_run(j, err));
    ql_h5ad_writer *writer = j->writer;
    j->writer = NULL; /* commit frees it in any case */
    QL_TRY(ql_h5ad_commit(writer, err));
    ql_log_info(j->run->log, "wrote %s: obsm/%s (%lld dimensions), varm/PCs, uns/pca",
                j->a->d.output, j->key, (long long)j->pca.n);
    return QL_OK;
}

static ql_status work(job *j)
{
    bool done;
    const fit_output output = {.path = j->a->d.output, .components = j->a->components};
    QL_TRY(fit_run_begin(&j->fit, &j->a->d.fit, output, j->run));
    QL_TRY(fit_run_read(&j->fit, &done));
    if (done) return QL_OK;
    QL_TRY(begin_output(j));
    QL_TRY(fit(j));
    return write_results(j);
}

ql_status embed_pca(const embed_args *a, const char *key, ql_run *run)
{
    job j = {.a = a, .key = key, .run = run};
    ql_status st = work(&j);
    ql_h5ad_abort(j.writer);
    ql_pca_free(&j.pca);
    ql_prep_free(&j.prep);
    fit_run_free(&j.fit);
    return st;
}
