/* quell info: what is in a file, before anything is done with it. */
#include <math.h>
#include <string.h>

#include "fit/model_file.h"
#include "input/count_facts.h"
#include "model_info.h"
#include "quell/json.h"
#include "quell/read_args.h"

typedef struct {
    ql_common_args common;
    ql_read_args read;
    bool json;
} info_args;

static const ql_option info_rows[] = {
    {.name = "json",
     QL_FLAG_AT(info_args, json),
     .group = "Output",
     .help = "one JSON object per file and line"},
    {.name = NULL},
};

static const ql_opt_table info_tables[] = {
    {info_rows, 0}, {ql_read_rows, offsetof(info_args, read)}, {NULL, 0}};

static const ql_positional info_positionals[] = {
    {"FILE...", "count matrices, in any format that can be read, or models"},
    {NULL, NULL},
};

/* All that is known of one file. */
typedef struct {
    const char *path;
    ql_dataset ds;
    ql_count_facts facts;
    ql_notes notes;
    ql_str layout; /* lines */
} file_info;

static void file_info_free(file_info *f)
{
    ql_dataset_free(&f->ds);
    ql_notes_free(&f->notes);
    ql_str_free(&f->layout);
}

static ql_status look(file_info *f, const ql_read_options *opt, ql_err *err)
{
    const ql_format *format;
    QL_TRY(ql_format_detect(f->path, opt, &format, err));
    QL_TRY(ql_read_counts(f->path, opt, &f->ds, &f->notes, err));
    QL_TRY(ql_describe_input(format, f->path, &f->layout, err));
    return ql_count_facts_make(&f->ds, &f->facts, err);
}

/* ---- for people ---- */

/* Whole numbers in full, others with six digits. */
static void put_number(double v, ql_str *out)
{
    if (v == floor(v) && fabs(v) < 1e15)
        ql_str_printf(out, "%.0f", v);
    else
        ql_str_printf(out, "%.6g", v);
}

static void put_row(ql_str *out, const char *name)
{
    ql_str_printf(out, "  %-16s ", name);
}

static void put_cells(const ql_count_facts *f, ql_str *out)
{
    put_row(out, "sum of a cell");
    ql_str_puts(out, "median ");
    put_number(f->cell_median, out);
    ql_str_puts(out, ", from ");
    put_number(f->cell_min, out);
    ql_str_puts(out, " to ");
    put_number(f->cell_max, out);
    ql_str_puts(out, "\n");
    put_row(out, "genes of a cell");
    ql_str_puts(out, "median ");
    put_number(f->genes_median, out);
    ql_str_puts(out, "\n");
}

static void put_matrix(const ql_count_facts *f, ql_str *out)
{
    put_row(out, "shape");
    ql_str_printf(out, "%lld cells x %lld genes\n", (long long)f->cells, (long long)f->genes);
    put_row(out, "nonzeros");
    ql_str_printf(out, "%lld (%.2f %%)\n", (long long)f->nonzeros, 100 * f->density);
    put_row(out, "total");
    put_number(f->total, out);
    ql_str_puts(out, "\n");
    put_cells(f, out);
    put_row(out, "largest entry");
    put_number(f->largest, out);
    ql_str_puts(out, "\n");
    put_row(out, "empty cells");
    ql_str_printf(out, "%lld\n", (long long)f->empty_cells);
    put_row(out, "empty genes");
    ql_str_printf(out, "%lld\n", (long long)f->empty_genes);
    put_row(out, "values");
    ql_str_puts(out, f->kind);
    if (f->per_cell > 0) ql_str_printf(out, " (%.0f)", f->per_cell);
    ql_str_puts(out, "\n");
}

/* Each line of text under a heading, indented. */
static void put_lines(const char *name, const char *text, ql_str *out)
{
    if (*text) ql_str_printf(out, "  %s\n", name);
    while (*text) {
        size_t n = strcspn(text, "\n");
        ql_str_printf(out, "    %.*s\n", (int)n, text);
        text += n + (text[n] == '\n');
    }
}

static void put_notes(const ql_notes *notes, ql_str *out)
{
    if (notes->n) ql_str_puts(out, "  notes\n");
    for (int i = 0; i < notes->n; i++) {
        bool warning = notes->items[i].level == QL_NOTE_WARNING;
        ql_str_printf(out, "    %s%s\n", warning ? "warning: " : "", notes->items[i].text);
    }
}

static void as_text(const file_info *f, ql_str *out)
{
    ql_str_printf(out, "%s\n", f->ds.path);
    put_row(out, "format");
    ql_str_printf(out, "%s\n", f->ds.format);
    put_row(out, "matrix");
    ql_str_printf(out, "%s\n", f->ds.matrix);
    put_matrix(&f->facts, out);
    put_lines("layout", ql_str_text(&f->layout), out);
    put_notes(&f->notes, out);
}

