/* loom 1 to 3: /matrix is genes x cells, /row_attrs describe the genes, /col_attrs the cells. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../hdf5/h5_columns.h"
#include "../hdf5/h5_describe.h"
#include "../hdf5/h5_names.h"
#include "../hdf5/matrix_h5_stream.h"
#include "../hdf5/read_sizes.h"
#include "../text/wording.h"
#include "../text/xml_text.h"
#include "quell/alloc.h"
#include "quell/reader.h"

enum { MAX_ATTRS = 5000 };

static const char MATRIX[] = "matrix";

/* One side of the matrix: where its attributes are, and which of them may be its names. */
typedef struct {
    const char *group, *what;
    const char *keys[7]; /* in order of preference; NULL-terminated */
} side;

static const side genes_side = {
    "row_attrs",
    "gene",
    {"Gene", "Accession", "var_names", "gene_names", "GeneName", "rownames", NULL}};
static const side cells_side = {
    "col_attrs",
    "cell",
    {"CellID", "obs_names", "Cell", "cell_names", "colnames", "Barcode", NULL}};

static ql_status sniff(const char *path, bool *is, ql_err *err)
{
    (void)err;
    hid_t file = ql_h5r_try_open(path);
    *is = file >= 0 && ql_h5r_kind_of(file, MATRIX) == QL_H5R_DATASET &&
          ql_h5r_kind_of(file, "row_attrs") == QL_H5R_GROUP &&
          ql_h5r_kind_of(file, "col_attrs") == QL_H5R_GROUP;
    ql_h5r_close(file);
    return QL_OK;
}

/* --- generations --- */

/* Version 3 has it in a dataset, version 2 in an attribute of the root, older files nowhere. */
static const char VERSION[] = "attrs/LOOM_SPEC_VERSION";

static bool is_of_version_3(hid_t file)
{
    return ql_h5r_kind_of(file, VERSION) == QL_H5R_DATASET;
}

/* Before version 3 text is ASCII, with character references for the rest. */
static bool has_references(hid_t file)
{
    return !is_of_version_3(file);
}

/* A version that cannot be read is told as none. */
static ql_status version_3(hid_t file, ql_str *out, ql_err *err)
{
    ql_names value = {0};
    ql_status st = ql_h5r_names(file, VERSION, &value, err);
    if (st == QL_OK && value.n == 1)
        ql_str_escape(out, ql_name(&value, 0), strlen(ql_name(&value, 0)));
    ql_names_free(&value);
    return st == QL_EMEMORY ? st : QL_OK;
}

static ql_status version_of(hid_t file, ql_str *out, ql_err *err)
{
    bool has;
    if (is_of_version_3(file)) return version_3(file, out, err);
    QL_TRY(ql_h5r_attr_string(file, "/", "LOOM_SPEC_VERSION", out, &has, err));
    if (!has) ql_str_puts(out, "of an early version");
    return QL_OK;
}

/* --- attributes --- */

static void attr_path(const side *s, const char *name, char *out, size_t cap)
{
    (void)snprintf(out, cap, "%s/%s", s->group, name);
}

/* What an attribute is, before it is read. */
typedef enum { NO_COLUMN, NUMBERS, TEXT } attr_kind;

static attr_kind kind_of_attr(hid_t file, const char *path)
{
    ql_h5r_array a;
    if (ql_h5r_array_open(file, path, -1, &a, NULL) != QL_OK) return NO_COLUMN;
    bool list = a.rank == 1 || (a.rank == 2 && a.dim[1] == 1);
    attr_kind kind = !list                      ? NO_COLUMN
                     : a.class_ == H5T_STRING   ? TEXT
                     : a.class_ == H5T_COMPOUND ? NO_COLUMN
                                                : NUMBERS;
    ql_h5r_array_close(&a);
    return kind;
}

/* The first key whose attribute is text; NULL: none. Numbers are a column, not names. */
static const char *names_key(hid_t file, const side *s)
{
    char path[256];
    for (int i = 0; s->keys[i]; i++) {
        attr_path(s, s->keys[i], path, sizeof path);
        if (kind_of_attr(file, path) == TEXT) return s->keys[i];
    }
    return NULL;
}

static ql_status number(const side *s, int64_t n, ql_names *out, ql_notes *notes, ql_err *err)
{
    ql_note_add(notes, QL_NOTE_WARNING,
                "/%s: has no names of the %ss (looked for %s, %s, ...): called %s_1 to "
                "%s_%" PRId64,
                s->group, s->what, s->keys[0], s->keys[1], s->what, s->what, n);
    return ql_names_number(s->what, n, out, err);
}

