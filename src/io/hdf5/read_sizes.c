/* How large a matrix is, from what a file says of it, before its entries are read. */
#include "read_sizes.h"

#include <stdio.h>
#include <sys/stat.h>

#include "../counts/entry_sink.h"
#include "../file/gzip_member.h"
#include "h5_values.h"
#include "matrix_h5.h"
#include "quell/alloc.h"
#include "quell/order.h"

/* What readers of HDF5 hold beside the result: blocks of the file, chunks in work. */
enum { WHOLE_BUFFERS = 96 << 20, BAND_BUFFERS = 32 << 20 };

/* The longest row, and how many entries the rows have together. */
ql_status ql_sizes_of_rows(hid_t file, const char *group, int64_t n_rows, ql_read_sizes *z,
                           ql_err *err)
{
    ql_sparse_h5 s = {0};
    int64_t *p = NULL;
    ql_status st = ql_sparse_h5_open(file, group, n_rows, &s, err);
    if (st != QL_OK) goto out;
    QL_GO(QL_NEW(p, n_rows + 1, s.indptr.path, err));
    QL_GO(ql_h5r_read_i64(&s.indptr, n_rows + 1, 1, p, err));
    QL_GO(ql_sparse_h5_check(&s.indptr, p, s.data.n, err));
    for (int64_t i = 0; i < n_rows; i++) z->max_row = ql_most(z->max_row, p[i + 1] - p[i]);
    z->nnz = p[n_rows];
    /* as stored and inflated, where HDF5 does that */
    z->band_bytes = 2 * (ql_h5_chunk_bytes(&s.data) + ql_h5_chunk_bytes(&s.indices));
out:
    ql_free(p);
    ql_sparse_h5_close(&s);
    return st;
}

void ql_sizes_finish(ql_read_sizes *z, bool twice)
{
    int64_t small = z->nnz < WHOLE_BUFFERS ? z->nnz * 32 : WHOLE_BUFFERS;
    if (z->max_row > z->n_cols) z->max_row = z->n_cols;
    z->whole_bytes = z->nnz * (twice ? 8 : 0) + 8 * z->n_rows + ql_least(WHOLE_BUFFERS, small);
    z->band_bytes += 16 * z->max_row + 16 * z->n_rows + ql_least(BAND_BUFFERS, small);
}

/* Of compressed columns nothing is known by row. */
static void sort_columns(hid_t file, const char *group, ql_read_sizes *z)
{
    ql_sparse_h5 s = {0};
    z->band_bytes = ql_sort_held(z->nnz, z->n_rows, z->n_cols) + 8 * z->n_cols;
    z->sort_bytes = ql_sort_file(z->nnz);
    if (ql_sparse_h5_open(file, group, z->n_cols, &s, NULL) == QL_OK)
        z->band_bytes += 2 * (ql_h5_chunk_bytes(&s.data) + ql_h5_chunk_bytes(&s.indices));
    ql_sparse_h5_close(&s);
}

ql_status ql_sizes_of_matrix(hid_t file, const char *path, ql_read_sizes *z, ql_err *err)
{
    ql_matrix_info info;
    QL_TRY(ql_matrix_h5_info(file, path, &info, err));
    *z = (ql_read_sizes){.n_rows = info.n_rows,
                         .n_cols = info.n_cols,
                         .nnz = info.nnz,
                         .max_row = info.n_cols,
                         .rough = info.layout == QL_LAYOUT_DENSE,
                         .streams = true};
    if (info.layout == QL_LAYOUT_CSR) {
        z->max_row = 0;
        QL_TRY(ql_sizes_of_rows(file, path, info.n_rows, z, err));
    }
    if (info.layout == QL_LAYOUT_CSC) sort_columns(file, path, z);
    ql_sizes_finish(z, info.layout != QL_LAYOUT_CSR);
    if (info.layout == QL_LAYOUT_DENSE) {
        z->whole_bytes += ql_matrix_h5_dense_cache(file, path);
        z->band_bytes += ql_most(ql_matrix_h5_dense_bands_held(file, path), 8 * info.n_cols);
    }
    return QL_OK;
}

bool ql_is_gzip_file(const char *path)
{
    unsigned char head[2];
    FILE *f = fopen(path, "rb");
    bool is = f && ql_is_gzip(head, fread(head, 1, sizeof head, f));
    if (f) fclose(f);
    return is;
}

/* A value takes two bytes of a table at least, and nearly all are zeros. */
ql_status ql_sizes_of_text(const char *path, const ql_read_options *opt, ql_read_sizes *out,
                           ql_err *err)
{
    enum { GROWTH = 2, DEFLATED = 12, MANY = 1 << 30 };
    struct stat s;
    (void)opt;
    (void)err;
    out->streams = true;
    if (stat(path, &s) != 0) return QL_OK;
    double bytes = (double)s.st_size * (ql_is_gzip_file(path) ? DEFLATED : 1) * GROWTH;
    int64_t values = bytes / 8 < (double)MANY ? (int64_t)(bytes / 8) : MANY;
    out->band_bytes = QL_TEXT_BUFFERS + ql_sort_held(values, 0, 0);
    out->sort_bytes = ql_sort_file(values);
    out->whole_bytes = bytes < (double)(INT64_MAX / 4) ? (int64_t)bytes : INT64_MAX / 4;
    return QL_OK;
}
