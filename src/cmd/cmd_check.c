/* quell check: what denoising finds where there is nothing to be found. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "check/check_tests.h"
#include "fit/fit_run.h"
#include "quell/alloc.h"
#include "quell/gene_gain.h"
#include "quell/h5ad_writer.h"
#include "quell/json.h"
#include "quell/kmeans.h"
#include "quell/predict.h"
#include "quell/text_file.h"

typedef struct {
    ql_common_args common;
    fit_args fit;
    const char *output, *group;
    int64_t null_genes, draws, stratum, n_groups;
    bool force, shrink_genes;
} check_args;

#define S check_args
/* clang-format off */
static const ql_option check_rows[] = {
    {.name = "output", .letter = 'o', QL_STRING_AT(S, output), .unit = "FILE", .group = "Output",
     .bits = QL_OPT_VOLATILE, .unset = "the log alone", .help = "the table as FILE.tsv or FILE.json"},
    {.name = "force", QL_FLAG_AT(S, force), .group = "Output", .bits = QL_OPT_VOLATILE,
     .help = "replace an existing file"},
    {.name = "group", QL_STRING_AT(S, group), .unit = "COLUMN", .group = "Check",
     .unset = "k-means of the latent space", .help = "column of obs with the groups to test between"},
    {.name = "groups", QL_INT64_AT(S, n_groups), .def = "6", .min = 2, .max = 1000, .unit = "K",
     .group = "Check", .help = "without --group: how many groups of the latent space"},
    {.name = "null-genes", QL_INT64_AT(S, null_genes), .def = "300", .min = 2, .max = 5000,
     .group = "Check", .help = "how many permuted genes are mixed in"},
    {.name = "draws", QL_INT64_AT(S, draws), .def = "10", .min = 2, .max = 64, .group = "Check",
     .help = "draws that are pooled"},
    {.name = "shrink-genes", QL_FLAG_AT(S, shrink_genes), .group = "Check", .unset = "for draws",
     .help = "as quell denoise --shrink-genes",
     .more = "Unless given, the rows are of what quell denoise writes by default: means of the model as "
             "it is, and draws of the one whose genes have been shrunk. --no-shrink-genes: all of the model as "
             "it is."},
    {.name = "stratum", QL_INT64_AT(S, stratum), .def = "50", .min = 4, .max = 1e6, .group = "Check",
     .level = QL_OPT_EXPERT, .help = "cells of like depth, among which genes are permuted"},
    {.name = NULL},
};
/* clang-format on */
#undef S

enum { LEAST_CELLS = 20 }; /* that express a gene, and that are in a group */

/* The rows of the table. */
typedef struct {
    const char *name, *text;
    ql_value value;
    bool draw, pooled, of_model;
} look;

static const look looks[] = {
    {"counts", "the counts, before", QL_VALUE_MEAN, false, false, false},
    {"mean", "model mean", QL_VALUE_MEAN, false, false, true},
    {"posterior", "posterior mean", QL_VALUE_POSTERIOR, false, false, true},
    {"draw_rate", "one draw of rates", QL_VALUE_DRAW, true, false, true},
    {"draws_rate", "draws of rates, pooled", QL_VALUE_DRAW, true, true, true},
    {"draw_counts", "one draw of counts", QL_VALUE_DRAW_COUNTS, true, false, true},
    {"draws_counts", "draws of counts, pooled", QL_VALUE_DRAW_COUNTS, true, true, true},
};
enum { N_LOOKS = sizeof looks / sizeof *looks };

typedef struct {
    check_called at_5, at_1;
    check_pairs pairs;
} finding;

typedef struct {
    const check_args *a;
    ql_run *run;
    fit_run fit;
    ql_csr mixed; /* the counts and the null genes */
    depth_strata strata;
    int32_t *source; /* [n_null] real genes; owned */
    int32_t *genes;  /* [2 n_null] columns that are looked at; owned */
    int64_t n_null, n_cells;
    ql_labels groups;
    check_design design;
    float *before, *values; /* [cells, 2 n_null]; owned */
    finding found[N_LOOKS];
} check_job;