static ql_status read_names(hid_t file, const side *s, const char *key, int64_t n, ql_names *out,
                            ql_notes *notes, ql_err *err)
{
    char path[256];
    if (!key) return number(s, n, out, notes, err);
    attr_path(s, key, path, sizeof path);
    QL_TRY(ql_h5r_names(file, path, out, err));
    if (has_references(file)) QL_TRY(ql_xml_decode_names(out, err));
    if (out->n == n) return QL_OK;
    return ql_fail(err, QL_EDATA, "/%s: has %" PRId64 " values, but /matrix has %" PRId64 " %ss",
                   path, out->n, n, s->what);
}

static ql_status read_column(hid_t file, const char *path, const char *name, ql_frame *frame,
                             const ql_left_out *left, ql_err *err)
{
    ql_values v = {0};
    ql_err why = {0};
    if (kind_of_attr(file, path) == NO_COLUMN) /* embeddings, and what no reader knows */
        return left->lost ? ql_column_leave(path, "is no column", left, err) : QL_OK;
    ql_status st = ql_h5r_values(file, path, frame->index.n, &v, &why);
    if (st == QL_OK && v.type == QL_COL_STRING && has_references(file))
        st = ql_xml_decode_names(&v.strings, &why);
    return ql_column_take(frame, name, path, st, &why, &v, left, err);
}

/* Names and columns of one side; n of them in the matrix. */
static ql_status read_side(hid_t file, const side *s, int64_t n, ql_frame *frame,
                           const ql_left_out *left, ql_notes *notes, ql_err *err)
{
    ql_names attrs = {0};
    char path[1024];
    const char *key = names_key(file, s);
    ql_status st;
    QL_GO(read_names(file, s, key, n, &frame->index, notes, err));
    QL_GO(ql_h5r_members(file, s->group, MAX_ATTRS, &attrs, NULL, err));
    for (int64_t i = 0; i < attrs.n; i++) {
        const char *name = ql_name(&attrs, i);
        if (key && strcmp(name, key) == 0) continue;
        attr_path(s, name, path, sizeof path);
        QL_GO(read_column(file, path, name, frame, left, err));
    }
out:
    ql_names_free(&attrs);
    return st;
}

/* --- the matrix --- */

static ql_status fail_no_layer(hid_t file, const char *layer, ql_err *err)
{
    ql_names layers = {0};
    ql_str text = {0};
    ql_h5r_list(file, "layers", 20, &layers);
    ql_list_names(&layers, layers.n, &text);
    ql_fail(err, QL_EDATA, "has no layer \"%s\" (it has: %s)", layer, ql_str_text(&text));
    ql_str_free(&text);
    ql_names_free(&layers);
    return QL_EDATA;
}

static void matrix_path(const ql_read_options *opt, char *path, size_t cap)
{
    (void)snprintf(path, cap, "%s%s", opt->layer ? "layers/" : MATRIX,
                   opt->layer ? opt->layer : "");
}

static ql_status pick_matrix(hid_t file, const ql_read_options *opt, char *path, size_t cap,
                             ql_err *err)
{
    if (opt->use_raw) return ql_fail(err, QL_EDATA, "is a loom file, which has no raw/X");
    matrix_path(opt, path, cap);
    if (opt->layer && ql_h5r_kind_of(file, path) != QL_H5R_DATASET)
        return fail_no_layer(file, opt->layer, err);
    return QL_OK;
}

static ql_status read_matrix(hid_t file, const char *path, const ql_read_options *opt,
                             ql_dataset *ds, ql_err *err)
{
    ql_csr by_gene = {0};
    ql_status st;
    QL_GO(ql_matrix_h5_dense(file, path, opt->threads, &by_gene, err));
    QL_GO(ql_need_memory((double)ql_csr_nnz(&by_gene) * 8.0, path, err));
    QL_GO(ql_csr_transpose_threads(&by_gene, opt->threads, &ds->counts, err));
out:
    ql_csr_free(&by_gene);
    return st;
}

/* Names and columns, of as many as the matrix has. */
static ql_status read_sides(hid_t file, int64_t n_cells, int64_t n_genes,
                            const ql_read_options *opt, ql_dataset *ds, ql_notes *notes,
                            ql_err *err)
{
    const ql_left_out left = {opt->columns ? &ds->others : NULL, notes};
    QL_TRY(read_side(file, &cells_side, n_cells, &ds->cells, &left, notes, err));
    return read_side(file, &genes_side, n_genes, &ds->genes, &left, notes, err);
}

static ql_status stream_matrix(hid_t file, const char *path, const ql_reading *r, ql_dataset *ds,
                               ql_notes *notes, ql_err *err)
{
    ql_matrix_info info;
    ql_band_sink *s = r->sink;
    QL_TRY(ql_matrix_h5_info(file, path, &info, err));
    QL_TRY(read_sides(file, info.n_cols, info.n_rows, r->opt, ds, notes, err));
    return ql_matrix_h5_stream_turned(file, path, info.n_cols, info.n_rows, s, ds, err);
}

