/* A dense 2-D dataset as csr: bands of whole chunk rows are read, converted and sparsified by all
 * threads; only one band is held dense. */
#include <inttypes.h>
#include <string.h>

#include "h5_chunks.h"
#include "h5_values.h"
#include "matrix_h5.h"
#include "quell/alloc.h"
#include "quell/interrupt.h"
#include "quell/parallel.h"

/* A band; one that is streamed; and one that a single row of wide chunks makes: loom files of a
 * million cells have rows of chunks of some hundred megabytes. */
enum { BAND_BYTES = 64 << 20, STREAM_BYTES = 16 << 20, WIDE_BAND_BYTES = 1 << 30 };

typedef struct {
    const ql_h5r_array *a;
    ql_num num;
    int64_t n_cols;
    int64_t first, n;   /* rows of the band */
    int64_t base;       /* row of the file that is m's row 0 */
    unsigned char *raw; /* [n, n_cols] in type num; owned */
    float *values;      /* [n, n_cols]; owned */
    ql_csr *m;          /* arrays grow; indptr is final for the rows done */
    int64_t cap;        /* entries m has room for */
    bool checked;       /* the chunks, where libhdf5 reads them */
} band;

static void count_row(void *ctx, int64_t item)
{
    const band *b = ctx;
    float *row = b->values + item * b->n_cols;
    int64_t n = 0;
    ql_num_to_f32(b->num, b->raw + (size_t)(item * b->n_cols) * ql_num_size(b->num), b->n_cols,
                  row);
    for (int64_t j = 0; j < b->n_cols; j++) n += row[j] != 0.0f;
    b->m->indptr[b->first - b->base + item + 1] = n;
}

static void fill_row(void *ctx, int64_t item)
{
    const band *b = ctx;
    const float *row = b->values + item * b->n_cols;
    int64_t at = b->m->indptr[b->first - b->base + item];
    for (int64_t j = 0; j < b->n_cols; j++) {
        if (row[j] == 0.0f) continue;
        b->m->indices[at] = (int32_t)j;
        b->m->data[at++] = row[j];
    }
}

static ql_status grow(band *b, int64_t need, ql_err *err)
{
    if (need <= b->cap) return QL_OK;
    int64_t cap = need > INT64_MAX / 2 ? need : need + need / 2;
    QL_TRY(ql_need_memory((double)(cap - b->cap) * 8.0, b->a->path, err));
    int32_t *indices = ql_realloc(b->m->indices, cap, sizeof *indices);
    if (indices) b->m->indices = indices;
    float *data = indices ? ql_realloc(b->m->data, cap, sizeof *data) : NULL;
    if (data) b->m->data = data;
    if (!data)
        return ql_fail(err, QL_EMEMORY, "%s: no memory for %" PRId64 " entries", b->a->path, cap);
    b->cap = cap;
    return QL_OK;
}

static ql_status read_rows(band *b, ql_err *err)
{
    const hsize_t start[2] = {(hsize_t)b->first, 0}, count[2] = {(hsize_t)b->n, (hsize_t)b->n_cols};
    return ql_h5r_read_block(b->a, start, count, 0, b->raw, err);
}

static ql_status read_band(band *b, int threads, ql_err *err)
{
    bool done = false;
    QL_TRY(ql_h5r_band_chunks(b->a, b->first, b->n, threads, b->raw, &done, err));
    if (done) return QL_OK;
    if (!b->checked) QL_TRY(ql_h5r_check_chunks(b->a, threads, err));
    b->checked = true;
    return read_rows(b, err);
}

static ql_status take_band(band *b, int threads, ql_err *err)
{
    int64_t *indptr = b->m->indptr + (b->first - b->base);
    QL_TRY(read_band(b, threads, err));
    ql_parallel_for(threads, b->n, count_row, b);
    for (int64_t i = 0; i < b->n; i++) indptr[i + 1] += indptr[i];
    QL_TRY(grow(b, indptr[b->n], err));
    ql_parallel_for(threads, b->n, fill_row, b);
    return QL_OK;
}

/* Rows per band: about so many bytes, and whole rows of chunks where the file is chunked. */
static int64_t band_rows(const ql_h5r_array *a, int64_t chunk_rows, int64_t bytes)
{
    int64_t row = a->dim[1] * (int64_t)(ql_num_size(a->num) + sizeof(float));
    int64_t rows = row > 0 ? bytes / row : a->dim[0];
    if (chunk_rows > 1) rows = rows / chunk_rows * chunk_rows;
    const int64_t most = bytes < BAND_BYTES ? 4 * bytes : WIDE_BAND_BYTES;
    if (rows < 1) rows = chunk_rows > 1 && chunk_rows * row <= most ? chunk_rows : 1;
    return rows < a->dim[0] ? rows : a->dim[0];
}

/* Chunk rows of a chunked dataset (0: not chunked) and the bytes of one row of chunks. */
static int64_t chunk_shape(const ql_h5r_array *a, double *row_bytes)
{
    hsize_t chunk[2] = {0, 0};
    int64_t rows = 0;
    hid_t dcpl = H5Dget_create_plist(a->id);
    *row_bytes = 0;
    if (dcpl >= 0 && H5Pget_layout(dcpl) == H5D_CHUNKED && H5Pget_chunk(dcpl, 2, chunk) == 2 &&
        chunk[1]) {
        const hsize_t across = ((hsize_t)a->dim[1] + chunk[1] - 1) / chunk[1];
        rows = chunk[0] > INT32_MAX ? INT32_MAX : (int64_t)chunk[0];
        *row_bytes = (double)across * (double)chunk[0] * (double)chunk[1];
        *row_bytes *= (double)ql_num_size(a->num);
    }
    ql_h5r_close(dcpl);
    return rows;
}

