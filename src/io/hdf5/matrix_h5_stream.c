/* Sparse matrices of an HDF5 file to a sink: compressed rows a band at a time, compressed columns
 * through an external sort. */
#include "matrix_h5_stream.h"

#include <inttypes.h>
#include <string.h>

#include "../counts/entry_sink.h"
#include "../counts/triplets.h"
#include "quell/interrupt.h"
#include "quell/order.h"
#include "sparse_bands.h"

/* --- rows --- */

/* Rows from `row` on that fill a band; at least one. */
static int64_t band_end(const ql_sparse_bands *b, int64_t row)
{
    const int64_t most = ql_band_entries();
    int64_t end = row + 1;
    while (end < b->n && b->indptr[end + 1] - b->indptr[row] <= most && end - row < most) end++;
    return end;
}

static int64_t longest_band(const ql_sparse_bands *b)
{
    int64_t most = ql_least(b->indptr[b->n], ql_band_entries());
    for (int64_t i = 0; i < b->n; i++)
        if (b->indptr[i + 1] - b->indptr[i] > most) most = b->indptr[i + 1] - b->indptr[i];
    return most;
}

static ql_status send_rows(ql_sparse_bands *b, int64_t row, int64_t end, ql_csr *m, ql_band_sink *s,
                           ql_err *err)
{
    int64_t first = b->indptr[row], n = b->indptr[end] - first;
    QL_TRY(ql_interrupt_check(err));
    QL_TRY(ql_sparse_bands_read(b, first, n, m->indices, m->data, err));
    m->n_rows = end - row;
    for (int64_t i = row; i <= end; i++) m->indptr[i - row] = b->indptr[i] - first;
    return ql_sink_add(s, m, err);
}

static ql_status send_bands(ql_sparse_bands *b, ql_csr *m, ql_band_sink *s, ql_err *err)
{
    QL_TRY(ql_csr_alloc(m, ql_least(b->n, ql_band_entries()), b->limit, longest_band(b), err));
    for (int64_t row = 0, end; row < b->n && !s->stop; row = end) {
        end = band_end(b, row);
        QL_TRY(send_rows(b, row, end, m, s, err));
    }
    return QL_OK;
}

ql_status ql_matrix_h5_stream_arrays(hid_t file, const char *group, int64_t n_rows, int64_t n_cols,
                                     const char *cols, ql_band_sink *s, ql_err *err)
{
    ql_sparse_bands b = {0};
    ql_csr m = {0};
    ql_status st;
    QL_GO(ql_sparse_bands_open(&b, file, group, n_rows, n_cols, cols, s->threads, err));
    QL_GO(ql_sink_begin(s, n_rows, n_cols, err));
    QL_GO(send_bands(&b, &m, s, err));
out:
    ql_csr_free(&m);
    ql_sparse_bands_close(&b);
    return st;
}

/* --- columns --- */

/* Which column each entry from `first` on is of; *col: that of the one before. */
static void name_columns(const ql_sparse_bands *b, int64_t first, int64_t n, int64_t *col,
                         int32_t *out)
{
    for (int64_t k = 0; k < n; k++) {
        while (b->indptr[*col + 1] <= first + k) (*col)++;
        out[k] = (int32_t)*col;
    }
}

/* t: room for a band. */
static ql_status sort_columns(ql_sparse_bands *b, ql_triplets *t, ql_entry_runs *runs, ql_err *err)
{
    int64_t nnz = b->indptr[b->n], col = 0;
    for (int64_t first = 0, n; first < nnz; first += n) {
        n = ql_least(nnz - first, t->cap);
        QL_TRY(ql_interrupt_check(err));
        QL_TRY(ql_sparse_bands_read(b, first, n, t->row, t->value, err));
        name_columns(b, first, n, &col, t->col);
        QL_TRY(ql_runs_add(runs, t->row, t->col, t->value, n, err));
    }
    return QL_OK;
}

