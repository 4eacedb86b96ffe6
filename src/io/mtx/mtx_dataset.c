#include "mtx_dataset.h"

#include <string.h>

#include "../counts/entry_sink.h"
#include "../file/folder.h"
#include "../hdf5/read_sizes.h"
#include "../hdf5/sparse_bands.h"
#include "../text/text_input.h"
#include "../text/wording.h"
#include "mtx_folder.h"
#include "mtx_stream.h"
#include "quell/alloc.h"
#include "quell/order.h"
#include "quell/reader.h"

/* A folder may hold one. */
static ql_status may_be_matrix_market(const char *path, bool *may, ql_err *err)
{
    char head[32] = "";
    size_t n;
    *may = ql_is_folder(path);
    if (!ql_is_file(path)) return QL_OK;
    QL_TRY(ql_text_peek(path, head, sizeof head - 1, &n, err));
    const char *s = n >= 3 && memcmp(head, "\xEF\xBB\xBF", 3) == 0 ? head + 3 : head;
    *may = strncmp(s, "%%MatrixMarket", 14) == 0;
    return QL_OK;
}

ql_status ql_mtx_sniff(const char *path, const char *format, bool *is, ql_err *err)
{
    ql_mtx_folder f;
    bool may;
    *is = false;
    QL_TRY(may_be_matrix_market(path, &may, err));
    if (!may) return QL_OK;
    QL_TRY(ql_mtx_folder_maker(path, NULL, &f, err));
    *is = f.maker && strcmp(f.maker->format, format) == 0;
    return QL_OK;
}

/* Columns id, name, and what the maker has third; any but the first may lack. */
static void take_features(ql_name_lines *lines, ql_third_column third, ql_features *f)
{
    ql_names_move(&lines->field[0], &f->id);
    if (lines->n_fields > 1) ql_names_move(&lines->field[1], &f->name);
    if (lines->n_fields > 2 && third == QL_THIRD_TYPE) ql_names_move(&lines->field[2], &f->type);
    if (lines->n_fields > 2 && third == QL_THIRD_GENOME)
        ql_names_move(&lines->field[2], &f->genome);
}

ql_status ql_check_layer_used(const ql_read_options *opt, bool used, ql_err *err)
{
    if (!opt->layer || used) return QL_OK;
    return ql_fail(err, QL_EUSAGE, "holds one matrix, so --layer %s cannot be picked", opt->layer);
}

ql_status ql_mtx_apply_fold(const ql_mtx_fold *fold, ql_csr *m, ql_err *err)
{
    if (!fold->apply) return QL_OK;
    fold->apply(m, fold);
    return ql_csr_normalise(m, NULL, err);
}

/* What is known beside the matrix. */
typedef struct {
    ql_mtx_how how;
    int64_t n_cells, n_features; /* of the matrix, before folding */
    ql_features features;
    ql_mtx_fold fold;
} beside;

static void take_names(const ql_mtx_folder *f, ql_mtx_named *named, beside *b, ql_dataset *ds)
{
    take_features(&named->genes, f->maker->third, &b->features);
    ql_names_move(&named->cells.field[0], &ds->cells.index);
    b->n_cells = ds->cells.index.n;
    b->n_features = b->features.id.n;
}

static ql_status fold_features(beside *b, bool by_layer, ql_mtx_change change,
                               const ql_read_options *opt, ql_notes *notes, ql_err *err)
{
    if (change) QL_TRY(change(&b->features, opt, &b->fold, notes, err));
    return ql_check_layer_used(opt, by_layer || b->fold.apply, err);
}

