/* quell convert: a count matrix from one format to another. */
#include <string.h>

#include "input/compression.h"
#include "input/inputs.h"
#include "quell/frame_table.h"
#include "quell/h5ad_writer.h"
#include "quell/out_format.h"
#include "quell/read_args.h"

typedef struct {
    ql_common_args common;
    ql_read_args read;
    ql_join_args join;
    const char *output, *to, *rows, *compression, *obs_out, *obsm_out;
    bool force, allow_noncounts;
} convert_args;

static const char *out_format_at(int i)
{
    return ql_out_formats[i] ? ql_out_formats[i]->name : NULL;
}

static const char *const rows_choices[] = {"genes", "cells", NULL};

#define S convert_args
static const ql_option convert_rows[] = {
    {.name = "output",
     .letter = 'o',
     QL_STRING_AT(S, output),
     .unit = "FILE",
     .group = "Output",
     .bits = QL_OPT_VOLATILE | QL_OPT_REQUIRED,
     .help = "the file (or folder) to write",
     .more = "Its name says the format: .h5ad, .h5 (10x), .loom, .csv, .tsv, .npy, the tables also "
             "with .gz."},
    {.name = "to",
     QL_CHOICE_AT(S, to),
     .choice_at = out_format_at,
     .unset = "by the name of the output",
     .group = "Output",
     .help = "format of the output"},
    {.name = "force",
     QL_FLAG_AT(S, force),
     .group = "Output",
     .bits = QL_OPT_VOLATILE,
     .help = "replace an existing output"},
    {.name = "rows",
     QL_CHOICE_AT(S, rows),
     .choices = rows_choices,
     .unset = "genes; npy: cells",
     .group = "Output",
     .help = "csv, tsv, npy: what the rows are"},
    {.name = "compression",
     QL_STRING_AT(S, compression),
     .unit = "none|gzip[:LEVEL]",
     .unset = "gzip:1 in HDF5, loom gzip:2, text gzip:6",
     .group = "Output",
     .help = "compression of what is written",
     .more = "Text is compressed if its name ends in .gz, and in 10x-mtx, whatever this says; the "
             "sparse matrix of an h5ad is always compressed."},
    {.name = "obs-out",
     QL_STRING_AT(S, obs_out),
     .unit = "FILE",
     .group = "Output",
     .bits = QL_OPT_VOLATILE,
     .help = "also write the cells' names and columns as csv[.gz]"},
    {.name = "obsm-out",
     QL_STRING_AT(S, obsm_out),
     .unit = "KEY=FILE",
     .group = "Output",
     .bits = QL_OPT_VOLATILE,
     .help = "also write obsm/KEY of an h5ad as csv[.gz]"},
    {.name = "allow-noncounts",
     QL_FLAG_AT(S, allow_noncounts),
     .group = "Input",
     .help = "accept entries that are not whole numbers"},
    {.name = NULL},
};
#undef S

static const ql_opt_table convert_tables[] = {
    {convert_rows, 0},
    {ql_join_rows, offsetof(convert_args, join)},
    {ql_read_rows, offsetof(convert_args, read)},
    {NULL, 0},
};

static const ql_positional convert_positionals[] = {
    {"INPUT...", "count matrices, in any format that can be read; several are joined"},
    {NULL, NULL},
};

/* Everything of one run. */
typedef struct {
    const convert_args *a;
    ql_run *run;
    const char *input; /* the first */
    const ql_out_format *format;
    const char *obsm_file; /* within a->obsm_out, or NULL */
    ql_str obsm_key;
    ql_dataset ds;
    ql_notes notes;
    int told; /* notes that have been printed */
} job;

/* ---- before the work ---- */

static ql_status split_obsm(job *j)
{
    const char *text = j->a->obsm_out;
    if (!text) return QL_OK;
    const char *equals = strchr(text, '=');
    if (!equals || equals == text || !equals[1])
        return ql_fail(&j->run->err, QL_EUSAGE, "--obsm-out: '%s' is not KEY=FILE", text);
    ql_str_bytes(&j->obsm_key, text, (size_t)(equals - text));
    j->obsm_file = equals + 1;
    return j->obsm_key.failed ? ql_fail(&j->run->err, QL_EMEMORY, "no memory for a name") : QL_OK;
}

static ql_status check_distinct(const job *j)
{
    const char *const paths[] = {j->a->output, j->a->obs_out, j->obsm_file};
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < i; k++)
            if (paths[i] && paths[k] && !strcmp(paths[i], paths[k]))
                return ql_fail(&j->run->err, QL_EUSAGE, "%s: is named for two outputs", paths[i]);
    return QL_OK;
}

/* None of the outputs is this input. */
static ql_status check_input(const job *j, const char *input)
{
    const convert_args *a = j->a;
    ql_err *err = &j->run->err;
    QL_TRY(ql_out_format_check(j->format, a->output, input, a->force, err));
    if (a->obs_out) QL_TRY(ql_output_check(a->obs_out, input, a->force, err));
    return j->obsm_file ? ql_output_check(j->obsm_file, input, a->force, err) : QL_OK;
}

