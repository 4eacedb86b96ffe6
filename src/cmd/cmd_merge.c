/* quell merge: one file out of the parts that quell apply --shard has made. */
#include <stdio.h>
#include <string.h>

#include "denoise/denoise_args.h"
#include "merge/merge_parts.h"
#include "quell/alloc.h"

extern const ql_command ql_cmd_apply;

typedef struct {
    ql_common_args common;
    const char *input, *output, *tmpdir;
    bool force, stream;
} merge_args;

#define S merge_args
/* clang-format off */
static const ql_option merge_rows[] = {
    {.name = "input", .letter = 'i', QL_STRING_AT(S, input), .unit = "FILE", .group = "Input",
     .bits = QL_OPT_VOLATILE | QL_OPT_REQUIRED, .help = "what the model was applied to",
     .more = "It is read with the options that the parts were made with, and carried through as quell apply "
             "does."},
    {.name = "output", .letter = 'o', QL_STRING_AT(S, output), .unit = "FILE", .group = "Output",
     .bits = QL_OPT_VOLATILE | QL_OPT_REQUIRED, .help = "the h5ad to write"},
    {.name = "force", QL_FLAG_AT(S, force), .group = "Output", .bits = QL_OPT_VOLATILE,
     .help = "replace an existing output and earlier results in it"},
    {.name = "tmpdir", QL_STRING_AT(S, tmpdir), .unit = "DIR", .group = "Run", .bits = QL_OPT_VOLATILE,
     .unset = "the folder of the output", .help = "where a matrix goes that memory does not hold"},
    {.name = "stream", QL_FLAG_AT(S, stream), .group = "Run", .level = QL_OPT_EXPERT,
     .bits = QL_OPT_VOLATILE, .help = "keep the counts in a file even if memory holds them",
     .more = "Results do not depend on it."},
    {.name = NULL},
};
/* clang-format on */
#undef S

typedef struct {
    const merge_args *a;
    ql_run *run;
    merge_parts parts;
    denoise_args made; /* the options of the parts */
    ql_opts *opts;     /* they, as a set */
    ql_dataset ds;
    ql_notes notes;
    ql_h5ad_writer *w;
} merge_job;

static void release(merge_job *j)
{
    ql_h5ad_abort(j->w);
    ql_dataset_free(&j->ds);
    ql_notes_free(&j->notes);
    ql_opts_free(j->opts);
    merge_parts_free(&j->parts);
}

/* ---- the input ---- */

/* Options that this quell does not know are the part's fault, not the command line's. */
static ql_status take_options(merge_job *j)
{
    ql_err own = {0}, *err = &j->run->err;
    QL_TRY(ql_command_opts(&ql_cmd_apply, &j->made, &j->opts, err));
    ql_status st = ql_opts_set_text(j->opts, j->parts.options, "options", &own);
    if (st == QL_OK) return QL_OK;
    return ql_fail(err, st == QL_EUSAGE ? QL_EDATA : st, "%s: %s", j->parts.path[0], own.msg);
}

static const char *cache_folder(const merge_job *j, ql_str *buffer)
{
    const char *slash = strrchr(j->a->output, '/');
    if (j->a->tmpdir) return j->a->tmpdir;
    if (!slash) return ".";
    ql_str_printf(buffer, "%.*s", slash == j->a->output ? 1 : (int)(slash - j->a->output),
                  j->a->output);
    return ql_str_text(buffer);
}

/* Half of the memory may go to the counts: little else is held. */
static ql_status fits(const merge_job *j, const ql_read_options *opt, bool *out)
{
    enum { ENTRY = 8, SHARE = 2 };
    ql_read_sizes s = {0};
    *out = true;
    QL_TRY(ql_read_measure(j->a->input, opt, &s, &j->run->err));
    if (j->run->memory > 0 && s.streams)
        *out = s.whole_bytes + ENTRY * s.nnz <= j->run->memory / SHARE;
    return QL_OK;
}

