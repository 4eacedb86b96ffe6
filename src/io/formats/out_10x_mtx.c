/* A folder as Cell Ranger 3 and later write it: matrix.mtx.gz (genes x cells, cell by cell),
 * features.tsv.gz, barcodes.tsv.gz. */
#include <string.h>

#include "../file/out_folder.h"
#include "../text/text_field.h"
#include "../text/text_output.h"
#include "out_level.h"

enum { BARCODES, FEATURES, MATRIX };
static const char *const members[] = {"barcodes.tsv.gz", "features.tsv.gz", "matrix.mtx.gz", NULL};

/* ---- the matrix ---- */

static size_t cell_room(const void *ctx, int64_t cell)
{
    enum { ENTRY_ROOM = 2 * 20 + QL_NUMBER_ROOM + 3 };
    const ql_csr *m = ctx;
    return (size_t)(m->indptr[cell + 1] - m->indptr[cell]) * ENTRY_ROOM;
}

static size_t put_cell(const void *ctx, int64_t cell, char *out)
{
    const ql_csr *m = ctx;
    char *p = out;
    for (int64_t k = m->indptr[cell]; k < m->indptr[cell + 1]; k++) {
        p += ql_number_i64(p, m->indices[k] + 1);
        *p++ = ' ';
        p += ql_number_i64(p, cell + 1);
        *p++ = ' ';
        p += ql_number_count(p, m->data[k]);
        *p++ = '\n';
    }
    return (size_t)(p - out);
}

static ql_status write_matrix(ql_text_out *t, const void *ctx, ql_err *err)
{
    const ql_dataset *ds = ctx;
    const ql_csr *m = &ds->counts;
    const ql_text_items cells = {m->n_rows, cell_room, put_cell, m};
    ql_str head = {0};
    ql_str_printf(&head, "%%%%MatrixMarket matrix coordinate %s general\n%lld %lld %lld\n",
                  ds->is_counts ? "integer" : "real", (long long)m->n_cols, (long long)m->n_rows,
                  (long long)ql_csr_nnz(m));
    ql_status st = head.failed ? ql_fail(err, QL_EMEMORY, "no memory for a line")
                               : ql_textout_write(t, head.text, head.len, err);
    ql_str_free(&head);
    return st == QL_OK ? ql_textout_items(t, &cells, err) : st;
}

/* ---- the names ---- */

/* A tab would start a field and a line end a line; neither can be quoted in these files. */
static ql_status put_name(ql_text_out *t, const char *name, char end, ql_err *err)
{
    for (size_t n; (n = strcspn(name, "\t\r\n")), name[n] != '\0'; name += n + 1) {
        QL_TRY(ql_textout_write(t, name, n, err));
        QL_TRY(ql_textout_write(t, " ", 1, err));
    }
    QL_TRY(ql_textout_puts(t, name, err));
    return ql_textout_write(t, &end, 1, err);
}

static ql_status write_barcodes(ql_text_out *t, const void *ctx, ql_err *err)
{
    const ql_dataset *ds = ctx;
    for (int64_t i = 0; i < ds->cells.index.n; i++) {
        QL_TRY(put_name(t, ql_name(&ds->cells.index, i), '\n', err));
    }
    return QL_OK;
}

static ql_status write_features(ql_text_out *t, const void *ctx, ql_err *err)
{
    const ql_dataset *ds = ctx;
    const ql_names *ids = ql_frame_texts(&ds->genes, "gene_ids");
    const ql_names *types = ql_frame_texts(&ds->genes, "feature_types");
    for (int64_t i = 0; i < ds->genes.index.n; i++) {
        const char *name = ql_name(&ds->genes.index, i);
        QL_TRY(put_name(t, ids ? ql_name(ids, i) : name, '\t', err));
        QL_TRY(put_name(t, name, '\t', err));
        QL_TRY(put_name(t, types ? ql_name(types, i) : "Gene Expression", '\n', err));
    }
    return QL_OK;
}

/* ---- the folder ---- */

static ql_text_fill *const writers[] = {
    [BARCODES] = write_barcodes, [FEATURES] = write_features, [MATRIX] = write_matrix};

static ql_status write_member(const ql_out_folder *f, int i, const ql_dataset *ds,
                              const ql_out_options *opt, ql_err *err)
{
    ql_out_file file;
    QL_TRY(ql_outdir_member(f, i, &file, err));
    return ql_textout_whole(&file, ql_out_gzip_level(opt), opt->threads, writers[i], ds, err);
}

static ql_status write_10x_mtx(const char *path, const ql_dataset *ds, const ql_out_options *opt,
                               ql_notes *notes, ql_err *err)
{
    ql_out_folder f;
    ql_status st = QL_OK;
    (void)notes;
    QL_TRY(ql_outdir_begin(&f, path, ds->path, members, opt->force, err));
    for (int i = 0; st == QL_OK && members[i]; i++) st = write_member(&f, i, ds, opt, err);
    if (st == QL_OK) return ql_outdir_commit(&f, err);
    ql_outdir_abort(&f);
    return st;
}

static ql_status check(const char *path, const char *in_path, bool force, ql_err *err)
{
    ql_out_folder probe;
    QL_TRY(ql_outdir_begin(&probe, path, in_path, members, force, err));
    ql_outdir_abort(&probe);
    return QL_OK;
}

static const char *const gene_columns[] = {"gene_ids", "feature_types", NULL};

const ql_out_format ql_out_10x_mtx = {
    .name = "10x-mtx",
    .summary = "a folder with matrix.mtx.gz, features.tsv.gz and barcodes.tsv.gz",
    .gene_columns = gene_columns,
    .check = check,
    .write = write_10x_mtx,
};
