/* Matrices written in bands of rows: dense, or chosen columns as a csr_matrix. */
#include <string.h>

#include "../hdf5/h5_out.h"
#include "h5ad_entries.h"
#include "h5ad_start.h"
#include "h5ad_writer_internal.h"
#include "quell/alloc.h"
#include "quell/interrupt.h"
#include "quell/strbuf.h"

/* Rows and columns of a chunk: 256 KiB, any row or column at the same price. */
enum { DENSE_CHUNK = 256 };

void ql_h5ad_release_bands(band_matrix *m)
{
    ql_chunks_abort(m->values);
    ql_chunks_abort(m->indices);
    if (m->key && m->parent >= 0) H5Gclose(m->parent);
    ql_free(m->columns);
    ql_free(m->wait_value);
    ql_free(m->wait_column);
    ql_free(m->key);
    *m = (band_matrix){.parent = H5I_INVALID_HID};
}

static ql_status start_matrix(ql_h5ad_writer *w, const char *key, int64_t n_rows, int64_t n_cols,
                              ql_err *err)
{
    band_matrix *m = &w->m;

    if (m->key) return ql_fail(err, QL_EINTERNAL, "%s: %s is not finished", key, m->key);
    QL_TRY(ql_h5ad_check_shape(w, key, n_rows, n_cols, err));
    QL_TRY(ql_text_copy(key, &m->key, err));
    m->n_rows = n_rows;
    return ql_h5ad_open_parent(w, m->key, &m->parent, &m->leaf, err);
}

static ql_status begin_dense(ql_h5ad_writer *w, const char *key, int64_t n_rows, int64_t n_cols,
                             int64_t *band_rows, ql_err *err)
{
    band_matrix *m = &w->m;
    QL_TRY(ql_h5ad_note(w, "dense", key, err));
    QL_TRY(start_matrix(w, key, n_rows, n_cols, err));
    m->n_stored = n_cols;
    ql_chunk_spec spec = {.parent = m->parent,
                          .name = m->leaf,
                          .type = H5T_NATIVE_FLOAT,
                          .rank = 2,
                          .n_rows = n_rows,
                          .n_cols = n_cols,
                          .chunk_rows = DENSE_CHUNK,
                          .chunk_cols = DENSE_CHUNK,
                          .level = w->opt.deflate,
                          .threads = w->opt.threads,
                          .encode = true};
    QL_TRY(ql_chunks_open(&spec, &m->values, err));
    *band_rows = ql_chunks_band(m->values);
    /* what compression saves is not known, so only plain storage can be refused early */
    int64_t bytes = 0;
    if (w->opt.deflate > 0 || __builtin_mul_overflow(n_rows * n_cols, (int64_t)4, &bytes)) {
        return QL_OK;
    }
    return ql_out_room(&w->out, bytes, err);
}

ql_status ql_h5ad_dense_begin(ql_h5ad_writer *w, const char *key, int64_t n_rows, int64_t n_cols,
                              int64_t *band_rows, ql_err *err)
{
    return ql_h5ad_done(w, begin_dense(w, key, n_rows, n_cols, band_rows, err), err);
}

static ql_status check_columns(const char *key, const int32_t *cols, int64_t n_kept, int64_t n_cols,
                               ql_err *err)
{
    for (int64_t i = 0; i < n_kept; i++) {
        if (cols[i] >= 0 && cols[i] < n_cols && (i == 0 || cols[i] > cols[i - 1])) continue;
        return ql_fail(err, QL_EINTERNAL, "%s: column %d at %lld is out of range or order", key,
                       cols[i], (long long)i);
    }
    return QL_OK;
}

/* The matrix's own group takes the place of the one it is in. */
static ql_status open_csr(ql_h5ad_writer *w, const char *key, int64_t n_cols, ql_err *err)
{
    band_matrix *m = &w->m;
    const int64_t shape[2] = {m->n_rows, n_cols};
    hid_t group;
    QL_TRY(ql_h5out_group(m->parent, m->leaf, "csr_matrix", "0.1.0", &group, err));
    hid_t outer = m->parent;
    m->parent = group;
    QL_TRY(ql_h5out_close(outer, key, err));
    return ql_h5out_attr_int64s(group, "shape", shape, 2, err);
}

