/* Matrices written in bands of rows: dense, or chosen columns as a csr_matrix. */
#include <string.h>

#include "h5_out.h"
#include "h5ad_start.h"
#include "h5ad_writer_internal.h"
#include "quell/alloc.h"
#include "quell/interrupt.h"

/* Rows and columns of a chunk: 256 KiB, any row or column at the same price. */
enum { DENSE_CHUNK = 256 };

void ql_h5ad_release_bands(band_matrix *m)
{
    ql_chunks_abort(m->values);
    ql_chunks_abort(m->indices);
    if (m->key && m->parent >= 0) H5Gclose(m->parent);
    ql_free(m->columns);
    ql_free(m->key);
    *m = (band_matrix){.parent = H5I_INVALID_HID};
}

static ql_status start_matrix(ql_h5ad_writer *w, const char *key, int64_t n_rows, int64_t n_cols,
                              ql_err *err)
{
    band_matrix *m = &w->m;
    size_t size = strlen(key) + 1;

    if (m->key) return ql_fail(err, QL_EINTERNAL, "%s: %s is not finished", key, m->key);
    QL_TRY(ql_h5ad_check_shape(w, key, n_rows, n_cols, err));
    QL_TRY(ql_new_((void **)&m->key, (int64_t)size, 1, "a name", err));
    memcpy(m->key, key, size);
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

static ql_status open_sparse_arrays(ql_h5ad_writer *w, ql_err *err)
{
    band_matrix *m = &w->m;
    ql_chunk_spec spec = {.parent = m->parent,
                          .name = "data",
                          .type = H5T_NATIVE_FLOAT,
                          .rank = 1,
                          .n_rows = m->n_rows,
                          .n_cols = m->n_stored,
                          .level = w->opt.deflate > 1 ? w->opt.deflate : 1,
                          .threads = w->opt.threads};
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
    const int64_t shape[2] = {n_rows, n_cols};
    band_matrix *m = &w->m;
    hid_t group = -1;
    ql_status st;

    QL_GO(ql_h5ad_note(w, "chosen", key, err));
    QL_GO(check_columns(key, cols, n_kept, n_cols, err));
    QL_GO(start_matrix(w, key, n_rows, n_cols, err));
    m->n_stored = n_kept;
    QL_GO(ql_h5out_group(m->parent, m->leaf, "csr_matrix", "0.1.0", &group, err));
    hid_t layers = m->parent;
    m->parent = group;
    QL_GO(ql_h5out_close(layers, key, err));
    QL_GO(ql_h5out_attr_int64s(group, "shape", shape, 2, err));
    QL_GO(open_sparse_arrays(w, err));
    QL_GO(repeat_columns(m, cols, err));
    *band_rows = ql_chunks_band(m->values);
out:
    return ql_h5ad_done(w, st, err);
}

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
    for (int64_t i = 0; i <= m->n_rows; i++) indptr[i] = i * m->n_stored;
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
