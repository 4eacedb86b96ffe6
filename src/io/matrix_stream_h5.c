/* Compressed rows of an HDF5 file, a band of them at a time. */
#include <inttypes.h>
#include <string.h>

#include "band_sink.h"
#include "h5_error.h"
#include "h5_values.h"
#include "matrix_h5.h"
#include "quell/alloc.h"
#include "quell/interrupt.h"

enum { BAND = 1 << 20, SMALL = 1024 };

/* A band's arrays; entries [first, first + n) of the file. */
typedef struct {
    const ql_sparse_h5 *from;
    unsigned char *raw; /* [cap] of 8 bytes at most */
    ql_csr m;           /* room for cap entries */
    int64_t cap;
    const char *cols; /* what columns are called */
} band;

static ql_status read_raw(const ql_h5r_array *a, int64_t first, int64_t n, void *out, ql_err *err)
{
    hsize_t start = (hsize_t)first, count = (hsize_t)n;
    if (n == 0) return QL_OK;
    hid_t space = H5Dget_space(a->id), mem = H5Screate_simple(1, &count, NULL);
    herr_t rc = -1;
    if (space >= 0 && mem >= 0 &&
        H5Sselect_hyperslab(space, H5S_SELECT_SET, &start, NULL, &count, NULL) >= 0)
        rc = H5Dread(a->id, a->mem_type, mem, space, H5P_DEFAULT, out);
    ql_status st = QL_OK;
    if (rc < 0)
        st = ql_h5_fail(err, QL_EDATA, "%s: is damaged near value %" PRId64, a->path, first);
    ql_h5r_close(mem);
    ql_h5r_close(space);
    return st;
}

/* A chunk that the default cache does not hold would be inflated anew for every band it reaches
 * into. */
static void widen_cache(ql_h5r_array *a, hid_t file)
{
    enum { DEFAULT = 1 << 20, SLOTS = 521 };
    int64_t bytes = ql_h5_chunk_bytes(a);
    if (bytes <= DEFAULT) return;
    hid_t dapl = H5Pcreate(H5P_DATASET_ACCESS), id = -1;
    if (dapl >= 0 && H5Pset_chunk_cache(dapl, SLOTS, (size_t)bytes + 1, 1.0) >= 0)
        id = H5Dopen2(file, a->path, dapl);
    if (id >= 0) {
        ql_h5r_close(a->id);
        a->id = id;
    }
    (void)H5Eclear2(H5E_DEFAULT);
    ql_h5r_close(dapl);
}

int64_t ql_h5_chunk_bytes(const ql_h5r_array *a)
{
    hsize_t chunk = 0;
    hid_t dcpl = H5Dget_create_plist(a->id);
    if (dcpl < 0 || H5Pget_layout(dcpl) != H5D_CHUNKED || H5Pget_chunk(dcpl, 1, &chunk) != 1)
        chunk = 0;
    (void)H5Eclear2(H5E_DEFAULT);
    ql_h5r_close(dcpl);
    return chunk > INT64_MAX / 16 ? INT64_MAX / 2 : (int64_t)(chunk * ql_num_size(a->num));
}

static ql_status read_indices(band *b, int64_t first, int64_t n, ql_err *err)
{
    const ql_h5r_array *a = &b->from->indices;
    const size_t size = ql_num_size(a->num);
    int64_t wide[SMALL];
    QL_TRY(read_raw(a, first, n, b->raw, err));
    for (int64_t i = 0; i < n; i += SMALL) {
        int64_t some = n - i < SMALL ? n - i : SMALL;
        ql_num_to_i64(a->num, b->raw + (size_t)i * size, some, wide);
        for (int64_t k = 0; k < some; k++) {
            if ((uint64_t)wide[k] >= (uint64_t)b->m.n_cols)
                return ql_fail(err, QL_EDATA,
                               "%s[%" PRId64 "] is %" PRId64 ", but there are %" PRId64 " %s",
                               a->path, first + i + k, wide[k], b->m.n_cols, b->cols);
            b->m.indices[i + k] = (int32_t)wide[k];
        }
    }
    return QL_OK;
}

static ql_status read_data(band *b, int64_t first, int64_t n, ql_err *err)
{
    const ql_h5r_array *a = &b->from->data;
    QL_TRY(read_raw(a, first, n, b->raw, err));
    ql_num_to_f32(a->num, b->raw, n, b->m.data);
    return QL_OK;
}