static void release(check_job *j)
{
    fit_run_free(&j->fit);
    ql_csr_free(&j->mixed);
    depth_strata_free(&j->strata);
    ql_labels_free(&j->groups);
    ql_free(j->source);
    ql_free(j->genes);
    ql_free(j->before);
    ql_free(j->values);
}

/* ---- groups ---- */

/* k-means of the latent space. */
static ql_status groups_of_latent(check_job *j)
{
    enum { STARTS = 10, STEPS = 100, PURPOSE = 0 };
    ql_err *err = &j->run->err;
    ql_fitted *f = &j->fit.fitted;
    const int64_t w = ql_ae_latent_width(&f->ae), n = f->prep.n_kept_cells;
    const ql_kmeans_options opt = {.rule = QL_KMEANS_LLOYD,
                                   .k = j->a->n_groups,
                                   .starts = STARTS,
                                   .max_steps = STEPS,
                                   .seed = j->fit.options.train.seed,
                                   .purpose = PURPOSE,
                                   .threads = j->run->threads};
    ql_kmeans found = {0};
    float *latent = NULL;
    double *x = NULL;
    int32_t *code = NULL;
    ql_status st;
    QL_GO(QL_NEW(latent, j->n_cells * w, "the latent space", err));
    QL_GO(QL_NEW(x, n * w, "the latent space", err));
    QL_GO(QL_NEW(code, j->n_cells, "groups", err));
    QL_GO(ql_predict_latent(f, &j->fit.rows, QL_LATENT_LINEAR, latent, err));
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < w; c++) x[i * w + c] = (double)latent[f->prep.kept_cell[i] * w + c];
    QL_GO(ql_kmeans_run(x, n, w, &opt, &found, err));
    for (int64_t i = 0; i < j->n_cells; i++) code[i] = -1;
    for (int64_t i = 0; i < n; i++) code[f->prep.kept_cell[i]] = found.label[i];
    QL_GO(ql_labels_number(code, j->n_cells, found.k, &j->groups, err));
out:
    ql_kmeans_free(&found);
    ql_free(latent);
    ql_free(x);
    ql_free(code);
    return st;
}

static ql_status groups_of_column(check_job *j)
{
    const ql_column *c = ql_frame_column(&j->fit.ds.cells, j->a->group);
    if (c) return ql_labels_of(c, j->n_cells, &j->groups, &j->run->err);
    return ql_fail(&j->run->err, QL_EUSAGE, "--group: %s has no column %s in obs", j->fit.ds.path,
                   j->a->group);
}

/* Groups with enough cells, numbered anew. */
static ql_status use_groups(check_job *j)
{
    ql_labels *l = &j->groups;
    int64_t *size, n = 0;
    QL_TRY(QL_NEW(size, l->names.n, "groups", &j->run->err));
    ql_labels_sizes(l, size);
    for (int64_t g = 0; g < l->names.n; g++)
        size[g] = size[g] >= LEAST_CELLS && size[g] <= j->n_cells - LEAST_CELLS ? n++ : -1;
    for (int64_t i = 0; i < l->n; i++)
        if (l->code[i] >= 0) l->code[i] = (int32_t)size[l->code[i]];
    ql_free(size);
    if (n == 0)
        return ql_fail(&j->run->err, QL_EDATA, "no group has %d cells and leaves as many",
                       LEAST_CELLS);
    j->design = (check_design){.n_null = j->n_null,
                               .strata = &j->strata,
                               .group = l->code,
                               .n_groups = n,
                               .threads = j->run->threads};
    return QL_OK;
}

/* ---- looking ---- */

/* The counts of the genes looked at, per 10,000 molecules of the cell; before the fit, which sets
 * genes aside. */
