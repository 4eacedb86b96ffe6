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
    const ql_kern *kern;
    const char *bf16_how; /* instructions of --precision bf16; NULL: float32 */
    ql_fit_options fit;
    ql_dataset ds;
    ql_notes notes;
    ql_h5ad_writer *writer; /* NULL without --output */
    int32_t *genes;         /* --genes, ascending; NULL: all */
    int64_t n_genes;
    bool posterior;
    ql_score mcv;
    ql_fitted fitted;
} job;

static void release(job *j)
{
    ql_h5ad_abort(j->writer);
    ql_fitted_free(&j->fitted);
    ql_free(j->genes);
    ql_dataset_free(&j->ds);
    ql_notes_free(&j->notes);
}

/* ---- before the work ---- */

static ql_status check_outputs(const job *j)
{
    const denoise_args *a = j->a;
    if (!a->output && !a->tsv && !a->obs_out && !a->obsm_out && !a->layer_out)
        return ql_fail(&j->run->err, QL_EUSAGE, "no output: give -o FILE.h5ad (or --tsv DIR)");
    if (!*a->key || strchr(a->key, '/') || !strcmp(a->key, ".") || strlen(a->key) > 200)
        return ql_fail(&j->run->err, QL_EUSAGE, "--key: '%s' cannot name a member of obsm", a->key);
    if (a->tsv) QL_TRY(denoise_check_tsv(a->tsv, a->force, &j->run->err));
    QL_TRY(denoise_check_side(a, j->run->args[0], &j->run->err));
    if (!a->output) return QL_OK;
    return ql_output_check(a->output, j->run->args[0], a->force, &j->run->err);
}

