/* loom 3: a dense matrix of genes x cells in compressed chunks, one attribute per column. */
#include <string.h>

#include "../hdf5/chunk_writer.h"
#include "../hdf5/h5_out.h"
#include "../hdf5/h5_result.h"
#include "out_level.h"
#include "quell/alloc.h"
#include "quell/interrupt.h"

enum { CHUNK = 64, OWN_LEVEL = 2 }; /* as loompy writes */

/* ---- the matrix ---- */

typedef struct {
    const ql_csr *genes; /* [genes, cells] */
    hid_t type;
    size_t size; /* of a value */
    float *row;  /* [cells] */
    char *band;
} job;

/* Genes first .. first + n - 1 as dense rows. */
static void fill_band(const job *j, int64_t first, int64_t n)
{
    const ql_csr *m = j->genes;
    for (int64_t r = 0; r < n; r++) {
        memset(j->row, 0, (size_t)m->n_cols * sizeof *j->row);
        for (int64_t k = m->indptr[first + r]; k < m->indptr[first + r + 1]; k++) {
            j->row[m->indices[k]] = m->data[k];
        }
        ql_h5_convert_counts(j->type, j->row, m->n_cols,
                             j->band + (size_t)(r * m->n_cols) * j->size);
    }
}

static ql_status write_bands(job *j, ql_chunk_writer *w, ql_err *err)
{
    const int64_t n_genes = j->genes->n_rows, n_cells = j->genes->n_cols, band = ql_chunks_band(w);
    ql_status st;
    QL_GO(QL_NEW(j->row, n_cells, "a row of the output", err));
    QL_GO(ql_new_((void **)&j->band, band, (size_t)n_cells * j->size, "rows of the output", err));
    for (int64_t at = 0; at < n_genes; at += band) {
        int64_t n = n_genes - at < band ? n_genes - at : band;
        QL_GO(ql_interrupt_check(err));
        fill_band(j, at, n);
        QL_GO(ql_chunks_rows(w, j->band, n, err));
    }
out:
    ql_free(j->row);
    ql_free(j->band);
    return st;
}

static ql_status write_dense(hid_t file, const ql_csr *genes, hid_t type, const ql_out_options *opt,
                             ql_err *err)
{
    const ql_chunk_spec spec = {.parent = file,
                                .name = "matrix",
                                .type = type,
                                .rank = 2,
                                .n_rows = genes->n_rows,
                                .n_cols = genes->n_cols,
                                .chunk_rows = CHUNK,
                                .chunk_cols = CHUNK,
                                .level = ql_out_level(opt, OWN_LEVEL),
                                .threads = opt->threads};
    job j = {.genes = genes, .type = type, .size = H5Tget_size(type)};
    ql_chunk_writer *w = NULL;
    QL_TRY(ql_chunks_open(&spec, &w, err));
    ql_status st = write_bands(&j, w, err);
    if (st == QL_OK) return ql_chunks_close(w, err);
    ql_chunks_abort(w);
    return st;
}

static ql_status write_matrix(hid_t file, const ql_csr *counts, const ql_out_options *opt,
                              ql_err *err)
{
    ql_csr genes = {0};
    ql_status st = ql_csr_transpose(counts, &genes, err);
    if (st == QL_OK) st = write_dense(file, &genes, ql_h5_count_type(counts), opt, err);
    ql_csr_free(&genes);
    return st;
}

/* ---- the attributes ---- */

/* loom knows strings and numbers only: bools become 0 and 1. */
static ql_status write_plain(hid_t group, const char *name, hid_t type, int64_t n,
                             const void *values, ql_err *err)
{
    const ql_chunk_spec spec = {
        .parent = group, .name = name, .type = type, .rank = 1, .n_rows = n, .n_cols = 1};
    return ql_chunks_write(&spec, values, err);
}

