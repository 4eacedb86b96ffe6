/* quell denoise: read counts, train a count autoencoder, write denoised counts and a latent space.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "denoise_output.h"
#include "quell/alloc.h"

/* Everything of one run. */
typedef struct {
    const denoise_args *a;
    ql_run *run;
    fit_run fit;
    ql_h5ad_writer *writer; /* NULL without --output */
    int32_t *genes;         /* --genes, ascending; NULL: all */
    int64_t n_genes;
    bool posterior;
} job;

static void release(job *j)
{
    ql_h5ad_abort(j->writer);
    fit_run_free(&j->fit);
    ql_free(j->genes);
}

/* ---- before the work ---- */

ql_status denoise_check_outputs(const denoise_args *a, ql_run *run)
{
    ql_err *err = &run->err;
    if (!a->output && !a->tsv && !a->obs_out && !a->obsm_out && !a->layer_out)
        return ql_fail(err, QL_EUSAGE, "no output: give -o FILE.h5ad (or --tsv DIR)");
    if (!*a->key || strchr(a->key, '/') || !strcmp(a->key, ".") || strlen(a->key) > 200)
        return ql_fail(err, QL_EUSAGE, "--key: '%s' cannot name a member of obsm", a->key);
    if (a->tsv) QL_TRY(denoise_check_tsv(a->tsv, a->force, err));
    for (int i = 0; i < run->n_args; i++) {
        QL_TRY(denoise_check_side(a, run->args[i], err));
        if (a->output) QL_TRY(ql_output_check(a->output, run->args[i], a->force, err));
    }
    return ql_inputs_check(&a->fit.join, run);
}

static int compare_genes(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

/* One line of the --genes file; empty lines are skipped. */
static ql_status take_gene(job *j, const ql_name_index *index, char *line, int64_t number)
{
    line[strcspn(line, "\r\n")] = '\0';
    if (!*line) return QL_OK;
    int64_t at = ql_name_index_find(index, line);
    if (at < 0)
        return ql_fail(&j->run->err, QL_EDATA, "%s: line %lld: no gene is named '%.80s'",
                       j->a->genes, (long long)number, line);
    int32_t *grown = ql_realloc(j->genes, j->n_genes + 1, sizeof *grown);
    if (!grown) return ql_fail(&j->run->err, QL_EMEMORY, "no memory for the gene list");
    j->genes = grown;
    j->genes[j->n_genes++] = (int32_t)at;
    return QL_OK;
}

static ql_status finish_genes(job *j)
{
    int64_t kept = 0;
    if (j->n_genes == 0) return ql_fail(&j->run->err, QL_EDATA, "%s: names no gene", j->a->genes);
    qsort(j->genes, (size_t)j->n_genes, sizeof *j->genes, compare_genes);
    for (int64_t i = 0; i < j->n_genes; i++)
        if (i == 0 || j->genes[i] != j->genes[kept - 1]) j->genes[kept++] = j->genes[i];
    j->n_genes = kept;
    return QL_OK;
}

static ql_status read_genes(job *j)
{
    char line[4096];
    ql_name_index *index = NULL;
    ql_status st = QL_OK;
    if (!j->a->genes) return QL_OK;
    FILE *f = fopen(j->a->genes, "r");
    if (!f) return ql_fail(&j->run->err, QL_ENOINPUT, "%s: cannot be opened", j->a->genes);
    QL_GO(ql_name_index_new(&j->fit.ds.genes.index, &index, &j->run->err));
    for (int64_t number = 1; st == QL_OK && fgets(line, sizeof line, f); number++)
        st = take_gene(j, index, line, number);
    if (st == QL_OK) st = finish_genes(j);
out:
    ql_name_index_free(index);
    fclose(f);
    return st;
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
    if (!can && asked && strcmp(asked, "mean") != 0)
        return ql_fail(&j->run->err, QL_EUSAGE,
                       "--estimate %s: a model of the scaled inputs has no posterior", asked);
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
                        .genes = j->genes,
                        .n_genes = j->n_genes,
                        .posterior = j->posterior,
                        .mcv = j->a->fit.model.mcv ? &j->fit.mcv : NULL};
    report(j, &r);
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
        ql_log_info(j->run->log, "layers/denoised: %s", denoise_scale_of(&r, j->posterior));
    return QL_OK;
}

static ql_status work(job *j)
{
    bool done;
    if (!j->a->fit.plan) QL_TRY(denoise_check_outputs(j->a, j->run));
    const fit_output output = {.path = j->a->output,
                               .layer = j->a->denoised,
                               .text = j->a->tsv != NULL,
                               .columns = j->a->obs_out != NULL};
    QL_TRY(fit_run_begin(&j->fit, &j->a->fit, output, j->run));
    QL_TRY(fit_run_read(&j->fit, &done));
    if (done) return QL_OK;
    QL_TRY(read_genes(j));
    QL_TRY(choose_estimate(j));
    QL_TRY(begin_output(j));
    QL_TRY(fit_run_train(&j->fit));
    return write_results(j);
}

ql_status denoise_work(const denoise_args *a, ql_run *run)
{
    job j = {.a = a, .run = run};
    ql_status st = work(&j);
    release(&j);
    return st;
}

static ql_status denoise_run(const void *args, ql_run *run)
{
    return denoise_work(args, run);
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