static ql_status read_input(job *j)
{
    ql_read_options opt;
    QL_TRY(ql_read_args_options(&j->a->read, j->run->threads, &opt, &j->run->err));
    opt.allow_noncounts = j->a->allow_noncounts;
    opt.columns = j->a->obs_out != NULL;
    QL_TRY(ql_read_counts(j->run->args[0], &opt, &j->ds, &j->notes, &j->run->err));
    ql_log_notes(j->run->log, &j->notes);
    ql_log_info(j->run->log, "%s: %s, matrix %s, %lld cells x %lld genes, %lld nonzero entries",
                j->ds.path, j->ds.format, j->ds.matrix, (long long)j->ds.counts.n_rows,
                (long long)j->ds.counts.n_cols, (long long)ql_csr_nnz(&j->ds.counts));
    return QL_OK;
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
    QL_GO(ql_name_index_new(&j->ds.genes.index, &index, &j->run->err));
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

static bool looks_like_umis(const ql_csr *m)
{
    int64_t ones = 0, nnz = ql_csr_nnz(m);
    for (int64_t k = 0; k < nnz; k++) ones += m->data[k] <= 1;
    return (double)ones >= READS_ONES_SHARE * (double)nnz;
}

static void choose_estimate(job *j)
{
    const char *asked = j->a->estimate;
    bool can = j->fit.ae.likelihood->disp != QL_DISP_NONE || j->fit.fit_theta;
    j->posterior = can && (!asked || strcmp(asked, "mean") != 0);
    if (asked || !can || looks_like_umis(&j->ds.counts)) return;
    j->posterior = false;
    ql_log_warn(j->run->log,
                "few entries are 1: these look like reads without UMIs, where the posterior "
                "would keep amplification noise; writing the mean (--estimate posterior to "
                "have it all the same)");
}

/* What the run will take beside what is already held, against the budget. */
static ql_status check_memory(const job *j)
{
    const double mib = 1 << 20;
    int64_t need = ql_fit_bytes(&j->ds.counts, &j->fit);
    int64_t band = 2 * 256 * j->ds.counts.n_cols * (int64_t)sizeof(float);
    int64_t latent = j->ds.counts.n_rows * 64 * (int64_t)sizeof(float);
    int64_t copies = j->a->mcv ? ql_csr_nnz(&j->ds.counts) * 16 : 0;
    int64_t plan = ql_alloc_bytes() + need + band + latent + copies;
    ql_summary_int(j->run->summary, "planned_bytes", plan);
    if (j->run->memory > 0 && plan > j->run->memory)
        return ql_fail(
            &j->run->err, QL_EMEMORY,
            "needs %.0f MiB, but the memory budget is %.0f MiB (%s); give --memory %.0fM",
            (double)plan / mib, (double)j->run->memory / mib, j->run->memory_from,
            (double)plan / mib + 1);
    ql_log_info(j->run->log, "memory: %.0f MiB planned", (double)plan / mib);
    return QL_OK;
}

static ql_status begin_output(job *j)
{
    ql_write_options opt = {.force = j->a->force, .threads = j->run->threads};
    int notes = j->notes.n;
    QL_TRY(ql_denoise_deflate(j->a, &opt.deflate, &j->run->err));
    if (!j->a->output) return QL_OK;
    QL_TRY(ql_h5ad_begin(j->a->output, &j->ds, &opt, &j->notes, &j->writer, &j->run->err));
    ql_notes added = {.items = j->notes.items + notes, .n = j->notes.n - notes};
    ql_log_notes(j->run->log, &added);
    return denoise_claim_h5ad(j->a, j->writer, &j->run->err);
}

/* ---- the work ---- */

static void on_epoch(void *ctx, int64_t number, const ql_epoch *e, bool best)
{
    const job *j = ctx;
    ql_progress p = QL_PROGRESS("train", "epoch", (double)number, (double)j->fit.train.epochs);
    p.may_stop = true;
    p.loss = e->loss;
    p.validation = e->validation;
    p.cells = number * j->ds.counts.n_rows;
    ql_log_progress(j->run->log, &p);
    ql_log_metric(j->run->log, number, "loss", e->loss);
    ql_log_metric(j->run->log, number, "validation", e->validation);
    (void)best;
}

static void on_warning(void *ctx, const char *text)
{
    const job *j = ctx;
    ql_log_warn(j->run->log, "%s", text);
}

static void tell_model(const job *j)
{
    const ql_ae_config *c = &j->fit.ae;
    ql_str hidden = {0};
    for (int i = 0; i < c->n_hidden; i++)
        ql_str_printf(&hidden, i ? "-%lld" : "%lld", (long long)c->hidden[i]);
    ql_log_info(j->run->log,
                "model: %s, hidden layers %s, %s, seed %lld, %d threads (%s), %s kernels%s%s",
                c->likelihood->name, ql_str_text(&hidden), c->optimizer->name, (long long)c->seed,
                j->run->threads, j->run->threads_from, j->kern->isa,
                j->bf16_how ? ", products in bfloat16 by " : "", j->bf16_how ? j->bf16_how : "");
    ql_str_free(&hidden);
}

static void tell_training(const job *j)
{
    const ql_fitted *f = &j->fitted;
    const ql_prep *p = &f->prep;
    if (p->n_kept_genes < p->n_genes || p->n_kept_cells < p->n_cells)
        ql_log_info(j->run->log, "set aside: %lld genes and %lld cells without counts",
                    (long long)(p->n_genes - p->n_kept_genes),
                    (long long)(p->n_cells - p->n_kept_cells));
    ql_log_info(j->run->log,
                "trained %lld epochs of %lld cells in minibatches of %lld (%s; best epoch %lld, "
                "validation %.6f)",
                (long long)f->result.n_epochs, (long long)f->split.n_train,
                (long long)f->train.batch_size, f->result.stopped, (long long)f->result.best + 1,
                f->result.n_epochs ? f->result.history[f->result.best].validation : 0);
    ql_summary_int(j->run->summary, "cells", p->n_cells);
    ql_summary_int(j->run->summary, "genes", p->n_genes);
    ql_summary_int(j->run->summary, "epochs", f->result.n_epochs);
    ql_summary_int(j->run->summary, "best_epoch", f->result.best + 1);
}

static ql_status train(job *j)
{
    ql_train_listener listener = {on_epoch, on_warning, j};
    tell_model(j);
    if (j->a->mcv && j->ds.is_counts) {
        QL_TRY(
            ql_cross_validate(&j->ds.counts, &j->fit, j->kern, &listener, &j->mcv, &j->run->err));
        ql_log_progress_end(j->run->log);
    }
    QL_TRY(ql_fit(&j->ds.counts, &j->fit, j->kern, &listener, &j->fitted, &j->run->err));
    ql_log_progress_end(j->run->log);
    tell_training(j);
    return QL_OK;
}

static void report(const job *j, const denoise_result *r)
{
    denoise_report(r, &j->fitted.score, "cells that were not trained on", "heldout");
    if (j->a->mcv)
        denoise_report(r, &j->mcv, "all cells, a model of 90 % of their molecules", "mcv");
}

static ql_status write_results(job *j)
{
    denoise_result r = {.args = j->a,
                        .run = j->run,
                        .ds = &j->ds,
                        .fitted = &j->fitted,
                        .genes = j->genes,
                        .n_genes = j->n_genes,
                        .posterior = j->posterior,
                        .mcv = j->a->mcv ? &j->mcv : NULL};
    report(j, &r);
    if (j->a->tsv) QL_TRY(denoise_write_tsv(&r, j->a->tsv, &j->run->err));
    QL_TRY(denoise_write_side(&r, &j->run->err));
    if (!j->writer) return QL_OK;
    QL_TRY(denoise_write_h5ad(&r, j->writer, &j->run->err));
    ql_h5ad_writer *writer = j->writer;
    j->writer = NULL; /* commit frees it in any case */
    QL_TRY(ql_h5ad_commit(writer, &j->run->err));
    ql_log_info(j->run->log, "wrote %s: obsm/%s (%lld dimensions)%s", j->a->output, j->a->key,
                (long long)ql_ae_latent_width(&j->fitted.ae),
                j->a->denoised ? ", layers/denoised" : "");
    if (j->a->denoised)
        ql_log_info(j->run->log, "layers/denoised: %s", denoise_scale_text(j->posterior));
    return QL_OK;
}

static ql_status choose_kernels(job *j)
{
    ql_kern bf16;
    QL_TRY(ql_kern_select(&j->kern, &j->run->err));
    if (!j->fit.ae.bf16 || ql_kern_bf16(j->kern, &bf16, &j->bf16_how)) return QL_OK;
    return ql_fail(&j->run->err, QL_EUSAGE,
                   "--precision bf16 needs a processor with AMX or AVX512-BF16");
}

static ql_status work(job *j)
{
    QL_TRY(check_outputs(j));
    QL_TRY(ql_denoise_fit_options(j->a, j->run->threads, &j->fit, &j->run->err));
    QL_TRY(choose_kernels(j));
    QL_TRY(read_input(j));
    QL_TRY(read_genes(j));
    j->fit.train.molecules = j->ds.is_counts;
    choose_estimate(j);
    QL_TRY(check_memory(j));
    QL_TRY(begin_output(j));
    QL_TRY(train(j));
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
    {ql_seed_rows, offsetof(denoise_args, seed)},
    {ql_read_rows, offsetof(denoise_args, read)},
    {NULL, 0},
};

static const ql_positional denoise_positionals[] = {
    {"INPUT", "a count matrix, in any format that can be read"},
    {NULL, NULL},
};

const ql_command ql_cmd_denoise = {
    .name = "denoise",
    .group = "Models",
    .summary = "denoised counts and a latent space of one count matrix",
    .positionals = denoise_positionals,
    .examples = {{"quell denoise filtered_feature_bc_matrix.h5 -o pbmc.h5ad",
                  "train, denoise, embed: layers/denoised and obsm/X_dca"},
                 {"quell denoise pbmc.h5ad -o dca.h5ad --like dca --threads 8",
                  "the same with the settings of DCA 0.3.3"}},
    .tables = denoise_tables,
    .presets = ql_denoise_presets,
    QL_ARGS(denoise_args),
    .run = denoise_run,
};
