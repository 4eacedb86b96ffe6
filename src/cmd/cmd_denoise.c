/* quell denoise: read counts, train a count autoencoder, write denoised counts and a latent space.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "denoise_output.h"
#include "denoise_plan.h"
#include "quell/alloc.h"
#include "quell/clock.h"

/* Everything of one run. */
typedef struct {
    const denoise_args *a;
    ql_run *run;
    const ql_kern *kern;
    const char *bf16_how; /* instructions of --precision bf16; NULL: float32 */
    ql_fit_options fit;
    ql_dataset ds;
    ql_rows rows;  /* its counts */
    ql_str folder; /* of the output, if the cache goes there */
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
    ql_str_free(&j->folder);
    ql_notes_free(&j->notes);
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
    return ql_inputs_check(&a->join, j->run);
}

/* Folder of the cache: what was asked for, else the system's choice, else that of the output. */
static const char *cache_folder(job *j)
{
    const char *system = getenv("TMPDIR"), *output = j->a->output;
    const char *slash = output ? strrchr(output, '/') : NULL;
    if (j->a->tmpdir) return j->a->tmpdir;
    if (system && *system) return system;
    if (!slash) return ".";
    ql_str_clear(&j->folder);
    ql_str_printf(&j->folder, "%.*s", slash == output ? 1 : (int)(slash - output), output);
    return ql_str_text(&j->folder);
}

/* With what is known now that the counts are read; of sizes only what reading holds. */
static denoise_plan plan_of_counts(const job *j, ql_read_sizes sizes)
{
    const ql_names *cells = &j->ds.cells.index, *genes = &j->ds.genes.index;
    int64_t names = cells->cap_bytes + 8 * cells->cap_n + 3 * (genes->cap_bytes + 8 * genes->cap_n);
    sizes.n_rows = j->rows.n_rows;
    sizes.n_cols = j->rows.n_cols;
    sizes.nnz = j->rows.nnz;
    sizes.max_row = j->rows.max_row;
    return denoise_plan_of(j->a, &j->fit, &sizes, names);
}

/* Of the rest of the run. */
static denoise_plan final_plan(const job *j)
{
    denoise_plan p = plan_of_counts(j, (ql_read_sizes){.streams = j->ds.store != NULL});
    if (j->ds.store) denoise_plan_store(&p, j->ds.store);
    return p;
}

/* Of another run of the same input, which tells no sizes before it is read. */
static denoise_plan plan_next(const job *j, const ql_read_sizes *read)
{
    denoise_plan p = plan_of_counts(j, (ql_read_sizes){.streams = read->streams,
                                                       .band_bytes = read->band_bytes,
                                                       .sort_bytes = read->sort_bytes});
    int64_t *took = j->ds.store ? &p.stream : &p.memory;
    if (*took < ql_peak_rss()) *took = ql_peak_rss();
    return p;
}

static void tell_matrix(const job *j)
{
    ql_log_info(j->run->log, "%s: %s, matrix %s, %lld cells x %lld genes, %lld nonzero entries",
                j->ds.path, j->ds.format, j->ds.matrix, (long long)j->rows.n_rows,
                (long long)j->rows.n_cols, (long long)j->rows.nnz);
}

/* Several inputs are joined in memory. */
static ql_status read_as(job *j, const ql_read_options *opt, int64_t near, bool stream)
{
    ql_err *err = &j->run->err;
    if (!stream || j->run->n_args > 1) {
        QL_TRY(ql_inputs_read(&j->a->join, opt, j->run, &j->ds, &j->notes));
        j->rows = ql_dataset_rows(&j->ds);
        return QL_OK;
    }
    QL_TRY(ql_read_streamed(j->run->args[0], opt, cache_folder(j), near, &j->ds, &j->notes, err));
    j->rows = ql_dataset_rows(&j->ds);
    ql_log_notes(j->run->log, &j->notes);
    tell_matrix(j);
    return QL_OK;
}

/* Sizes, where one input tells them. */
static ql_status measure(const job *j, const ql_read_options *opt, ql_read_sizes *sizes)
{
    *sizes = (ql_read_sizes){0};
    return j->run->n_args > 1 ? QL_OK : ql_read_measure(j->run->args[0], opt, sizes, &j->run->err);
}

/* Of a matrix of which nothing is known but a guess: in bands if it may not fit, which costs
 * little, and once more in bands if it turns out not to. */