static ql_status take_counts(check_job *j)
{
    const ql_csr *m = &j->mixed;
    const int64_t width = 2 * j->n_null;
    int32_t *place = NULL; /* from 1; 0: not looked at */
    double *total = NULL;
    ql_status st;
    QL_GO(QL_NEW(place, m->n_cols, "genes", &j->run->err));
    QL_GO(QL_NEW(total, m->n_rows, "depths", &j->run->err));
    QL_GO(QL_NEW(j->before, m->n_rows * width, "counts of genes", &j->run->err));
    ql_csr_sums(m, total, NULL);
    for (int64_t c = 0; c < width; c++) place[j->genes[c]] = (int32_t)c + 1;
    for (int64_t i = 0; i < m->n_rows; i++)
        for (int64_t k = m->indptr[i]; k < m->indptr[i + 1]; k++)
            if (place[m->indices[k]])
                j->before[i * width + place[m->indices[k]] - 1] =
                    (float)((double)m->data[k] * 1e4 / total[i]);
out:
    ql_free(place);
    ql_free(total);
    return st;
}

static ql_status see(check_job *j, const look *l, uint64_t draw)
{
    const ql_view view = {.value = l->value,
                          .scale = QL_SCALE_CP10K,
                          .seed = j->fit.options.train.seed,
                          .draw = draw};
    ql_predictor p = {0};
    ql_err *err = &j->run->err;
    ql_status st;
    QL_GO(
        ql_predictor_new(&p, &j->fit.fitted, &j->fit.rows, l->value, j->genes, 2 * j->n_null, err));
    QL_GO(ql_predictor_look(&p, &view, err));
    QL_GO(ql_predict_cells(&p, 0, j->n_cells, j->values, err));
out:
    ql_predictor_free(&p);
    return st;
}

static ql_status find(check_job *j, int which)
{
    const look *l = &looks[which];
    const int64_t draws = l->pooled ? j->a->draws : 1;
    check_tests tests = {0};
    ql_err *err = &j->run->err;
    ql_status st;
    QL_GO(check_tests_new(&j->design, &tests, err));
    for (int64_t i = 0; i < draws; i++) {
        if (l->of_model) QL_GO(see(j, l, (uint64_t)i));
        QL_GO(check_tests_add(&j->design, l->of_model ? j->values : j->before, &tests, err));
    }
    j->found[which].at_5 = check_tests_called(&j->design, &tests, 0.05);
    j->found[which].at_1 = check_tests_called(&j->design, &tests, 0.01);
    j->found[which].pairs = (check_pairs){NAN, NAN}; /* of pooled draws there are no values */
    if (!l->pooled)
        QL_GO(check_correlations(&j->design, l->of_model ? j->values : j->before,
                                 &j->found[which].pairs, err));
out:
    check_tests_free(&tests);
    return st;
}

/* ---- telling ---- */

static void tell(const check_job *j)
{
    ql_logger *log = j->run->log;
    char key[96];
    ql_log_info(log,
                "what is found among %lld genes permuted within %lld strata of depth (%lld groups)",
                (long long)j->n_null, (long long)j->strata.n, (long long)j->design.n_groups);
    ql_log_info(log, "  %-24s %14s %14s %14s %16s", "values", "called at 5 %", "at 1 %",
                "pairs at 5 %", "real genes, 5 %");
    for (int i = 0; i < N_LOOKS; i++) {
        const finding *f = &j->found[i];
        ql_str pairs = {0};
        if (isfinite(f->pairs.called)) ql_str_printf(&pairs, "%.1f %%", 100 * f->pairs.called);
        ql_log_info(log, "  %-24s %12.1f %% %12.1f %% %14s %14.1f %%", looks[i].text,
                    100 * f->at_5.null_called, 100 * f->at_1.null_called, ql_str_text(&pairs),
                    100 * f->at_5.real_called);
        ql_str_free(&pairs);
        snprintf(key, sizeof key, "check_%s_called_5", looks[i].name);
        ql_summary_double(j->run->summary, key, f->at_5.null_called);
    }
    ql_log_info(log,
                "5 %% and 1 %% are what a test may call among genes that say nothing: test counts, "
                "or pooled draws of counts, not denoised means");
}