static ql_status read_input(merge_job *j)
{
    enum { NEAR = 1 << 20 };
    ql_err *err = &j->run->err;
    ql_read_options opt;
    ql_str folder = {0};
    bool whole;
    QL_TRY(ql_read_args_options(&j->made.fit.read, j->run->threads, &opt, err));
    opt.allow_noncounts = j->made.fit.allow_noncounts;
    opt.columns = true; /* as apply reads */
    QL_TRY(fits(j, &opt, &whole));
    ql_status st = whole && !j->a->stream
                       ? ql_read_counts(j->a->input, &opt, &j->ds, &j->notes, err)
                       : ql_read_streamed(j->a->input, &opt, cache_folder(j, &folder), NEAR, &j->ds,
                                          &j->notes, err);
    ql_str_free(&folder);
    if (st == QL_OK) ql_log_notes(j->run->log, &j->notes);
    return st;
}

static ql_status check_input(const merge_job *j)
{
    const merge_parts *p = &j->parts;
    ql_err *err = &j->run->err;
    shard_marks marks;
    QL_TRY(shard_marks_make(&j->ds, NULL, &marks, err));
    const bool names = strcmp(marks.names, p->marks.names) == 0;
    if (names && strcmp(marks.counts, p->marks.counts) == 0 && j->ds.counts.n_rows == p->n_cells)
        return QL_OK;
    return ql_fail(err, QL_EDATA, "%s: is not what the parts were made of: it has other %s",
                   j->a->input, names ? "counts" : "cells or genes");
}

/* ---- what apply did, done again ---- */

static ql_status redo_claim(merge_job *j, const char *key)
{
    return ql_h5ad_claim(j->w, key, &j->run->err);
}

static ql_status redo_claim_column(merge_job *j, const char *key)
{
    const char *slash = strchr(key, '/');
    char frame[8];
    if (!slash || slash - key >= (int)sizeof frame)
        return ql_fail(&j->run->err, QL_EDATA, "%s: '%.80s' is no column", j->parts.path[0], key);
    (void)snprintf(frame, sizeof frame, "%.*s", (int)(slash - key), key);
    return ql_h5ad_claim_column(j->w, frame, slash + 1, &j->run->err);
}

/* Of genes: every part has it whole. */
static ql_status redo_gene_matrix(merge_job *j, const char *key)
{
    ql_err *err = &j->run->err;
    const int64_t n = j->ds.counts.n_cols;
    int64_t shape[2];
    float *all = NULL;
    ql_status st;
    QL_TRY(ql_part_shape(j->parts.first, key, &shape[0], &shape[1], err));
    if (shape[0] != n)
        return ql_fail(err, QL_EDATA, "%s: /%s: has %lld rows, the input %lld genes",
                       j->parts.path[0], key, (long long)shape[0], (long long)n);
    QL_GO(QL_NEW(all, n * shape[1], "a matrix of genes", err));
    QL_GO(ql_part_rows(j->parts.first, key, shape, 0, n, all, err));
    QL_GO(ql_h5ad_matrix(j->w, key, all, n, shape[1], err));
out:
    ql_free(all);
    return st;
}

static ql_status redo_matrix(merge_job *j, const char *key)
{
    ql_err *err = &j->run->err;
    const int64_t n = j->parts.n_cells;
    int64_t rows, cols, bytes;
    float *all = NULL;
    ql_status st;
    QL_TRY(ql_part_shape(j->parts.first, key, &rows, &cols, err));
    if (__builtin_mul_overflow(n, cols, &bytes))
        return ql_fail(err, QL_EDATA, "%s: /%s: has %lld columns", j->parts.path[0], key,
                       (long long)cols);
    QL_GO(QL_NEW(all, n * cols, "the latent space", err));
    QL_GO(merge_parts_rows(&j->parts, key, cols, 0, n, all, err));
    QL_GO(ql_h5ad_matrix(j->w, key, all, n, cols, err));
out:
    ql_free(all);
    return st;
}

static ql_status write_bands(merge_job *j, const char *key, int64_t n_cols, int64_t band_rows)
{
    ql_err *err = &j->run->err;
    const int64_t n_cells = j->parts.n_cells;
    float *band = NULL;
    ql_status st;
    QL_GO(QL_NEW(band, band_rows * n_cols, "a band of a layer", err));
    for (int64_t row = 0; row < n_cells; row += band_rows) {
        const int64_t n = n_cells - row < band_rows ? n_cells - row : band_rows;
        ql_progress p = QL_PROGRESS("merge", "cells", (double)row, (double)n_cells);
        p.cells = row;
        ql_log_progress(j->run->log, &p);
        QL_GO(merge_parts_rows(&j->parts, key, n_cols, row, n, band, err));
        QL_GO(ql_h5ad_dense_rows(j->w, band, n, err));
    }
    st = ql_h5ad_dense_end(j->w, err);
    ql_log_progress_end(j->run->log);
out:
    ql_free(band);
    return st;
}