static ql_status open_sparse_arrays(ql_h5ad_writer *w, ql_err *err)
{
    band_matrix *m = &w->m;
    ql_chunk_spec spec = ql_h5ad_entries(m->parent, "data", H5T_NATIVE_FLOAT, m->n_rows, &w->opt);
    spec.n_cols = m->n_stored;
    spec.chunk_rows = m->n_stored > 0 ? QL_SPARSE_CHUNK / m->n_stored : 1;
    if (spec.chunk_rows < 1) spec.chunk_rows = 1;
    QL_TRY(ql_chunks_open(&spec, &m->values, err));
    spec.name = "indices";
    spec.type = H5T_NATIVE_INT32;
    return ql_chunks_open(&spec, &m->indices, err);
}

/* Every row of every band has the same columns, so their indices are laid out once. */
static ql_status repeat_columns(band_matrix *m, const int32_t *cols, ql_err *err)
{
    int64_t band = ql_chunks_band(m->values);
    QL_TRY(QL_NEW(m->columns, band * m->n_stored, "the columns of a band", err));
    for (int64_t r = 0; r < band && m->n_stored > 0; r++) {
        memcpy(m->columns + r * m->n_stored, cols, (size_t)m->n_stored * sizeof *cols);
    }
    return QL_OK;
}

ql_status ql_h5ad_chosen_begin(ql_h5ad_writer *w, const char *key, int64_t n_rows, int64_t n_cols,
                               const int32_t *cols, int64_t n_kept, int64_t *band_rows, ql_err *err)
{
    band_matrix *m = &w->m;
    ql_status st;

    QL_GO(ql_h5ad_note(w, "chosen", key, err));
    QL_GO(check_columns(key, cols, n_kept, n_cols, err));
    QL_GO(start_matrix(w, key, n_rows, n_cols, err));
    m->n_stored = n_kept;
    QL_GO(open_csr(w, key, n_cols, err));
    QL_GO(open_sparse_arrays(w, err));
    QL_GO(repeat_columns(m, cols, err));
    *band_rows = ql_chunks_band(m->values);
out:
    return ql_h5ad_done(w, st, err);
}

/* ---- rows of any length ---- */

static ql_status open_entries(ql_h5ad_writer *w, int64_t nnz, ql_err *err)
{
    band_matrix *m = &w->m;
    ql_chunk_spec spec = ql_h5ad_entries(m->parent, "data", H5T_NATIVE_FLOAT, nnz, &w->opt);
    QL_TRY(ql_chunks_open(&spec, &m->values, err));
    spec.name = "indices";
    spec.type = H5T_NATIVE_INT32;
    QL_TRY(ql_chunks_open(&spec, &m->indices, err));
    m->wait_most = ql_chunks_band(m->values);
    QL_TRY(QL_NEW(m->wait_value, m->wait_most, "a band of a sparse layer", err));
    return QL_NEW(m->wait_column, m->wait_most, "a band of a sparse layer", err);
}

ql_status ql_h5ad_sparse_begin(ql_h5ad_writer *w, const char *key, int64_t n_rows, int64_t n_cols,
                               const int64_t *indptr, ql_err *err)
{
    ql_status st;
    QL_GO(ql_h5ad_note(w, "sparse", key, err));
    QL_GO(start_matrix(w, key, n_rows, n_cols, err));
    w->m.indptr = indptr;
    QL_GO(open_csr(w, key, n_cols, err));
    QL_GO(open_entries(w, indptr[n_rows], err));
out:
    return ql_h5ad_done(w, st, err);
}