static ql_status read_all(hid_t file, const char *path, const ql_reading *r, ql_dataset *ds,
                          ql_notes *notes, ql_err *err)
{
    /* only a dataset can be dense; anything else is told by the reading of it whole */
    if (r->sink && ql_h5r_kind_of(file, path) == QL_H5R_DATASET)
        return stream_matrix(file, path, r, ds, notes, err);
    QL_TRY(read_matrix(file, path, r->opt, ds, err));
    return read_sides(file, ds->counts.n_rows, ds->counts.n_cols, r->opt, ds, notes, err);
}

/* Layers and graphs beside the matrix that was read. */
static ql_status list_others(hid_t file, ql_dataset *ds, ql_err *err)
{
    static const char *const groups[] = {"layers", "row_graphs", "col_graphs"};
    ql_names members = {0};
    char path[1024];
    ql_status st = QL_OK;
    if (strcmp(ds->matrix, MATRIX) != 0)
        QL_GO(ql_names_add(&ds->others, MATRIX, strlen(MATRIX), err));
    for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
        ql_names_free(&members);
        if (ql_h5r_kind_of(file, groups[g]) != QL_H5R_GROUP) continue;
        QL_GO(ql_h5r_members(file, groups[g], MAX_ATTRS, &members, NULL, err));
        for (int64_t i = 0; i < members.n; i++) {
            (void)snprintf(path, sizeof path, "%s/%s", groups[g], ql_name(&members, i));
            if (strcmp(path, ds->matrix) != 0)
                QL_GO(ql_names_add(&ds->others, path, strlen(path), err));
        }
    }
out:
    ql_names_free(&members);
    return st;
}

static ql_status read_loom(const char *path, const ql_reading *r, ql_dataset *ds, ql_notes *notes,
                           ql_err *err)
{
    hid_t file = -1;
    char matrix[1024];
    ql_status st;
    QL_GO(ql_h5r_open(path, &file, err));
    QL_GO(pick_matrix(file, r->opt, matrix, sizeof matrix, err));
    QL_GO(read_all(file, matrix, r, ds, notes, err));
    QL_GO(ql_set_text(&ds->matrix, matrix, err));
    if (r->opt->columns) QL_GO(list_others(file, ds, err));
out:
    ql_h5r_close(file);
    return st;
}

/* --- how large --- */

static ql_status measure(const char *path, const ql_read_options *opt, ql_read_sizes *out,
                         ql_err *err)
{
    hid_t file = -1;
    ql_matrix_info info;
    char matrix[1024];
    ql_status st;
    matrix_path(opt, matrix, sizeof matrix);
    QL_GO(ql_h5r_open(path, &file, err));
    QL_GO(ql_matrix_h5_info(file, matrix, &info, err));
    if (info.layout != QL_LAYOUT_DENSE) goto out;
    *out = (ql_read_sizes){.n_rows = info.n_cols,
                           .n_cols = info.n_rows,
                           .nnz = info.nnz,
                           .max_row = info.n_rows,
                           .rough = true,
                           .streams = true,
                           .band_bytes = ql_matrix_h5_stream_dense_turned_held(file, matrix)};
    ql_sizes_finish(out, true);
out:
    ql_h5r_close(file);
    return st;
}

/* --- describe --- */

static void describe_side(hid_t file, const side *s, ql_str *out)
{
    ql_names attrs = {0};
    const char *key = names_key(file, s);
    ql_str_printf(out, "names of the %ss  ", s->what);
    if (key)
        ql_str_printf(out, "%s/%s\n", s->group, key);
    else
        ql_str_puts(out, "(none: numbered)\n");
    const int64_t total = ql_h5_describe_list(file, s->group, 50, &attrs, out);
    ql_str_printf(out, "%s  ", s->group);
    ql_list_names(&attrs, total, out);
    ql_str_puts(out, "\n");
    ql_names_free(&attrs);
}

static ql_status describe(const char *path, ql_str *out, ql_err *err)
{
    hid_t file = -1;
    ql_str version = {0};
    ql_status st;
    QL_GO(ql_h5r_open(path, &file, err));
    QL_GO(version_of(file, &version, err));
    out->failed |= version.failed;
    ql_str_printf(out, "loom %s\n", ql_str_text(&version));
    ql_h5_describe_matrix(file, MATRIX, "genes", "cells", out);
    ql_h5_describe_layers(file, "genes", "cells", out);
    describe_side(file, &genes_side, out);
    describe_side(file, &cells_side, out);
out:
    ql_str_free(&version);
    ql_h5r_close(file);
    return st;
}

const ql_format ql_format_loom = {
    .name = "loom",
    .summary = "loom 3 and older",
    .sniff = sniff,
    .read = read_loom,
    .describe = describe,
    .measure = measure,
};