static ql_status read_whole(const ql_mtx_folder *f, beside *b, ql_mtx_change change,
                            const ql_read_options *opt, ql_dataset *ds, ql_notes *notes,
                            ql_err *err)
{
    ql_csr m = {0};
    ql_status st = ql_mtx_read(f->matrix.path, &b->how, &m, notes, err);
    if (st != QL_OK) return ql_context(err, st, "%s", f->matrix.path);
    if (m.n_rows != b->n_cells || m.n_cols != b->n_features)
        QL_GO(ql_fail(err, QL_EDATA, "%s: changed while it was read", f->matrix.path));
    QL_GO(fold_features(b, f->by_layer, change, opt, notes, err));
    QL_GO(ql_mtx_apply_fold(&b->fold, &m, err));
    QL_GO(ql_features_apply(&b->features, opt, &m, ds, notes, err));
out:
    ql_csr_free(&m);
    return st;
}

static ql_status read_bands(const ql_mtx_folder *f, beside *b, ql_mtx_change change,
                            const ql_reading *r, ql_dataset *ds, ql_notes *notes, ql_err *err)
{
    ql_band_sink *s = r->sink;
    uint8_t *keep = NULL;
    ql_status st;
    QL_GO(fold_features(b, f->by_layer, change, r->opt, notes, err));
    QL_GO(ql_features_choose(&b->features, r->opt, &keep, ds, notes, err));
    s->keep = keep;
    s->fold = b->fold.apply;
    s->fold_how = &b->fold;
    s->n_folded = b->fold.n;
    ql_sink_name(s, ds);
    st = ql_mtx_stream(f->matrix.path, &b->how, b->n_cells, b->n_features, s, notes, err);
    if (st != QL_OK) ql_context(err, st, "%s", f->matrix.path);
    if (st == QL_OK) st = ql_sink_end(s, ds, err);
out:
    s->keep = NULL;
    s->fold = NULL;
    ql_free(keep);
    return st;
}

static ql_status read_named(const ql_mtx_folder *f, ql_mtx_change change, const ql_reading *r,
                            ql_mtx_named *named, ql_dataset *ds, ql_notes *notes, ql_err *err)
{
    beside b = {.how = {named->cells_are_columns, r->opt->allow_short, r->opt->threads}};
    take_names(f, named, &b, ds);
    ql_status st = r->sink ? read_bands(f, &b, change, r, ds, notes, err)
                           : read_whole(f, &b, change, r->opt, ds, notes, err);
    ql_features_free(&b.features);
    return st;
}

static void note_choice(const ql_mtx_folder *f, ql_notes *notes)
{
    if (f->n_others > 0)
        ql_note_add(notes, QL_NOTE_INFO, "using %s (the folder has %d more)", f->matrix.path,
                    f->n_others);
    else if (f->descended)
        ql_note_add(notes, QL_NOTE_INFO, "using %s", f->matrix.path);
}

ql_status ql_mtx_read_dataset(const char *path, const char *format, ql_mtx_change change,
                              const ql_reading *r, ql_dataset *ds, ql_notes *notes, ql_err *err)
{
    ql_mtx_folder f;
    ql_mtx_named named = {.unnamed_genes = false};
    const char *slash;
    ql_status st;
    QL_GO(ql_mtx_folder_find(path, format, r->opt->layer, &f, err));
    note_choice(&f, notes);
    QL_GO(ql_mtx_folder_names(&f, r->opt, &named, notes, err));
    QL_GO(read_named(&f, change, r, &named, ds, notes, err));
    slash = strrchr(f.matrix.path, '/');
    QL_GO(ql_set_text(&ds->matrix, slash ? slash + 1 : f.matrix.path, err));
out:
    ql_mtx_named_free(&named);
    return st;
}

/* --- how large --- */