static ql_status check_outputs(job *j)
{
    const convert_args *a = j->a;
    QL_TRY(ql_out_format_find(a->to, a->output, &j->format, &j->run->err));
    QL_TRY(split_obsm(j));
    QL_TRY(check_distinct(j));
    if (j->obsm_file && j->run->n_args > 1)
        return ql_fail(&j->run->err, QL_EUSAGE, "--obsm-out is for one input");
    for (int i = 0; i < j->run->n_args; i++) QL_TRY(check_input(j, j->run->args[i]));
    return ql_inputs_check(&a->join, j->run);
}

static void tell_notes(job *j)
{
    const ql_notes fresh = {.items = j->notes.items + j->told, .n = j->notes.n - j->told};
    ql_log_notes(j->run->log, &fresh);
    j->told = j->notes.n;
}

static ql_status read_input(job *j)
{
    ql_read_options opt;
    QL_TRY(ql_read_args_options(&j->a->read, j->run->threads, &opt, &j->run->err));
    opt.allow_noncounts = j->a->allow_noncounts;
    opt.columns = true;
    QL_TRY(ql_inputs_read(&j->a->join, &opt, j->run, &j->ds, &j->notes));
    j->told = j->notes.n;
    return QL_OK;
}

/* ---- the work ---- */

static ql_status write_side(const job *j)
{
    const ql_frame_table_options how = {
        .in_path = j->input, .force = j->a->force, .threads = j->run->threads};
    ql_frame latent = {0};
    ql_status st = QL_OK;
    ql_err *err = &j->run->err;
    if (j->a->obs_out) QL_GO(ql_frame_table_write(j->a->obs_out, &j->ds.cells, &how, err));
    if (!j->obsm_file) goto out;
    if (strcmp(j->ds.format, "h5ad") != 0)
        QL_GO(ql_fail(err, QL_EUSAGE, "--obsm-out: %s is no h5ad (%s)", j->input, j->ds.format));
    QL_GO(ql_names_copy(&j->ds.cells.index, &latent.index, err));
    QL_GO(ql_read_obsm(j->input, ql_str_text(&j->obsm_key), &latent, err));
    QL_GO(ql_frame_table_write(j->obsm_file, &latent, &how, err));
out:
    ql_frame_free(&latent);
    return st;
}

static ql_orient rows_of(const char *name)
{
    if (!name) return QL_ORIENT_AUTO;
    return !strcmp(name, "cells") ? QL_ORIENT_CELLS_X_GENES : QL_ORIENT_GENES_X_CELLS;
}

static ql_status out_options(const job *j, ql_out_options *out)
{
    const convert_args *a = j->a;
    *out = (ql_out_options){.force = a->force,
                            .deflate = -1,
                            .threads = j->run->threads,
                            .rows = rows_of(a->rows),
                            .new_matrix = a->read.layer || a->read.use_raw};
    if (!a->compression) return QL_OK;
    return ql_compression_level(a->compression, -1, &out->deflate, &j->run->err);
}

static void tell_result(const job *j)
{
    ql_summary_int(j->run->summary, "cells", j->ds.counts.n_rows);
    ql_summary_int(j->run->summary, "genes", j->ds.counts.n_cols);
    ql_summary_int(j->run->summary, "nonzeros", ql_csr_nnz(&j->ds.counts));
    ql_log_info(j->run->log, "wrote %s (%s)", j->a->output, j->format->name);
}

/* The input's own X is copied with everything else. */
static void tell_copy(const job *j, const ql_out_options *opt)
{
    bool copies = j->format->carries && !strcmp(j->format->carries, j->ds.format);
    if (!copies || opt->new_matrix || !strcmp(j->ds.matrix, "X")) return;
    ql_log_info(j->run->log,
                "the h5ad is copied as it is: the counts stay in %s (--layer or --use-raw puts "
                "them into X)",
                j->ds.matrix);
}

static ql_status work(job *j)
{
    ql_out_options opt;
    ql_err *err = &j->run->err;
    QL_TRY(out_options(j, &opt));
    QL_TRY(check_outputs(j));
    QL_TRY(read_input(j));
    QL_TRY(ql_out_format_losses(j->format, &j->ds, &j->notes, err));
    tell_notes(j);
    tell_copy(j, &opt);
    QL_TRY(write_side(j));
    QL_TRY(j->format->write(j->a->output, &j->ds, &opt, &j->notes, err));
    tell_notes(j);
    tell_result(j);
    return QL_OK;
}

static ql_status convert_run(const void *args, ql_run *run)
{
    job j = {.a = args, .run = run, .input = run->args[0]};
    ql_status st = work(&j);
    ql_str_free(&j.obsm_key);
    ql_dataset_free(&j.ds);
    ql_notes_free(&j.notes);
    return st;
}

const ql_command ql_cmd_convert = {
    .name = "convert",
    .group = "Files",
    .summary = "a count matrix in another format",
    .positionals = convert_positionals,
    .examples = {{"quell convert filtered_feature_bc_matrix.h5 -o pbmc.h5ad",
                  "the format follows from the name of the output"},
                 {"quell convert pbmc.h5ad -o pbmc_10x --to 10x-mtx",
                  "a folder with matrix.mtx.gz, features.tsv.gz, barcodes.tsv.gz"}},
    .tables = convert_tables,
    QL_ARGS(convert_args),
    .more = "Counts, names and annotation columns are written as far as the format holds them; "
            "what it has no place for is listed in one warning. An h5ad that is converted to h5ad "
            "keeps everything: its bytes are copied, or with --layer or --use-raw that matrix "
            "becomes X and the rest stays.",
    .run = convert_run,
};