static ql_status write_column(hid_t group, const char *name, const ql_column *c, int64_t n,
                              ql_err *err)
{
    switch (c->type) {
    case QL_COL_STRING:
        return ql_h5out_strings(group, name, &c->strings, err);
    case QL_COL_BOOL:
        return write_plain(group, name, H5T_NATIVE_UINT8, n, c->values, err);
    case QL_COL_F32:
        return write_plain(group, name, H5T_NATIVE_FLOAT, n, c->values, err);
    case QL_COL_F64:
        return write_plain(group, name, H5T_NATIVE_DOUBLE, n, c->values, err);
    case QL_COL_I64:
        return write_plain(group, name, H5T_NATIVE_INT64, n, c->values, err);
    }
    return ql_fail(err, QL_EINTERNAL, "column %s has unknown type %d", name, (int)c->type);
}

/* Names that can be members of a group, the index first: a slash would make a group of a name. */
static ql_status member_names(const ql_frame *frame, const char *index, ql_names *out, ql_err *err)
{
    QL_TRY(ql_names_add(out, index, strlen(index), err));
    for (int i = 0; i < frame->n_columns; i++) {
        const char *name = frame->columns[i].name;
        bool odd = name[0] == '\0' || strcmp(name, ".") == 0;
        QL_TRY(ql_names_add(out, odd ? "column" : name, strlen(odd ? "column" : name), err));
    }
    for (int64_t i = 0; i < out->offset[out->n]; i++)
        if (out->bytes[i] == '/') out->bytes[i] = '_';
    return ql_names_make_unique(out, NULL, NULL, err);
}

static ql_status write_attributes(hid_t file, const char *where, const char *index,
                                  const ql_frame *frame, ql_err *err)
{
    ql_names names = {0};
    hid_t group = -1;
    ql_status st;
    QL_GO(member_names(frame, index, &names, err));
    QL_GO(ql_h5out_group(file, where, NULL, NULL, &group, err));
    QL_GO(ql_h5out_strings(group, index, &frame->index, err));
    for (int i = 0; i < frame->n_columns; i++) {
        QL_GO(write_column(group, ql_name(&names, i + 1), &frame->columns[i], frame->index.n, err));
    }
out:
    ql_names_free(&names);
    if (st == QL_OK) return ql_h5out_close(group, where, err);
    if (group >= 0) H5Gclose(group);
    return ql_context(err, st, "%s", where);
}

static ql_status write_version(hid_t file, ql_err *err)
{
    hid_t group = -1;
    QL_TRY(ql_h5out_group(file, "attrs", NULL, NULL, &group, err));
    ql_status st = ql_h5out_string(group, "LOOM_SPEC_VERSION", "3.0.0", err);
    if (st == QL_OK) return ql_h5out_close(group, "attrs", err);
    H5Gclose(group);
    return st;
}

static ql_status write_all(hid_t file, const ql_dataset *ds, const ql_out_options *opt, ql_err *err)
{
    static const char *const empty[] = {"layers", "row_graphs", "col_graphs"};
    QL_TRY(write_version(file, err));
    QL_TRY(write_attributes(file, "row_attrs", "Gene", &ds->genes, err));
    QL_TRY(write_attributes(file, "col_attrs", "CellID", &ds->cells, err));
    for (size_t i = 0; i < sizeof empty / sizeof *empty; i++) {
        QL_TRY(ql_h5_empty_group(file, empty[i], err));
    }
    return write_matrix(file, &ds->counts, opt, err);
}

static ql_status write_loom(const char *path, const ql_dataset *ds, const ql_out_options *opt,
                            ql_notes *notes, ql_err *err)
{
    ql_h5_result r;
    (void)notes;
    QL_TRY(ql_h5_result_begin(&r, path, ds->path, opt->force, err));
    return ql_h5_result_end(&r, write_all(r.file, ds, opt, err), err);
}

static const char *const extensions[] = {".loom", NULL};

const ql_out_format ql_out_loom = {
    .name = "loom",
    .summary = "loom 3, genes x cells, for loompy and velocyto",
    .extensions = extensions,
    .all_columns = true,
    .write = write_loom,
};
