/* numpy's .npy, dense float32, with the names in text files beside it. */
#include <string.h>

#include "quell/alloc.h"
#include "quell/npy_writer.h"
#include "quell/out_format.h"

enum { BAND_BYTES = 8 << 20 };

static void fill_rows(const ql_csr *m, int64_t first, int64_t n, float *out)
{
    memset(out, 0, (size_t)(n * m->n_cols) * sizeof *out);
    for (int64_t r = 0; r < n; r++) {
        for (int64_t k = m->indptr[first + r]; k < m->indptr[first + r + 1]; k++) {
            out[r * m->n_cols + m->indices[k]] = m->data[k];
        }
    }
}

static ql_status write_rows(ql_npy *w, const ql_csr *m, ql_err *err)
{
    int64_t band = BAND_BYTES / (int64_t)sizeof(float) / (m->n_cols > 0 ? m->n_cols : 1);
    float *rows = NULL;
    if (band < 1) band = 1;
    QL_TRY(
        ql_new_((void **)&rows, band, (size_t)m->n_cols * sizeof *rows, "rows of the output", err));
    ql_status st = QL_OK;
    for (int64_t at = 0; st == QL_OK && at < m->n_rows; at += band) {
        int64_t n = m->n_rows - at < band ? m->n_rows - at : band;
        fill_rows(m, at, n, rows);
        st = ql_npy_rows(w, rows, n, err);
    }
    ql_free(rows);
    return st;
}

static ql_status write_matrix(const char *path, const ql_npy_spec *spec, const ql_csr *m,
                              ql_err *err)
{
    ql_npy *w = NULL;
    QL_TRY(ql_npy_begin(path, spec, &w, err));
    ql_status st = write_rows(w, m, err);
    if (st == QL_OK) return ql_npy_commit(w, err);
    ql_npy_abort(w);
    return st;
}

static ql_status write_npy(const char *path, const ql_dataset *ds, const ql_out_options *opt,
                           ql_notes *notes, ql_err *err)
{
    const ql_npy_spec spec = {.cells = &ds->cells.index,
                              .genes = &ds->genes.index,
                              .genes_are_rows = opt->rows == QL_ORIENT_GENES_X_CELLS,
                              .in_path = ds->path,
                              .force = opt->force};
    ql_csr turned = {0};
    (void)notes;
    if (!spec.genes_are_rows) return write_matrix(path, &spec, &ds->counts, err);
    ql_status st = ql_csr_transpose(&ds->counts, &turned, err);
    if (st == QL_OK) st = write_matrix(path, &spec, &turned, err);
    ql_csr_free(&turned);
    return st;
}

static const char *const extensions[] = {".npy", NULL};

const ql_out_format ql_out_npy = {
    .name = "npy",
    .summary = "dense float32 array for numpy; names beside it, X.cells.txt",
    .extensions = extensions,
    .check = ql_npy_check,
    .write = write_npy,
};