static ql_status read_unknown(job *j, const ql_read_options *opt, const ql_read_sizes *sizes,
                              bool stream)
{
    enum { NEAR = 64 << 20, SHARE = 8 }; /* of the counts that training holds */
    const int64_t budget = j->run->memory;
    const int64_t near = budget > 0 && budget / SHARE < NEAR ? budget / SHARE : NEAR;
    ql_err *err = &j->run->err;
    if (budget > 0 && sizes->streams && sizes->whole_bytes > budget) stream = true;
    ql_status st = read_as(j, opt, near, stream);
    if (st != QL_EMEMORY || j->run->n_args > 1) return st;
    if (!stream) {
        *err = (ql_err){0};
        ql_notes_free(&j->notes);
        st = read_as(j, opt, near, true);
    }
    if (st != QL_EMEMORY || sizes->streams) return st;
    return ql_hint(err,
                   "the input is read whole; as an h5ad with csr counts (quell convert) it can be "
                   "read in pieces");
}

/* Read the counts into memory, or into a file if the plan says so. Where the format tells no sizes,
 * they are read first and moved if they have to. *done: only the plan was wanted. */
static ql_status read_input(job *j, bool *done)
{
    ql_read_options opt;
    ql_read_sizes sizes;
    bool stream = j->a->stream;
    ql_err *err = &j->run->err;
    QL_TRY(ql_read_args_options(&j->a->read, j->run->threads, &opt, err));
    opt.allow_noncounts = j->a->allow_noncounts;
    opt.columns = j->a->obs_out != NULL;
    QL_TRY(measure(j, &opt, &sizes));
    denoise_plan p = denoise_plan_of(j->a, &j->fit, &sizes, 0);
    *done = j->a->plan && sizes.n_rows > 0;
    if (*done) return denoise_plan_print(&p, j->a->plan, j->run);
    ql_status st = QL_OK;
    if (sizes.n_rows > 0) st = denoise_plan_choose(&p, stream, j->run, &stream);
    if (st == QL_EMEMORY && sizes.rough && sizes.streams) {
        stream = true; /* reading in bands will tell how large it is */
        *err = (ql_err){0};
        st = QL_OK;
    }
    if (st != QL_OK) return st;
    st =
        sizes.n_rows > 0 ? read_as(j, &opt, p.near, stream) : read_unknown(j, &opt, &sizes, stream);
    if (st != QL_OK) return st;
    *done = j->a->plan != NULL;
    p = *done ? plan_next(j, &sizes) : final_plan(j);
    if (*done) return denoise_plan_print(&p, j->a->plan, j->run);
    QL_TRY(denoise_plan_choose(&p, j->ds.store != NULL, j->run, &stream));
    if (stream && !j->ds.store) {
        QL_TRY(ql_dataset_stream(&j->ds, cache_folder(j), p.near, err));
        j->rows = ql_dataset_rows(&j->ds);
        p.cache = ql_store_bytes(j->ds.store);
    }
    denoise_plan_tell(&p, stream, stream ? ql_store_folder(j->ds.store) : NULL, j->run);
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
    bool can = j->fit.ae.likelihood->disp != QL_DISP_NONE || j->fit.fit_theta, umis;
    j->posterior = can && (!asked || strcmp(asked, "mean") != 0);
    if (asked || !can) return QL_OK;
    QL_TRY(looks_like_umis(&j->rows, &umis, &j->run->err));
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
        QL_TRY(ql_cross_validate(&j->rows, &j->fit, j->kern, &listener, &j->mcv, &j->run->err));
        ql_log_progress_end(j->run->log);
    }
    QL_TRY(ql_fit(&j->rows, &j->fit, j->kern, &listener, &j->fitted, &j->run->err));
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
                        .rows = &j->rows,
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
    bool done;
    if (!j->a->plan) QL_TRY(check_outputs(j));
    QL_TRY(ql_denoise_fit_options(j->a, j->run->threads, &j->fit, &j->run->err));
    QL_TRY(choose_kernels(j));
    QL_TRY(read_input(j, &done));
    if (done) return QL_OK;
    QL_TRY(read_genes(j));
    j->fit.train.molecules = j->ds.is_counts;
    QL_TRY(choose_estimate(j));
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
    {ql_join_rows, offsetof(denoise_args, join)},
    {ql_read_rows, offsetof(denoise_args, read)},
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
    .presets = ql_denoise_presets,
    QL_ARGS(denoise_args),
    .run = denoise_run,
};