static void put_tsv(const check_job *j, ql_str *out)
{
    ql_str_puts(out,
                "values\tnull_called_5\tnull_called_1\tnull_pairs_mean_r\tnull_pairs_called_5\t"
                "real_called_5\treal_called_1\n");
    for (int i = 0; i < N_LOOKS; i++) {
        const finding *f = &j->found[i];
        ql_str_printf(out, "%s\t%.6f\t%.6f\t", looks[i].name, f->at_5.null_called,
                      f->at_1.null_called);
        if (isfinite(f->pairs.mean))
            ql_str_printf(out, "%.6f\t%.6f", f->pairs.mean, f->pairs.called);
        else
            ql_str_puts(out, "\t");
        ql_str_printf(out, "\t%.6f\t%.6f\n", f->at_5.real_called, f->at_1.real_called);
    }
}

static void put_json(const check_job *j, ql_str *out)
{
    ql_json json = {.out = out};
    ql_json_begin_object(&json, NULL);
    ql_json_string(&json, "version", "quell " QL_VERSION);
    ql_json_int(&json, "null_genes", j->n_null);
    ql_json_int(&json, "strata", j->strata.n);
    ql_json_int(&json, "groups", j->design.n_groups);
    ql_json_int(&json, "draws", j->a->draws);
    ql_json_begin_array(&json, "values");
    for (int i = 0; i < N_LOOKS; i++) {
        const finding *f = &j->found[i];
        ql_json_begin_object(&json, NULL);
        ql_json_string(&json, "values", looks[i].name);
        ql_json_double(&json, "null_called_5", f->at_5.null_called);
        ql_json_double(&json, "null_called_1", f->at_1.null_called);
        if (isfinite(f->pairs.mean)) {
            ql_json_double(&json, "null_pairs_mean_r", f->pairs.mean);
            ql_json_double(&json, "null_pairs_called_5", f->pairs.called);
        }
        ql_json_double(&json, "real_called_5", f->at_5.real_called);
        ql_json_double(&json, "real_called_1", f->at_1.real_called);
        ql_json_end_object(&json);
    }
    ql_json_end_array(&json);
    ql_json_end_object(&json);
    ql_str_puts(out, "\n");
}

static bool is_json(const char *path)
{
    const size_t n = strlen(path);
    return n > 5 && !strcmp(path + n - 5, ".json");
}

static ql_status write_table(const check_job *j)
{
    const char *path = j->a->output;
    ql_str text = {0};
    if (!path) return QL_OK;
    if (is_json(path))
        put_json(j, &text);
    else
        put_tsv(j, &text);
    ql_status st = ql_text_file_write(path, j->run->args[0], j->a->force, &text, &j->run->err);
    if (st == QL_OK) ql_log_info(j->run->log, "wrote %s", path);
    ql_str_free(&text);
    return st;
}

/* ---- all ---- */

/* The null genes beside the others, for the fit to see. */
static ql_status mix(check_job *j)
{
    fit_run *f = &j->fit;
    const ql_csr *m = &f->ds.counts;
    ql_err *err = &j->run->err;
    if (f->ds.store)
        return ql_fail(err, QL_EMEMORY,
                       "check works in memory: give --memory more, or fewer cells");
    if (!f->ds.is_counts)
        return ql_fail(err, QL_EDATA, "%s: genes can be permuted of whole counts only", f->ds.path);
    j->n_cells = m->n_rows;
    QL_TRY(depth_strata_make(m, j->a->stratum, &j->strata, err));
    QL_TRY(null_genes_choose(m, j->a->null_genes, LEAST_CELLS, &j->source, &j->n_null, err));
    if (j->n_null < 2)
        return ql_fail(err, QL_EDATA, "%s: fewer than two genes are expressed by %d cells",
                       f->ds.path, LEAST_CELLS);
    QL_TRY(
        null_genes_add(m, j->source, j->n_null, &j->strata, f->options.train.seed, &j->mixed, err));
    QL_TRY(QL_NEW(j->genes, 2 * j->n_null, "genes", err));
    for (int64_t i = 0; i < j->n_null; i++) {
        j->genes[i] = (int32_t)(m->n_cols + i);
        j->genes[j->n_null + i] = j->source[i];
    }
    QL_TRY(take_counts(j));
    f->rows = ql_rows_of_csr(&j->mixed);
    return QL_OK;
}