static ql_status redo_dense(merge_job *j, const char *key)
{
    const int64_t n_genes = j->ds.counts.n_cols;
    int64_t band;
    QL_TRY(ql_h5ad_dense_begin(j->w, key, j->parts.n_cells, n_genes, &band, &j->run->err));
    return write_bands(j, key, n_genes, band);
}

/* The genes of --genes, by the column that says which they are. */
static ql_status chosen_genes(const merge_job *j, int32_t **out, int64_t *n)
{
    ql_err *err = &j->run->err;
    ql_frame var = {0};
    ql_status st;
    *n = 0;
    QL_GO(ql_part_frame(j->parts.first, "var", &var, err));
    const ql_column *c = ql_frame_column(&var, "quell_denoised");
    if (!c || c->type != QL_COL_BOOL || var.index.n != j->ds.counts.n_cols)
        QL_GO(ql_fail(err, QL_EDATA, "%s: /var/quell_denoised: is missing or damaged",
                      j->parts.path[0]));
    QL_GO(QL_NEW(*out, var.index.n, "gene list", err));
    for (int64_t g = 0; g < var.index.n; g++)
        if (((const uint8_t *)c->values)[g]) (*out)[(*n)++] = (int32_t)g;
out:
    ql_frame_free(&var);
    return st;
}

static ql_status redo_chosen(merge_job *j, const char *key)
{
    int32_t *genes = NULL;
    int64_t n, band;
    char data[300];
    ql_status st;
    QL_GO(chosen_genes(j, &genes, &n));
    (void)snprintf(data, sizeof data, "%s/data", key);
    QL_GO(ql_h5ad_chosen_begin(j->w, key, j->parts.n_cells, j->ds.counts.n_cols, genes, n, &band,
                               &j->run->err));
    QL_GO(write_bands(j, data, n, band));
out:
    ql_free(genes);
    return st;
}

static ql_status redo_columns(merge_job *j, const char *frame)
{
    ql_err *err = &j->run->err;
    ql_frame columns = {0};
    ql_status st;
    const bool cells = strcmp(frame, "obs") == 0;
    st = cells ? merge_parts_cells(&j->parts, &j->ds.cells.index, &columns, err)
               : ql_part_frame(j->parts.first, "var", &columns, err);
    if (st == QL_OK && !cells && columns.index.n != j->ds.counts.n_cols)
        st = ql_fail(err, QL_EDATA, "%s: /var: has %lld genes, the input %lld", j->parts.path[0],
                     (long long)columns.index.n, (long long)j->ds.counts.n_cols);
    if (st == QL_OK) st = ql_h5ad_columns(j->w, frame, &columns, err);
    ql_frame_free(&columns);
    return st;
}

static ql_status redo_value(merge_job *j, const char *key)
{
    ql_err *err = &j->run->err;
    ql_part_value v = {0};
    ql_status st = ql_part_get(j->parts.first, key, &v, err);
    if (st != QL_OK) return st;
    switch (v.kind) {
    case QL_PART_TEXT:
        st = ql_h5ad_string(j->w, key, v.texts.n ? ql_name(&v.texts, 0) : "", err);
        break;
    case QL_PART_TEXTS:
        st = ql_h5ad_strings(j->w, key, &v.texts, err);
        break;
    case QL_PART_INT:
        st = ql_h5ad_int(j->w, key, v.whole, err);
        break;
    case QL_PART_DOUBLE:
        st = ql_h5ad_double(j->w, key, v.numbers[0], err);
        break;
    case QL_PART_DOUBLES:
        st = ql_h5ad_doubles(j->w, key, v.numbers, v.n, err);
        break;
    }
    ql_part_value_free(&v);
    return st;
}

/* Lines of the journal, and where their keys may lead. */
static const struct {
    const char *word;
    const char *places[4];
    ql_status (*redo)(merge_job *j, const char *key);
} steps[] = {
    {"claim", {"uns/quell/", "obsm/", "layers/", "varm/vae_loadings"}, redo_claim},
    {"claim-column", {"obs/quell_"}, redo_claim_column},
    {"matrix", {"obsm/"}, redo_matrix},
    {"matrix", {"varm/vae_loadings"}, redo_gene_matrix},
    {"dense", {"layers/"}, redo_dense},
    {"chosen", {"layers/"}, redo_chosen},
    {"columns", {"obs", "var"}, redo_columns},
    {"value", {"uns/quell/"}, redo_value},
};
enum { N_STEPS = sizeof steps / sizeof *steps, KEY_MOST = 280 };

