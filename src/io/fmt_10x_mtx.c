/* Folders of Cell Ranger and STARsolo: matrix.mtx with features.tsv (or genes.tsv) and
 * barcodes.tsv, each plain or gzip. */
#include <string.h>

#include "features_10x.h"
#include "folder.h"
#include "formats.h"
#include "mtx_folder.h"
#include "text_input.h"

static bool is_matrix_market(const char *path)
{
    char head[32] = "";
    size_t n = ql_text_peek(path, head, sizeof head - 1);
    const char *s = n >= 3 && memcmp(head, "\xEF\xBB\xBF", 3) == 0 ? head + 3 : head;
    return strncmp(s, "%%MatrixMarket", 14) == 0;
}

static bool sniff(const char *path)
{
    ql_mtx_folder f;
    if (!ql_is_folder(path)) return ql_is_file(path) && is_matrix_market(path);
    ql_err err = {0};
    /* a folder with a matrix but without names is ours too: reading it says what is missing */
    return ql_mtx_folder_find(path, &f, &err) == QL_OK || f.matrix.path[0];
}

static void move_names(ql_names *from, ql_names *to)
{
    ql_names_free(to);
    *to = *from;
    *from = (ql_names){0};
}

/* Columns id, name, type; STARsolo and old files have fewer. */
static void take_features(ql_name_lines *lines, ql_features *f)
{
    move_names(&lines->field[0], &f->id);
    if (lines->n_fields > 1) move_names(&lines->field[1], &f->name);
    if (lines->n_fields > 2) move_names(&lines->field[2], &f->type);
}

static ql_status read_named(const ql_mtx_folder *f, const ql_read_options *opt, ql_mtx_named *named,
                            ql_dataset *ds, ql_notes *notes, ql_err *err)
{
    ql_csr m = {0};
    ql_features features = {0};
    ql_mtx_how how = {named->cells_are_columns, opt->allow_short, opt->threads};
    ql_status st = ql_mtx_read(f->matrix.path, &how, &m, notes, err);
    if (st != QL_OK) return ql_context(err, "%s", f->matrix.path);
    take_features(&named->genes, &features);
    move_names(&named->cells.field[0], &ds->cells.index);
    if (m.n_rows != ds->cells.index.n || m.n_cols != features.id.n)
        st = ql_fail(err, QL_EDATA, "%s: changed while it was read", f->matrix.path);
    else
        st = ql_features_apply(&features, opt, &m, ds, notes, err);
    ql_csr_free(&m);
    ql_features_free(&features);
    return st;
}

static ql_status read_mtx(const char *path, const ql_read_options *opt, ql_dataset *ds,
                          ql_notes *notes, ql_err *err)
{
    ql_mtx_folder f;
    ql_mtx_named named = {0};
    ql_status st;
    QL_GO(ql_mtx_folder_find(path, &f, err));
    if (f.descended) ql_note_add(notes, QL_NOTE_INFO, "using %s", f.matrix.path);
    QL_GO(ql_mtx_folder_names(&f, &named, notes, err));
    QL_GO(read_named(&f, opt, &named, ds, notes, err));
    QL_GO(ql_set_text(&ds->matrix,
                      strrchr(f.matrix.path, '/') ? strrchr(f.matrix.path, '/') + 1 : f.matrix.path,
                      err));
out:
    ql_mtx_named_free(&named);
    return st;
}

static ql_status describe(const char *path, ql_str *out, ql_err *err)
{
    ql_mtx_folder f;
    ql_mtx_named named = {0};
    ql_grouped rows, cols, entries;
    ql_status st;
    QL_GO(ql_mtx_folder_find(path, &f, err));
    QL_GO(ql_mtx_folder_names(&f, &named, NULL, err));
    const ql_mtx_header *h = &named.header;
    ql_str_printf(out, "%s  %s x %s, %s entries, %s\n", f.matrix.path,
                  ql_group_digits(h->n_rows, rows), ql_group_digits(h->n_cols, cols),
                  ql_group_digits(h->n_entries, entries),
                  named.cells_are_columns ? "genes x cells" : "cells x genes");
    if (named.genes.n_fields > 2) {
        ql_str_puts(out, "feature types  ");
        ql_tally_text(&named.genes.field[2], out);
        ql_str_puts(out, "\n");
    }
out:
    ql_mtx_named_free(&named);
    return st;
}

const ql_format ql_format_10x_mtx = {
    .name = "10x-mtx",
    .summary = "folder of Cell Ranger or STARsolo: matrix.mtx, features.tsv, barcodes.tsv",
    .sniff = sniff,
    .read = read_mtx,
    .describe = describe,
};