static ql_status check_before(const check_args *a, ql_run *run)
{
    for (int i = 0; a->output && i < run->n_args; i++)
        QL_TRY(ql_output_check(a->output, run->args[i], a->force, &run->err));
    if (a->fit.model.gene_order)
        return ql_fail(&run->err, QL_EUSAGE, "--gene-order: permuted genes have no place in it");
    return ql_inputs_check(&a->fit.join, run);
}

/* The mixed counts beside the others, null genes as they are dealt out, values of the genes before
 * and after, correlations. A null gene has entries in each cell at most. */
static int64_t bytes_beside(const void *ctx, const ql_rows *shape, const ql_fit_options *fit)
{
    const check_args *a = ctx;
    const int64_t cells = shape->n_rows, genes = a->null_genes, all = cells * genes;
    const int64_t dealt = all * (int64_t)sizeof(float);
    const int64_t entries = shape->nnz + (all < shape->nnz ? all : shape->nnz);
    const int64_t latent = cells * fit->ae.hidden[fit->ae.n_hidden / 2] * 12;
    return entries * 8 + cells * 64 + dealt + 2 * 2 * dealt + all * (int64_t)sizeof(double) +
           latent;
}

static ql_status work(check_job *j)
{
    const check_args *a = j->a;
    const bool set = ql_opts_was_set(j->run->opts, "shrink-genes");
    bool done;
    const fit_output output = {.path = a->output,
                               .layer = true,
                               .columns = a->group != NULL,
                               .beside = bytes_beside,
                               .beside_ctx = a};
    QL_TRY(check_before(a, j->run));
    QL_TRY(fit_run_begin(&j->fit, &a->fit, output, j->run));
    j->fit.options.shrink_genes = !set || a->shrink_genes; /* for the plan */
    QL_TRY(fit_run_read(&j->fit, &done));
    if (done) return QL_OK;
    QL_TRY(type_choose(&j->fit));
    QL_TRY(mix(j));
    j->fit.options.shrink_genes = set && a->shrink_genes;
    QL_TRY(fit_run_train(&j->fit));
    QL_TRY(a->group ? groups_of_column(j) : groups_of_latent(j));
    QL_TRY(use_groups(j));
    QL_TRY(QL_NEW(j->values, j->n_cells * 2 * j->n_null, "values of genes", &j->run->err));
    for (int i = 0; i < N_LOOKS; i++) {
        if (!set && looks[i].draw && j->fit.options.fit_theta && !j->fit.fitted.mix_weight)
            QL_TRY(ql_shrink_genes(&j->fit.fitted, &j->fit.rows, &j->run->err));
        QL_TRY(find(j, i));
    }
    tell(j);
    return write_table(j);
}

static ql_status check_run(const void *args, ql_run *run)
{
    check_job j = {.a = args, .run = run};
    ql_status st = fit_run_end(&j.fit, work(&j));
    release(&j);
    return st;
}

static const ql_opt_table check_tables[] = {
    {check_rows, 0},
    FIT_TABLES(check_args, fit),
    {ql_kind_rows, offsetof(check_args, fit.model)},
    {NULL, 0},
};

static const ql_positional check_positionals[] = {
    {"INPUT...", "count matrices, in any format that can be read; several are joined"},
    {NULL, NULL},
};

const ql_command ql_cmd_check = {
    .name = "check",
    .group = "Models",
    .summary = "what denoising finds where there is nothing to be found",
    .positionals = check_positionals,
    .examples = {{"quell check pbmc.h5ad --group cell_type -o check.tsv",
                  "how often tests between cell types call genes that were permuted"},
                 {"quell check pbmc.h5ad", "the same between six groups of the latent space"}},
    .tables = check_tables,
    .presets = ql_fit_presets,
    QL_ARGS(check_args),
    .run = check_run,
    .more =
        "Copies of real genes whose counts are dealt out anew among cells of about the same depth "
        "are mixed in beside the real ones, and all are denoised together. Then every gene is "
        "tested between groups (Wilcoxon, stratified by depth) and null genes are correlated, "
        "before and after.",
};
