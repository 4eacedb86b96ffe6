#include "sparse_bands.h"

#include <inttypes.h>

#include "h5_values.h"
#include "quell/alloc.h"

enum { SMALL = 1024 };

/* --- bytes --- */

/* Chunks much smaller than a band are inflated by all threads. */
static ql_status read_raw(const ql_h5r_array *a, int64_t first, int64_t n, int threads, void *out,
                          ql_err *err)
{
    bool done = false;
    if (n == 0) return QL_OK;
    QL_TRY(ql_h5r_range_chunks(a, first, n, QL_BAND / 2, threads, out, &done, err));
    return done ? QL_OK : ql_h5r_read_list(a, first, n, out, err);
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

/* --- entries --- */

static ql_status read_indices(ql_sparse_bands *b, int64_t first, int64_t n, int32_t *index,
                              ql_err *err)
{
    const ql_h5r_array *a = &b->from.indices;
    const size_t size = ql_num_size(a->num);
    int64_t wide[SMALL];
    QL_TRY(read_raw(a, first, n, b->threads, b->raw, err));
    for (int64_t i = 0; i < n; i += SMALL) {
        int64_t some = n - i < SMALL ? n - i : SMALL;
        ql_num_to_i64(a->num, b->raw + (size_t)i * size, some, wide);
        for (int64_t k = 0; k < some; k++) {
            if ((uint64_t)wide[k] >= (uint64_t)b->limit)
                return ql_fail(err, QL_EDATA,
                               "%s[%" PRId64 "] is %" PRId64 ", but there are %" PRId64 " %s",
                               a->path, first + i + k, wide[k], b->limit, b->what);
            index[i + k] = (int32_t)wide[k];
        }
    }
    return QL_OK;
}

static ql_status read_data(ql_sparse_bands *b, int64_t first, int64_t n, float *value, ql_err *err)
{
    const ql_h5r_array *a = &b->from.data;
    QL_TRY(read_raw(a, first, n, b->threads, b->raw, err));
    ql_num_to_f32(a->num, b->raw, n, value);
    return QL_OK;
}

ql_status ql_sparse_bands_read(ql_sparse_bands *b, int64_t first, int64_t n, int32_t *index,
                               float *value, ql_err *err)
{
    if (n > b->cap) {
        ql_free(b->raw);
        b->raw = NULL;
        b->cap = 0;
        QL_TRY(QL_NEW(b->raw, n * 8, "a band of the matrix", err));
        b->cap = n;
    }
    QL_TRY(read_indices(b, first, n, index, err));
    return read_data(b, first, n, value, err);
}

ql_status ql_sparse_bands_open(ql_sparse_bands *b, hid_t file, const char *group, int64_t n,
                               int64_t limit, const char *what, int threads, ql_err *err)
{
    *b = (ql_sparse_bands){.n = n, .limit = limit, .what = what, .threads = threads};
    QL_TRY(ql_sparse_h5_open(file, group, n, &b->from, err));
    QL_TRY(QL_NEW(b->indptr, n + 1, b->from.indptr.path, err));
    QL_TRY(ql_h5r_read_i64(&b->from.indptr, n + 1, threads, b->indptr, err));
    QL_TRY(ql_sparse_h5_check(&b->from.indptr, b->indptr, b->from.data.n, err));
    /* a chunk would be inflated anew for every band it reaches into */
    QL_TRY(ql_h5r_array_keep(&b->from.indices, ql_h5_chunk_bytes(&b->from.indices), err));
    return ql_h5r_array_keep(&b->from.data, ql_h5_chunk_bytes(&b->from.data), err);
}

void ql_sparse_bands_close(ql_sparse_bands *b)
{
    ql_free(b->indptr);
    ql_free(b->raw);
    ql_sparse_h5_close(&b->from);
    b->indptr = NULL;
    b->raw = NULL;
}