typedef struct {
    int64_t rows;  /* of a band */
    int64_t cache; /* bytes that HDF5 is to keep, 0: what it keeps by default */
    int64_t chunk; /* bytes of a row of chunks, as far as they would be kept */
} plan;

/* Where bands end inside a row of chunks, its chunks are kept: each would be inflated anew for
 * every band it reaches into. */
static plan plan_bands(const ql_h5r_array *a, int64_t bytes)
{
    const double most = 512.0 * 1024 * 1024;
    double row_bytes;
    const int64_t chunk_rows = chunk_shape(a, &row_bytes);
    plan p = {.rows = band_rows(a, chunk_rows, bytes)};
    p.chunk = (int64_t)(row_bytes < most ? row_bytes : most);
    if (chunk_rows > 1 && p.rows % chunk_rows != 0 && p.rows < a->dim[0]) p.cache = p.chunk;
    return p;
}

static ql_status new_buffers(band *b, int64_t rows, ql_err *err)
{
    double bytes = (double)(rows * b->n_cols) * (double)(ql_num_size(b->num) + sizeof(float));
    QL_TRY(ql_need_memory(bytes, b->a->path, err));
    QL_TRY(QL_NEW(b->raw, rows * b->n_cols * (int64_t)ql_num_size(b->num), "a band of the matrix",
                  err));
    return QL_NEW(b->values, rows * b->n_cols, "a band of the matrix", err);
}

static ql_status read_bands(band *b, int64_t rows, int threads, ql_err *err)
{
    int64_t n_rows = b->m->n_rows;
    QL_TRY(new_buffers(b, rows, err));
    for (b->first = 0; b->first < n_rows; b->first += rows) {
        b->n = n_rows - b->first < rows ? n_rows - b->first : rows;
        QL_TRY(take_band(b, threads, err));
    }
    return QL_OK;
}

/* The dataset with the cache that its bands need; closed on failure. */
static ql_status open_dense(hid_t file, const char *path, int64_t bytes, ql_h5r_array *a, plan *p,
                            ql_err *err)
{
    QL_TRY(ql_h5r_array_open(file, path, 2, a, err));
    ql_status st = ql_h5r_need_numbers(a, err);
    if (st == QL_OK) {
        *p = plan_bands(a, bytes);
        st = ql_h5r_array_keep(a, p->cache, err);
    }
    if (st != QL_OK) ql_h5r_array_close(a);
    return st;
}

ql_status ql_matrix_h5_dense(hid_t file, const char *path, int threads, ql_csr *m, ql_err *err)
{
    ql_h5r_array a;
    band b = {.a = &a, .m = m};
    plan p;
    ql_status st = open_dense(file, path, BAND_BYTES, &a, &p, err);
    if (st != QL_OK) return st;
    b.num = a.num;
    b.n_cols = a.dim[1];
    QL_GO(ql_csr_alloc(m, a.dim[0], a.dim[1], 0, err));
    if (a.n > 0) QL_GO(read_bands(&b, p.rows, threads, err));
out:
    if (st != QL_OK) ql_csr_free(m);
    ql_free(b.raw);
    ql_free(b.values);
    ql_h5r_array_close(&a);
    return st;
}

static ql_status send_bands(band *b, int64_t rows, int threads, ql_dense_taker *take, void *ctx,
                            ql_err *err)
{
    const int64_t n_rows = b->a->dim[0];
    bool stop = false;
    QL_TRY(new_buffers(b, rows, err));
    for (b->first = 0; b->first < n_rows && !stop; b->first += rows) {
        b->base = b->first;
        b->n = b->m->n_rows = n_rows - b->first < rows ? n_rows - b->first : rows;
        QL_TRY(ql_interrupt_check(err));
        QL_TRY(take_band(b, threads, err));
        QL_TRY(take(ctx, b->m, b->first, &stop, err));
        b->m->indptr[0] = 0;
    }
    return QL_OK;
}

ql_status ql_matrix_h5_dense_bands(hid_t file, const char *path, int threads, ql_dense_taker *take,
                                   void *ctx, ql_err *err)
{
    ql_h5r_array a;
    ql_csr m = {0};
    band b = {.a = &a, .m = &m};
    plan p;
    ql_status st = open_dense(file, path, STREAM_BYTES, &a, &p, err);
    if (st != QL_OK) return st;
    b.num = a.num;
    b.n_cols = a.dim[1];
    QL_GO(ql_csr_alloc(&m, p.rows, a.dim[1], 0, err));
    if (a.n > 0) QL_GO(send_bands(&b, p.rows, threads, take, ctx, err));
out:
    ql_csr_free(&m);
    ql_free(b.raw);
    ql_free(b.values);
    ql_h5r_array_close(&a);
    return st;
}

int64_t ql_matrix_h5_dense_cache(hid_t file, const char *path)
{
    ql_h5r_array a;
    if (ql_h5r_array_open(file, path, 2, &a, NULL) != QL_OK) return 0;
    const plan p = plan_bands(&a, BAND_BYTES);
    ql_h5r_array_close(&a);
    return p.cache;
}

int64_t ql_matrix_h5_dense_bands_held(hid_t file, const char *path)
{
    ql_h5r_array a;
    if (ql_h5r_array_open(file, path, 2, &a, NULL) != QL_OK) return 0;
    const plan p = plan_bands(&a, STREAM_BYTES);
    const int64_t held = p.chunk + p.rows * a.dim[1] * 16;
    ql_h5r_array_close(&a);
    return held;
}