/* ---- for programs ---- */

static void json_matrix(ql_json *j, const ql_count_facts *f)
{
    ql_json_int(j, "cells", f->cells);
    ql_json_int(j, "genes", f->genes);
    ql_json_int(j, "nonzeros", f->nonzeros);
    ql_json_double(j, "density", f->density);
    ql_json_double(j, "total", f->total);
    ql_json_begin_object(j, "cell_sum");
    ql_json_double(j, "median", f->cell_median);
    ql_json_double(j, "min", f->cell_min);
    ql_json_double(j, "max", f->cell_max);
    ql_json_end_object(j);
    ql_json_double(j, "genes_per_cell_median", f->genes_median);
    ql_json_double(j, "largest", f->largest);
    ql_json_double(j, "smallest", f->smallest);
    ql_json_int(j, "empty_cells", f->empty_cells);
    ql_json_int(j, "empty_genes", f->empty_genes);
}

static void json_lines(ql_json *j, const char *name, const char *text)
{
    ql_str line = {0};
    ql_json_begin_array(j, name);
    while (*text) {
        size_t n = strcspn(text, "\n");
        ql_str_clear(&line);
        ql_str_bytes(&line, text, n);
        ql_json_string(j, NULL, ql_str_text(&line));
        text += n + (text[n] == '\n');
    }
    ql_json_end_array(j);
    ql_str_free(&line);
}

static void json_notes(ql_json *j, const ql_notes *notes)
{
    ql_json_begin_array(j, "notes");
    for (int i = 0; i < notes->n; i++) {
        bool warning = notes->items[i].level == QL_NOTE_WARNING;
        ql_json_begin_object(j, NULL);
        ql_json_string(j, "level", warning ? "warning" : "info");
        ql_json_string(j, "text", notes->items[i].text);
        ql_json_end_object(j);
    }
    ql_json_end_array(j);
}

static void as_json(const file_info *f, ql_str *out)
{
    ql_json j = {.out = out};
    ql_json_begin_object(&j, NULL);
    ql_json_string(&j, "file", f->ds.path);
    ql_json_string(&j, "format", f->ds.format);
    ql_json_string(&j, "matrix", f->ds.matrix);
    ql_json_bool(&j, "is_counts", f->ds.is_counts);
    ql_json_string(&j, "values", f->facts.kind);
    json_matrix(&j, &f->facts);
    json_lines(&j, "layout", ql_str_text(&f->layout));
    json_notes(&j, &f->notes);
    ql_json_end_object(&j);
    ql_str_puts(out, "\n");
}

static ql_status one_model(const info_args *a, const char *path, ql_run *run)
{
    ql_str text = {0};
    ql_status st = model_info(path, a->json, &text, &run->err);
    if (st == QL_OK && text.failed)
        st = ql_fail(&run->err, QL_EMEMORY, "%s: no memory for its description", path);
    if (st == QL_OK) fputs(ql_str_text(&text), run->out);
    ql_str_free(&text);
    return st;
}

static ql_status one_file(const info_args *a, const char *path, ql_run *run)
{
    file_info f = {.path = path};
    ql_read_options opt;
    ql_str text = {0};
    ql_status st;
    bool is_model;
    QL_TRY(model_file_is(path, &is_model, &run->err));
    if (is_model) return one_model(a, path, run);
    QL_GO(ql_read_args_options(&a->read, run->threads, &opt, &run->err));
    opt.allow_noncounts = opt.only_look = true; /* to look is allowed */
    QL_GO(look(&f, &opt, &run->err));
    (a->json ? as_json : as_text)(&f, &text);
    if (text.failed)
        QL_GO(ql_fail(&run->err, QL_EMEMORY, "%s: no memory for its description", path));
    fputs(ql_str_text(&text), run->out);
out:
    ql_str_free(&text);
    file_info_free(&f);
    return st;
}

static ql_status info_run(const void *args, ql_run *run)
{
    const info_args *a = args;
    for (int i = 0; i < run->n_args; i++) {
        if (i && !a->json) fputs("\n", run->out);
        QL_TRY(one_file(a, run->args[i], run));
    }
    return QL_OK;
}

const ql_command ql_cmd_info = {
    .name = "info",
    .group = "Files",
    .summary = "say what is in a file of counts or a model",
    .positionals = info_positionals,
    .examples = {{"quell info filtered_feature_bc_matrix.h5",
                  "format, size, depth, and whether it holds counts"},
                 {"quell info --json *.h5ad", "the same of several files, for programs"}},
    .tables = info_tables,
    QL_ARGS(info_args),
    .bits = QL_CMD_BRIEF,
    .run = info_run,
};