static ql_status store_waiting(band_matrix *m, ql_err *err)
{
    const int64_t n = m->n_wait;
    m->n_wait = 0;
    if (n == 0) return QL_OK;
    QL_TRY(ql_chunks_rows(m->values, m->wait_value, n, err));
    return ql_chunks_rows(m->indices, m->wait_column, n, err);
}

static ql_status take_entries(ql_h5ad_writer *w, const float *values, const int32_t *columns,
                              int64_t n, ql_err *err)
{
    band_matrix *m = &w->m;
    QL_TRY(ql_interrupt_check(err));
    if (!m->wait_value) return ql_fail(err, QL_EINTERNAL, "entries without a matrix");
    while (n > 0) {
        const int64_t room = m->wait_most - m->n_wait, part = n < room ? n : room;
        memcpy(m->wait_value + m->n_wait, values, (size_t)part * sizeof *values);
        memcpy(m->wait_column + m->n_wait, columns, (size_t)part * sizeof *columns);
        m->n_wait += part;
        values += part;
        columns += part;
        n -= part;
        if (m->n_wait == m->wait_most) QL_TRY(store_waiting(m, err));
    }
    return QL_OK;
}

ql_status ql_h5ad_sparse_entries(ql_h5ad_writer *w, const float *values, const int32_t *columns,
                                 int64_t n, ql_err *err)
{
    return ql_h5ad_done(w, take_entries(w, values, columns, n, err), err);
}

/* ---- rows of equal length ---- */

static ql_status take_rows(ql_h5ad_writer *w, const float *rows, int64_t n, ql_err *err)
{
    band_matrix *m = &w->m;
    QL_TRY(ql_interrupt_check(err));
    if (!m->values) return ql_fail(err, QL_EINTERNAL, "rows without a matrix");
    if (m->indices && n > ql_chunks_band(m->values)) {
        return ql_fail(err, QL_EINTERNAL, "%s: a band of %lld rows", m->key, (long long)n);
    }
    QL_TRY(ql_chunks_rows(m->values, rows, n, err));
    return m->indices ? ql_chunks_rows(m->indices, m->columns, n, err) : QL_OK;
}

ql_status ql_h5ad_dense_rows(ql_h5ad_writer *w, const float *rows, int64_t n, ql_err *err)
{
    return ql_h5ad_done(w, take_rows(w, rows, n, err), err);
}

static ql_status write_row_pointers(ql_h5ad_writer *w, ql_err *err)
{
    const band_matrix *m = &w->m;
    int64_t *indptr = NULL;
    ql_status st;

    QL_GO(QL_NEW(indptr, m->n_rows + 1, "row pointers", err));
    for (int64_t i = 0; i <= m->n_rows; i++) indptr[i] = m->indptr ? m->indptr[i] : i * m->n_stored;
    QL_GO(ql_h5ad_write_indptr(m->parent, indptr, m->n_rows, &w->opt, err));
out:
    ql_free(indptr);
    return st;
}

static ql_status close_array(ql_chunk_writer **array, ql_err *err)
{
    ql_chunk_writer *taken = *array;
    *array = NULL;
    return ql_chunks_close(taken, err);
}

static ql_status finish_matrix(ql_h5ad_writer *w, ql_err *err)
{
    band_matrix *m = &w->m;
    if (!m->values) return ql_fail(err, QL_EINTERNAL, "the end of no matrix");
    if (m->wait_value) QL_TRY(store_waiting(m, err));
    QL_TRY(close_array(&m->values, err));
    if (m->indices) {
        QL_TRY(close_array(&m->indices, err));
        QL_TRY(write_row_pointers(w, err));
    }
    hid_t parent = m->parent;
    m->parent = H5I_INVALID_HID;
    return ql_h5out_close(parent, m->key, err);
}

ql_status ql_h5ad_dense_end(ql_h5ad_writer *w, ql_err *err)
{
    ql_status st = ql_h5ad_done(w, finish_matrix(w, err), err);
    ql_h5ad_release_bands(&w->m);
    return st;
}
