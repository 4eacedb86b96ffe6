/* quell denoise: read counts, train a count autoencoder, write denoised counts and a latent space.
 */
#include <stdio.h>
#include <string.h>

#include "denoise_output.h"
#include "quell/alloc.h"

/* Everything of one run. */
typedef struct {
    const denoise_args *a;
    ql_run *run;
    fit_run fit;
    ql_h5ad_writer *writer; /* NULL without --output */
    gene_list genes;
    unsigned which; /* --write */
    cell_extras extras;
    bool posterior;
} job;

static void release(job *j)
{
    ql_h5ad_abort(j->writer);
    fit_run_free(&j->fit);
    gene_list_free(&j->genes);
    cell_extras_free(&j->extras);
}

/* ---- before the work ---- */

static ql_status check_outputs(const job *j)
{
    const denoise_args *a = j->a;
    ql_err *err = &j->run->err;
    if (!a->output && !a->tsv && !a->obs_out && !a->obsm_out && !a->layer_out)
        return ql_fail(err, QL_EUSAGE, "no output: give -o FILE.h5ad (or --tsv DIR)");
    if (!*a->key || strchr(a->key, '/') || !strcmp(a->key, ".") || strlen(a->key) > 200)
        return ql_fail(err, QL_EUSAGE, "--key: '%s' cannot name a member of obsm", a->key);
    if (a->tsv) QL_TRY(denoise_check_tsv(a->tsv, a->force, err));
    for (int i = 0; i < j->run->n_args; i++) {
        QL_TRY(denoise_check_side(a, j->run->args[i], err));
        if (a->output) QL_TRY(ql_output_check(a->output, j->run->args[i], a->force, err));
    }
    return ql_inputs_check(&a->fit.join, j->run);
}

/* Reads without UMIs count a molecule many times, so few of their entries are 1. */
#define READS_ONES_SHARE 0.2

static ql_status looks_like_umis(const ql_rows *m, bool *umis, ql_err *err)
{
    int64_t ones = 0;
    ql_row_cursor c;
    QL_TRY(ql_cursor_open(&c, m, err));
    for (int64_t i = 0; i < m->n_rows; i++) {
        ql_row_view row = ql_cursor_row(&c, i);
        for (int64_t k = 0; k < row.n; k++) ones += row.count[k] <= 1;
    }
    ql_cursor_close(&c);
    *umis = (double)ones >= READS_ONES_SHARE * (double)m->nnz;
    return ql_rows_check(m, err);
}

static ql_status choose_estimate(job *j)
{
    const char *asked = j->a->estimate;
    bool can = j->fit.options.ae.likelihood->disp != QL_DISP_NONE || j->fit.options.fit_theta, umis;
    j->posterior = can && (!asked || strcmp(asked, "mean") != 0);
    if (asked || !can) return QL_OK;
    QL_TRY(looks_like_umis(&j->fit.rows, &umis, &j->run->err));
    if (umis) return QL_OK;
    j->posterior = false;
    ql_log_warn(j->run->log,
                "few entries are 1: these look like reads without UMIs, where the posterior "
                "would keep amplification noise; writing the mean (--estimate posterior to "
                "have it all the same)");
    return QL_OK;
}

static ql_status begin_output(job *j)
{
    ql_write_options opt = {.force = j->a->force, .threads = j->run->threads};
    int notes = j->fit.notes.n;
    QL_TRY(ql_denoise_deflate(j->a, &opt.deflate, &j->run->err));
    if (!j->a->output) return QL_OK;
    QL_TRY(ql_h5ad_begin(j->a->output, &j->fit.ds, &opt, &j->fit.notes, &j->writer, &j->run->err));
    ql_notes added = {.items = j->fit.notes.items + notes, .n = j->fit.notes.n - notes};
    ql_log_notes(j->run->log, &added);
    return denoise_claim_h5ad(j->a, j->writer, &j->run->err);
}

/* ---- the work ---- */