static bool may_lead(const char *key, const char *const places[4])
{
    const size_t n = strlen(key);
    if (n == 0 || n > KEY_MOST || key[n - 1] == '/' || strstr(key, "//")) return false;
    for (int i = 0; i < 4 && places[i]; i++) {
        const size_t m = strlen(places[i]);
        const bool whole = places[i][m - 1] != '/' && places[i][m - 1] != '_';
        if (whole ? !strcmp(key, places[i]) : n > m && !strncmp(key, places[i], m)) return true;
    }
    return false;
}

static ql_status redo(merge_job *j, const char *line)
{
    const size_t word = strcspn(line, " ");
    for (int i = 0; i < N_STEPS; i++) {
        if (strlen(steps[i].word) != word || memcmp(steps[i].word, line, word) != 0) continue;
        const char *key = line + word + (line[word] == ' ');
        if (may_lead(key, steps[i].places)) return steps[i].redo(j, key);
    }
    return ql_fail(&j->run->err, QL_EDATA,
                   "%s: /" SHARD_KEY "/journal: a line is none that quell writes",
                   j->parts.path[0]);
}

/* ---- all of it ---- */

static ql_status check_outputs(const merge_job *j)
{
    const merge_args *a = j->a;
    ql_err *err = &j->run->err;
    QL_TRY(ql_output_check(a->output, a->input, a->force, err));
    for (int i = 0; i < j->run->n_args; i++)
        QL_TRY(ql_output_check(a->output, j->run->args[i], a->force, err));
    return QL_OK;
}

static ql_status begin(merge_job *j)
{
    const ql_write_options opt = {
        .force = j->a->force, .deflate = (int)j->parts.deflate, .threads = j->run->threads};
    const int told = j->notes.n;
    QL_TRY(ql_h5ad_begin(j->a->output, &j->ds, &opt, &j->notes, &j->w, &j->run->err));
    const ql_notes added = {.items = j->notes.items + told, .n = j->notes.n - told};
    ql_log_notes(j->run->log, &added);
    return QL_OK;
}

static ql_status work(merge_job *j)
{
    QL_TRY(check_outputs(j));
    QL_TRY(merge_parts_open(&j->parts, j->run->args, j->run->n_args, &j->run->err));
    QL_TRY(take_options(j));
    QL_TRY(read_input(j));
    QL_TRY(check_input(j));
    QL_TRY(begin(j));
    for (int64_t i = 0; i < j->parts.journal.n; i++) QL_TRY(redo(j, ql_name(&j->parts.journal, i)));
    ql_h5ad_writer *w = j->w;
    j->w = NULL; /* commit frees it in any case */
    QL_TRY(ql_h5ad_commit(w, &j->run->err));
    ql_summary_int(j->run->summary, "parts", j->parts.n);
    ql_summary_int(j->run->summary, "cells", j->parts.n_cells);
    ql_log_info(j->run->log, "wrote %s: %lld cells from %lld parts", j->a->output,
                (long long)j->parts.n_cells, (long long)j->parts.n);
    return QL_OK;
}

static ql_status merge_run(const void *args, ql_run *run)
{
    merge_job j = {.a = args, .run = run};
    ql_status st = work(&j);
    release(&j);
    return st;
}

static const ql_opt_table merge_tables[] = {{merge_rows, 0}, {NULL, 0}};

static const ql_positional merge_positionals[] = {
    {"PART...", "all parts of one run of quell apply --shard, in any order"},
    {NULL, NULL},
};

const ql_command ql_cmd_merge = {
    .name = "merge",
    .group = "Models",
    .summary = "gather the parts of quell apply --shard",
    .positionals = merge_positionals,
    .examples = {{"quell apply new.h5ad -m atlas.quell.h5 --shard 1/8 -o part.1.h5ad",
                  "one of eight parts, each of which can be made anywhere"},
                 {"quell merge part.*.h5ad --input new.h5ad -o new.dca.h5ad",
                  "byte for byte the file of quell apply --no-score"}},
    .tables = merge_tables,
    QL_ARGS(merge_args),
    .run = merge_run,
};
