/* The arrays of a sparse matrix written from a store, a piece at a time: one pass for each array,
 * so that the file is laid out as if the arrays had been in memory. */
#include <string.h>

#include "../hdf5/chunk_writer.h"
#include "h5ad_entries.h"
#include "h5ad_start.h"
#include "quell/alloc.h"

/* An array being written through a buffer of whole chunks. */
typedef struct {
    ql_chunk_writer *writer;
    char *buffer; /* [cap] of 4 or 8 bytes each */
    int64_t held, cap;
    size_t size;
} piece_writer;

static ql_status flush(piece_writer *p, ql_err *err)
{
    if (p->held == 0) return QL_OK;
    QL_TRY(ql_chunks_rows(p->writer, p->buffer, p->held, err));
    p->held = 0;
    return QL_OK;
}

static ql_status append(piece_writer *p, const void *values, int64_t n, ql_err *err)
{
    for (int64_t done = 0; done < n;) {
        int64_t room = p->cap - p->held, some = n - done < room ? n - done : room;
        memcpy(p->buffer + (size_t)p->held * p->size, (const char *)values + (size_t)done * p->size,
               (size_t)some * p->size);
        p->held += some;
        done += some;
        if (p->held == p->cap) QL_TRY(flush(p, err));
    }
    return QL_OK;
}

/* What of a row goes into which array. */
typedef ql_status put_row(piece_writer *p, ql_row_view row, int64_t *end, ql_err *err);

static ql_status put_data(piece_writer *p, ql_row_view row, int64_t *end, ql_err *err)
{
    (void)end;
    return append(p, row.count, row.n, err);
}

static ql_status put_indices(piece_writer *p, ql_row_view row, int64_t *end, ql_err *err)
{
    (void)end;
    return append(p, row.gene, row.n, err);
}

static hid_t pointer_type(int64_t nnz)
{
    return nnz <= INT32_MAX ? H5T_NATIVE_INT32 : H5T_NATIVE_INT64;
}

static ql_status append_pointer(piece_writer *p, int64_t value, ql_err *err)
{
    int32_t narrow = (int32_t)value;
    return append(p, p->size == sizeof narrow ? (const void *)&narrow : &value, 1, err);
}

static ql_status put_end(piece_writer *p, ql_row_view row, int64_t *end, ql_err *err)
{
    *end += row.n;
    return append_pointer(p, *end, err);
}

static ql_status put_rows(piece_writer *p, const ql_rows *rows, put_row *put, ql_err *err)
{
    ql_row_cursor c;
    int64_t end = 0;
    ql_status st = ql_cursor_open(&c, rows, err);
    if (put == put_end && st == QL_OK) st = append_pointer(p, end, err);
    for (int64_t i = 0; i < rows->n_rows && st == QL_OK; i++)
        st = put(p, ql_cursor_row(&c, i), &end, err);
    ql_cursor_close(&c);
    if (st == QL_OK) st = flush(p, err);
    return st == QL_OK ? ql_rows_check(rows, err) : st;
}

static ql_status write_array(const ql_chunk_spec *spec, const ql_rows *rows, put_row *put,
                             ql_err *err)
{
    piece_writer p = {.size = H5Tget_size(spec->type)};
    ql_status st;
    QL_TRY(ql_chunks_open(spec, &p.writer, err));
    p.cap = (ql_chunks_band(p.writer) + spec->chunk_rows - 1) / spec->chunk_rows * spec->chunk_rows;
    QL_GO(QL_NEW(p.buffer, p.cap * (int64_t)p.size, "writing the counts", err));
    QL_GO(put_rows(&p, rows, put, err));
    ql_free(p.buffer);
    return ql_chunks_close(p.writer, err);
out:
    ql_free(p.buffer);
    ql_chunks_abort(p.writer);
    return st;
}

ql_status ql_h5ad_write_rows(hid_t group, const ql_dataset *ds, const ql_write_options *opt,
                             ql_err *err)
{
    const ql_rows rows = ql_dataset_rows(ds);
    ql_chunk_spec spec = ql_h5ad_entries(group, "data", H5T_NATIVE_FLOAT, rows.nnz, opt);
    QL_TRY(write_array(&spec, &rows, put_data, err));
    spec.name = "indices";
    spec.type = H5T_NATIVE_INT32;
    QL_TRY(write_array(&spec, &rows, put_indices, err));
    spec.name = "indptr";
    spec.type = pointer_type(rows.nnz);
    spec.n_rows = rows.n_rows + 1;
    return write_array(&spec, &rows, put_end, err);
}

static ql_status write_narrow(const ql_chunk_spec *spec, const int64_t *indptr, ql_err *err)
{
    int32_t *narrow = NULL;
    ql_status st;
    QL_GO(QL_NEW(narrow, spec->n_rows, "row pointers", err));
    for (int64_t i = 0; i < spec->n_rows; i++) narrow[i] = (int32_t)indptr[i];
    QL_GO(ql_chunks_write(spec, narrow, err));
out:
    ql_free(narrow);
    return st;
}

ql_status ql_h5ad_write_indptr(hid_t group, const int64_t *indptr, int64_t n_rows,
                               const ql_write_options *opt, ql_err *err)
{
    const ql_chunk_spec spec =
        ql_h5ad_entries(group, "indptr", pointer_type(indptr[n_rows]), n_rows + 1, opt);
    if (indptr[n_rows] <= INT32_MAX) return write_narrow(&spec, indptr, err);
    return ql_chunks_write(&spec, indptr, err);
}