static void report(const job *j, const denoise_result *r)
{
    denoise_report(r, &j->fit.fitted.score, "cells that were not trained on", "heldout");
    if (j->a->fit.model.mcv)
        denoise_report(r, &j->fit.mcv, "all cells, a model of 90 % of their molecules", "mcv");
}

static ql_status write_results(job *j)
{
    denoise_result r = {.args = j->a,
                        .run = j->run,
                        .ds = &j->fit.ds,
                        .rows = &j->fit.rows,
                        .fitted = &j->fit.fitted,
                        .genes = &j->genes,
                        .extras = &j->extras,
                        .posterior = j->posterior,
                        .mcv = j->a->fit.model.mcv ? &j->fit.mcv : NULL};
    report(j, &r);
    QL_TRY(cell_extras_make(&j->fit.fitted, &j->fit.rows, j->which, j->run, &j->extras));
    if (j->a->tsv) QL_TRY(denoise_write_tsv(&r, j->a->tsv, &j->run->err));
    QL_TRY(denoise_write_side(&r, &j->run->err));
    if (!j->writer) return QL_OK;
    QL_TRY(denoise_write_h5ad(&r, j->writer, &j->run->err));
    ql_h5ad_writer *writer = j->writer;
    j->writer = NULL; /* commit frees it in any case */
    QL_TRY(ql_h5ad_commit(writer, &j->run->err));
    ql_log_info(j->run->log, "wrote %s: obsm/%s (%lld dimensions)%s", j->a->output, j->a->key,
                (long long)ql_ae_latent_width(&j->fit.fitted.ae),
                j->a->denoised ? ", layers/denoised" : "");
    if (j->a->denoised)
        ql_log_info(j->run->log, "layers/denoised: %s", denoise_scale_text(j->posterior));
    return QL_OK;
}

static ql_status work(job *j)
{
    bool done;
    QL_TRY(extras_parse(j->a->write, ql_likelihood_find(j->a->fit.model.type), &j->which,
                        &j->run->err));
    if (!j->a->fit.plan) QL_TRY(check_outputs(j));
    const fit_output output = {.path = j->a->output,
                               .layer = j->a->denoised || (j->which & EXTRA_LAYERS),
                               .text = j->a->tsv != NULL,
                               .columns = j->a->obs_out != NULL,
                               .scores = extras_scores(j->which)};
    QL_TRY(fit_run_begin(&j->fit, &j->a->fit, output, j->run));
    QL_TRY(fit_run_read(&j->fit, &done));
    if (done) return QL_OK;
    if (j->a->genes)
        QL_TRY(gene_list_read(j->a->genes, &j->fit.ds.genes.index, j->run->log, &j->genes,
                              &j->run->err));
    QL_TRY(choose_estimate(j));
    QL_TRY(begin_output(j));
    QL_TRY(fit_run_train(&j->fit));
    return write_results(j);
}

static ql_status denoise_run(const void *args, ql_run *run)
{
    job j = {.a = args, .run = run};
    ql_status st = work(&j);
    release(&j);
    return st;
}

static const ql_opt_table denoise_tables[] = {
    {ql_denoise_rows, 0},
    FIT_TABLES(denoise_args, fit),
    {NULL, 0},
};

static const ql_positional denoise_positionals[] = {
    {"INPUT...", "count matrices, in any format that can be read; several are joined"},
    {NULL, NULL},
};

const ql_command ql_cmd_denoise = {
    .name = "denoise",
    .group = "Models",
    .summary = "denoised counts and a latent space of a count matrix",
    .positionals = denoise_positionals,
    .examples = {{"quell denoise filtered_feature_bc_matrix.h5 -o pbmc.h5ad",
                  "train, denoise, embed: layers/denoised and obsm/X_dca"},
                 {"quell denoise pbmc.h5ad -o dca.h5ad --like dca --threads 8",
                  "the same with the settings of DCA 0.3.3"}},
    .tables = denoise_tables,
    .presets = ql_model_presets,
    QL_ARGS(denoise_args),
    .run = denoise_run,
};