ql_status ql_mtx_measure(const char *path, const ql_read_options *opt, ql_read_sizes *out,
                         ql_err *err)
{
    enum { TRIPLET = 12 };
    ql_mtx_folder f;
    ql_mtx_named named = {0};
    ql_status st;
    QL_GO(ql_mtx_folder_find(path, NULL, opt->layer, &f, err));
    QL_GO(ql_mtx_folder_names(&f, opt, &named, NULL, err));
    const ql_mtx_header *h = &named.header;
    out->n_rows = named.cells_are_columns ? h->n_cols : h->n_rows;
    out->n_cols = named.cells_are_columns ? h->n_rows : h->n_cols;
    out->nnz = ql_mtx_believable(f.matrix.path, h);
    out->max_row = ql_least(out->n_cols, out->nnz);
    out->streams = true;
    out->band_bytes = QL_TEXT_BUFFERS + ql_most(ql_sort_held(out->nnz, out->n_rows, out->n_cols),
                                                ql_least(out->nnz, 2 * QL_BAND) * TRIPLET * 5 / 4);
    out->sort_bytes = ql_sort_file(out->nnz);
    ql_sizes_finish(out, false);
    /* grown as they come; before that, the text of a gzip file */
    out->whole_bytes += out->nnz * (TRIPLET * 3 / 2 + (ql_is_gzip_file(f.matrix.path) ? 4 : 0));
out:
    ql_mtx_named_free(&named);
    return st;
}

/* --- quell info --- */

static void describe_files(const char *label, const ql_path *files, int n, ql_str *out)
{
    if (n == 0) return;
    ql_str_printf(out, "%s", label);
    for (int i = 0; i < n; i++) ql_str_printf(out, "%s%s", i ? " or " : "  ", files[i].path);
    ql_str_puts(out, "\n");
}

static void describe_header(const ql_mtx_folder *f, const ql_mtx_header *h, const char *way,
                            ql_str *out)
{
    ql_grouped rows, cols, entries;
    ql_str_printf(out, "%s  %s x %s, %s entries%s%s\n", f->matrix.path,
                  ql_group_digits(h->n_rows, rows), ql_group_digits(h->n_cols, cols),
                  ql_group_digits(h->n_entries, entries), *way ? ", " : "", way);
    if (f->maker->orient != QL_ORIENT_AUTO)
        ql_str_printf(out, "made by  %s, by the names of the files\n", f->maker->tool);
    describe_files("genes", f->genes, f->n_genes, out);
    describe_files("cells", f->cells, f->n_cells, out);
    describe_files("gene names", &f->gene_names, f->gene_names.path[0] != '\0', out);
    describe_files("cell prefixes", &f->cell_prefix, f->cell_prefix.path[0] != '\0', out);
}

/* Without the options that the matrix was read with, so names that do not fit are no error here. */
ql_status ql_mtx_describe(const char *path, const char *format, ql_str *out, ql_err *err)
{
    static const ql_read_options plain = {.threads = 1};
    ql_mtx_folder f;
    ql_mtx_named named = {.unnamed_genes = false};
    ql_err own = {0};
    QL_TRY(ql_mtx_folder_maker(path, format, &f, err));
    if (!f.maker) return QL_OK;
    QL_TRY(ql_mtx_read_header(f.matrix.path, &named.header, err));
    const ql_status st = ql_mtx_folder_names(&f, &plain, &named, NULL, &own);
    if (st == QL_EMEMORY) {
        ql_mtx_named_free(&named);
        return ql_fail(err, st, "%s", own.msg);
    }
    bool fits = st == QL_OK && !(named.unnamed_genes && named.unnamed_cells);
    const char *way = named.cells_are_columns ? "genes x cells" : "cells x genes";
    describe_header(&f, &named.header, fits ? way : "", out);
    if (fits && named.genes.n_fields > 2 && f.maker->third == QL_THIRD_TYPE) {
        ql_str_puts(out, "feature types  ");
        ql_tally_text(&named.genes.field[2], out);
        ql_str_puts(out, "\n");
    }
    if (fits && ql_is_usa(&named.genes.field[0]))
        ql_str_puts(out, "columns  spliced, unspliced, ambiguous counts of each gene\n");
    ql_mtx_named_free(&named);
    return QL_OK;
}