/* Rows from `row` on that fill a band; at least one. */
static int64_t band_end(const int64_t *indptr, int64_t n_rows, int64_t row)
{
    int64_t end = row + 1;
    while (end < n_rows && indptr[end + 1] - indptr[row] <= BAND && end - row < BAND) end++;
    return end;
}

static int64_t longest_band(const int64_t *indptr, int64_t n_rows)
{
    int64_t most = indptr[n_rows] < BAND ? indptr[n_rows] : BAND;
    for (int64_t i = 0; i < n_rows; i++)
        if (indptr[i + 1] - indptr[i] > most) most = indptr[i + 1] - indptr[i];
    return most;
}

static ql_status send_rows(band *b, const int64_t *indptr, int64_t row, int64_t end,
                           ql_band_sink *s, ql_err *err)
{
    int64_t first = indptr[row], n = indptr[end] - first;
    QL_TRY(ql_interrupt_check(err));
    QL_TRY(read_indices(b, first, n, err));
    QL_TRY(read_data(b, first, n, err));
    b->m.n_rows = end - row;
    for (int64_t i = row; i <= end; i++) b->m.indptr[i - row] = indptr[i] - first;
    return ql_sink_add(s, &b->m, err);
}

static ql_status send_bands(band *b, const int64_t *indptr, int64_t n_rows, ql_band_sink *s,
                            ql_err *err)
{
    const int64_t most_rows = n_rows < BAND ? n_rows : BAND;
    b->cap = longest_band(indptr, n_rows);
    QL_TRY(QL_NEW(b->raw, b->cap * 8, "a band of the matrix", err));
    int64_t n_cols = b->m.n_cols;
    QL_TRY(ql_csr_alloc(&b->m, most_rows, n_cols, b->cap, err));
    for (int64_t row = 0, end; row < n_rows && !s->stop; row = end) {
        end = band_end(indptr, n_rows, row);
        QL_TRY(send_rows(b, indptr, row, end, s, err));
    }
    return QL_OK;
}

ql_status ql_matrix_h5_stream_arrays(hid_t file, const char *group, int64_t n_rows, int64_t n_cols,
                                     const char *cols, ql_band_sink *s, ql_err *err)
{
    ql_sparse_h5 from = {0};
    band b = {.from = &from, .cols = cols, .m = {.n_cols = n_cols}};
    int64_t *indptr = NULL;
    ql_status st = ql_sparse_h5_open(file, group, n_rows, &from, err);
    if (st != QL_OK) goto out;
    QL_GO(QL_NEW(indptr, n_rows + 1, from.indptr.path, err));
    QL_GO(ql_h5r_read_i64(&from.indptr, n_rows + 1, s->threads, indptr, err));
    QL_GO(ql_sparse_h5_check(&from.indptr, indptr, from.data.n, err));
    widen_cache(&from.indices, file);
    widen_cache(&from.data, file);
    QL_GO(ql_sink_begin(s, n_rows, n_cols, err));
    QL_GO(send_bands(&b, indptr, n_rows, s, err));
out:
    ql_csr_free(&b.m);
    ql_free(b.raw);
    ql_free(indptr);
    ql_sparse_h5_close(&from);
    return st;
}

/* A layout that has no rows in order: read whole. */
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

ql_status ql_matrix_h5_stream(hid_t file, const char *path, int64_t n_rows, int64_t n_cols,
                              ql_band_sink *s, ql_dataset *ds, ql_err *err)
{
    ql_matrix_info info;
    QL_TRY(ql_matrix_h5_info(file, path, &info, err));
    bool fits = info.n_rows == n_rows && info.n_cols == n_cols && n_cols <= INT32_MAX;
    if (fits && info.layout == QL_LAYOUT_CSR)
        QL_TRY(ql_matrix_h5_stream_arrays(file, path, n_rows, n_cols, "genes", s, err));
    else if (fits && info.layout == QL_LAYOUT_DENSE)
        QL_TRY(ql_matrix_h5_stream_dense(file, path, s, err));
    else /* and what does not fit is told there */
        QL_TRY(send_whole(file, path, n_rows, n_cols, s, err));
    return ql_sink_end(s, ds, err);
}