static ql_status stream_columns(hid_t file, const char *group, int64_t n_rows, int64_t n_cols,
                                const char *rows, ql_band_sink *s, ql_err *err)
{
    ql_sparse_bands b = {0};
    ql_triplets t = {0};
    ql_entry_runs *runs = NULL;
    ql_status st;
    QL_GO(ql_sparse_bands_open(&b, file, group, n_cols, n_rows, rows, s->threads, err));
    int64_t nnz = b.indptr[n_cols];
    QL_GO(ql_triplets_reserve(&t, ql_least(nnz, ql_band_entries()), err));
    QL_GO(ql_runs_new(s->folder, ql_sort_entries(nnz), &runs, err));
    QL_GO(sort_columns(&b, &t, runs, err));
    ql_triplets_free(&t);
    ql_sparse_bands_close(&b);
    QL_GO(ql_sink_sorted(s, runs, n_rows, n_cols, err));
out:
    ql_runs_free(runs);
    ql_triplets_free(&t);
    ql_sparse_bands_close(&b);
    return st;
}

/* --- any layout --- */

/* What does not fit is told as by the reading of it whole. */
static ql_status send_whole(hid_t file, const char *path, int64_t n_rows, int64_t n_cols,
                            ql_band_sink *s, ql_err *err)
{
    ql_csr m = {0};
    int64_t n_duplicates = 0;
    QL_TRY(ql_matrix_h5_read(file, path, n_rows, n_cols, s->threads, &m, &n_duplicates, err));
    ql_status st = ql_sink_begin(s, n_rows, n_cols, err);
    if (st == QL_OK) st = ql_sink_add(s, &m, err);
    s->n_duplicates += n_duplicates;
    ql_csr_free(&m);
    return st;
}

/* turned: what is wanted are the file's columns. Messages count the file's columns as genes and its
 * rows as cells whichever they are, as ql_matrix_h5_read does. */
static ql_status send_layout(hid_t file, const char *path, ql_matrix_layout layout, bool turned,
                             int64_t n_rows, int64_t n_cols, ql_band_sink *s, ql_err *err)
{
    const char *counted = layout == QL_LAYOUT_CSR ? "genes" : "cells";
    if (layout == QL_LAYOUT_DENSE)
        return (turned ? ql_matrix_h5_stream_dense_turned
                       : ql_matrix_h5_stream_dense)(file, path, n_rows, n_cols, s, err);
    return ((layout == QL_LAYOUT_CSR) != turned ? ql_matrix_h5_stream_arrays : stream_columns)(
        file, path, n_rows, n_cols, counted, s, err);
}

ql_status ql_matrix_h5_stream(hid_t file, const char *path, int64_t n_rows, int64_t n_cols,
                              ql_band_sink *s, ql_dataset *ds, ql_err *err)
{
    ql_matrix_info info;
    ql_sink_name(s, ds);
    QL_TRY(ql_matrix_h5_info(file, path, &info, err));
    bool fits = info.n_rows == n_rows && info.n_cols == n_cols && n_cols <= INT32_MAX &&
                n_rows <= INT32_MAX;
    if (fits)
        QL_TRY(send_layout(file, path, info.layout, false, n_rows, n_cols, s, err));
    else
        QL_TRY(send_whole(file, path, n_rows, n_cols, s, err));
    return ql_sink_end(s, ds, err);
}

ql_status ql_matrix_h5_stream_turned(hid_t file, const char *path, int64_t n_rows, int64_t n_cols,
                                     ql_band_sink *s, ql_dataset *ds, ql_err *err)
{
    ql_matrix_info info;
    ql_sink_name(s, ds);
    QL_TRY(ql_matrix_h5_info(file, path, &info, err));
    if (info.n_rows > INT32_MAX || info.n_cols > INT32_MAX)
        return ql_fail(err, QL_EDATA,
                       "/%s: is %" PRId64 " x %" PRId64 ", more than 2147483647 of one kind", path,
                       info.n_rows, info.n_cols);
    QL_TRY(send_layout(file, path, info.layout, true, n_rows, n_cols, s, err));
    return ql_sink_end(s, ds, err);
}
