/* Decoding a dataset's chunks here instead of in libhdf5: the stored bytes are fetched by the
 * thread that calls HDF5, a batch at a time, and inflated, unshuffled and placed by all threads. */
#include <inttypes.h>
#include <string.h>

#ifdef QL_HAVE_LIBDEFLATE
#include <libdeflate.h>
#else
#include <zlib.h>
#endif

#include "h5_error.h"
#include "h5_values.h"
#include "lzf.h"
#include "quell/alloc.h"
#include "quell/parallel.h"

enum {
    MAX_STEPS = 4,
    MAX_SLOTS = 256,
    BATCH_BYTES = 32 << 20, /* decoded bytes in work at a time */
    CHUNK_MAX = 64 << 20,   /* larger chunks are left to libhdf5 */
    SLACK = 64              /* a filter may see a few bytes more than a chunk (checksums) */
};

/* How to decode: the filters in the order they were applied, and what a chunk must become. */
typedef struct {
    int n_steps;
    H5Z_filter_t step[MAX_STEPS];
    int64_t rows, cols; /* of a chunk; a list is one column */
    int64_t width;      /* columns of the dataset */
    size_t size;        /* bytes of an element */
    size_t bytes;       /* of a decoded chunk */
    unsigned char fill[8];
} pipeline;

/* One chunk in work. */
typedef struct {
    int64_t row, col; /* its first element */
    uint32_t skipped; /* bit i: filter i was not applied */
    size_t n_stored;  /* 0: never written, holds the fill value */
    size_t cap_stored;
    unsigned char *stored; /* owned */
    unsigned char *work;   /* two areas of bytes + SLACK; owned */
    bool ok;
} slot;

/* Takes a decoded chunk. */
typedef struct batch batch;
typedef void chunk_taker(const batch *b, const slot *s, const unsigned char *values);

struct batch {
    const pipeline *pipe;
    slot *slots;
    int64_t begin, end; /* rows wanted of the dataset */
    chunk_taker *take;
    ql_h5r_place *place; /* of lists */
    void *ctx;
    unsigned char *out; /* of bands: [end - begin, width]; of ranges: [end - from] */
    int64_t from;       /* of ranges: the first element wanted, in the chunk at begin */
};

#ifdef QL_HAVE_LIBDEFLATE
static size_t inflate_bytes(const unsigned char *in, size_t n, unsigned char *out, size_t cap)
{
    size_t got = 0;
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    if (!d) return 0;
    if (libdeflate_zlib_decompress(d, in, n, out, cap, &got) != LIBDEFLATE_SUCCESS) got = 0;
    libdeflate_free_decompressor(d);
    return got;
}
#else
static size_t inflate_bytes(const unsigned char *in, size_t n, unsigned char *out, size_t cap)
{
    uLongf got = (uLongf)cap;
    return uncompress(out, &got, in, (uLong)n) == Z_OK ? (size_t)got : 0;
}
#endif

/* Byte b of element i lies at b * count + i; bytes behind the last whole element are not moved. */
static size_t unshuffle(const unsigned char *in, size_t n, size_t size, unsigned char *out)
{
    size_t count = n / size;
    for (size_t b = 0; b < size; b++) {
        const unsigned char *plane = in + b * count;
        for (size_t i = 0; i < count; i++) out[i * size + b] = plane[i];
    }
    memcpy(out + count * size, in + count * size, n - count * size);
    return n;
}

/* Undo one filter; returns the bytes made, 0 when the data are damaged. */
static size_t undo_step(const pipeline *p, H5Z_filter_t step, const unsigned char *in, size_t n,
                        unsigned char *out)
{
    size_t cap = p->bytes + SLACK;
    switch (step) {
    case H5Z_FILTER_DEFLATE:
        return inflate_bytes(in, n, out, cap);
    case QL_LZF_FILTER:
        return ql_lzf_decode(in, n, out, cap);
    case H5Z_FILTER_SHUFFLE:
        return n > cap ? 0 : unshuffle(in, n, p->size, out);
    default:
        return 0;
    }
}

/* The decoded chunk, or NULL when it is damaged. */
static const unsigned char *decode(const pipeline *p, const slot *s)
{
    const unsigned char *now = s->stored;
    unsigned char *area[2] = {s->work, s->work + p->bytes + SLACK};
    size_t n = s->n_stored;
    int turn = 0;
    for (int i = p->n_steps - 1; i >= 0; i--) {
        if (s->skipped >> i & 1) continue;
        if (p->step[i] == H5Z_FILTER_FLETCHER32) {
            if (n < 4) return NULL;
            n -= 4; /* deflate has a checksum of its own */
            continue;
        }
        n = undo_step(p, p->step[i], now, n, area[turn]);
        if (n == 0) return NULL;
        now = area[turn];
        turn = 1 - turn;
    }
    return n == p->bytes ? now : NULL;
}

static const unsigned char *fill_chunk(const pipeline *p, unsigned char *out)
{
    for (int64_t i = 0; i < p->rows * p->cols; i++)
        memcpy(out + (size_t)i * p->size, p->fill, p->size);
    return out;
}

static void decode_slot(void *ctx, int64_t item)
{
    const batch *b = ctx;
    slot *s = &b->slots[item];
    const unsigned char *values = s->n_stored ? decode(b->pipe, s) : fill_chunk(b->pipe, s->work);
    s->ok = values != NULL;
    if (values) b->take(b, s, values);
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void take_list(const batch *b, const slot *s, const unsigned char *values)
{
    b->place(b->ctx, s->row, values, smaller(b->end - s->row, b->pipe->rows));
}

/* Chunks at the right and lower edge reach beyond the data. */
static void take_band(const batch *b, const slot *s, const unsigned char *values)
{
    const pipeline *p = b->pipe;
    int64_t n_rows = smaller(b->end - s->row, p->rows),
            n_cols = smaller(p->width - s->col, p->cols);
    for (int64_t r = 0; r < n_rows; r++) {
        int64_t to = (s->row - b->begin + r) * p->width + s->col;
        memcpy(b->out + (size_t)to * p->size, values + (size_t)(r * p->cols) * p->size,
               (size_t)n_cols * p->size);
    }
}

static void take_range(const batch *b, const slot *s, const unsigned char *values)
{
    int64_t first = s->row > b->from ? s->row : b->from,
            end = smaller(b->end, s->row + b->pipe->rows);
    memcpy(b->out + (size_t)(first - b->from) * b->pipe->size,
           values + (size_t)(first - s->row) * b->pipe->size,
           (size_t)(end - first) * b->pipe->size);
}

/* Filters we undo ourselves, at most one of a kind. fletcher32 is dropped where deflate has checked
 * the data already; elsewhere it is left to libhdf5. */
static bool get_filters(hid_t dcpl, pipeline *p)
{
    enum { SHUFFLE = 1, DEFLATE = 2, LZF = 4, FLETCHER = 8 };
    unsigned seen = 0;
    p->n_steps = H5Pget_nfilters(dcpl);
    if (p->n_steps < 0 || p->n_steps > MAX_STEPS) return false;
    for (int i = 0; i < p->n_steps; i++) {
        unsigned flags = 0, info = 0, bit;
        size_t n_values = 0;
        p->step[i] = H5Pget_filter2(dcpl, (unsigned)i, &flags, &n_values, NULL, 0, NULL, &info);
        switch (p->step[i]) {
        case H5Z_FILTER_SHUFFLE:
            bit = SHUFFLE;
            break;
        case H5Z_FILTER_DEFLATE:
            bit = DEFLATE;
            break;
        case QL_LZF_FILTER:
            bit = LZF;
            break;
        case H5Z_FILTER_FLETCHER32:
            bit = FLETCHER;
            break;
        default:
            return false;
        }
        if (seen & bit) return false;
        if (bit == FLETCHER && !(seen & DEFLATE)) return false;
        seen |= bit;
    }
    return !((seen & DEFLATE) && (seen & LZF));
}

/* Extent of a chunk that is small enough to be decoded here. */
static bool get_chunk(const ql_h5r_array *a, hid_t dcpl, pipeline *p)
{
    hsize_t chunk[2] = {0, 1};
    if (H5Pget_layout(dcpl) != H5D_CHUNKED || H5Pget_chunk(dcpl, a->rank, chunk) != a->rank)
        return false;
    const hsize_t most = CHUNK_MAX / p->size;
    if (chunk[0] == 0 || chunk[1] == 0 || chunk[0] > most || chunk[1] > most / chunk[0])
        return false;
    p->rows = (int64_t)chunk[0];
    p->cols = (int64_t)chunk[1];
    p->width = a->rank == 2 ? a->dim[1] : 1;
    p->bytes = (size_t)(p->rows * p->cols) * p->size;
    return true;
}

static bool get_pipeline(const ql_h5r_array *a, pipeline *p)
{
    if (!a->as_stored || a->rank < 1) return false;
    *p = (pipeline){.size = ql_num_size(a->num)};
    hid_t dcpl = H5Dget_create_plist(a->id);
    bool ok = dcpl >= 0 && get_chunk(a, dcpl, p) && get_filters(dcpl, p) &&
              H5Pget_fill_value(dcpl, a->mem_type, p->fill) >= 0;
    (void)H5Eclear2(H5E_DEFAULT);
    ql_h5r_close(dcpl);
    return ok;
}

static int64_t chunks_across(const pipeline *p)
{
    return (p->width + p->cols - 1) / p->cols;
}

static int64_t chunk_number(const pipeline *p, const slot *s)
{
    return s->row / p->rows * chunks_across(p) + s->col / p->cols;
}

static ql_status fail_chunk(const ql_h5r_array *a, const pipeline *p, const slot *s, ql_err *err)
{
    return ql_fail(err, QL_EDATA, "%s: chunk %" PRId64 " (%s from %" PRId64 ") is damaged", a->path,
                   chunk_number(p, s), a->rank == 1 ? "values" : "rows", s->row);
}

static ql_status grow_stored(slot *s, size_t bytes, ql_err *err)
{
    if (bytes <= s->cap_stored) return QL_OK;
    ql_free(s->stored);
    s->stored = NULL;
    s->cap_stored = 0;
    QL_TRY(QL_NEW(s->stored, (int64_t)bytes, "a stored chunk", err));
    s->cap_stored = bytes;
    return QL_OK;
}

/* Bytes that the chunk at offset occupies, 0 when it was never written. The quick call looks it up
 * in the index; the sure one, which tells "not there" from a failure in all versions, walks through
 * all chunks. */
static bool stored_bytes(hid_t id, const hsize_t *offset, hsize_t *bytes)
{
    haddr_t addr = HADDR_UNDEF;
    unsigned mask = 0;
    *bytes = 0;
    if (H5Dget_chunk_storage_size(id, offset, bytes) >= 0) return true;
    if (H5Dget_chunk_info_by_coord(id, offset, &mask, &addr, bytes) < 0) return false;
    if (addr == HADDR_UNDEF) *bytes = 0;
    (void)H5Eclear2(H5E_DEFAULT);
    return true;
}

/* Bytes of the chunk as stored. Its size is the file's word: it must fit the file and be able to
 * become a whole chunk. */
static ql_status fetch(const ql_h5r_array *a, const pipeline *p, slot *s, ql_err *err)
{
    hsize_t offset[2] = {(hsize_t)s->row, (hsize_t)s->col}, bytes;
    if (!stored_bytes(a->id, offset, &bytes))
        return ql_h5_fail(err, QL_EDATA, "%s: chunk %" PRId64 " cannot be found", a->path,
                          chunk_number(p, s));
    s->n_stored = 0;
    if (bytes == 0) return QL_OK;
    if (bytes > (hsize_t)a->file_bytes || (double)bytes * 1100.0 < (double)p->bytes)
        return fail_chunk(a, p, s, err);
    QL_TRY(grow_stored(s, (size_t)bytes, err));
    if (H5Dread_chunk(a->id, H5P_DEFAULT, offset, &s->skipped, s->stored) < 0)
        return ql_h5_fail(err, QL_EDATA, "%s: chunk %" PRId64 " cannot be read", a->path,
                          chunk_number(p, s));
    s->n_stored = (size_t)bytes;
    return QL_OK;
}

/* Chunks first .. first + n_chunks - 1 of those that cover the rows wanted. */
static ql_status run_batch(const ql_h5r_array *a, const batch *b, int64_t first, int64_t n_chunks,
                           int threads, ql_err *err)
{
    const pipeline *p = b->pipe;
    for (int64_t i = 0; i < n_chunks; i++) {
        b->slots[i].row = b->begin + (first + i) / chunks_across(p) * p->rows;
        b->slots[i].col = (first + i) % chunks_across(p) * p->cols;
        QL_TRY(fetch(a, p, &b->slots[i], err));
    }
    ql_parallel_for(threads, n_chunks, decode_slot, (void *)b);
    for (int64_t i = 0; i < n_chunks; i++)
        if (!b->slots[i].ok) return fail_chunk(a, p, &b->slots[i], err);
    return QL_OK;
}

static int64_t count_slots(const pipeline *p, int64_t n_chunks, int threads)
{
    int64_t n = BATCH_BYTES / (int64_t)p->bytes;
    if (n < threads) n = threads;
    if (n > MAX_SLOTS) n = MAX_SLOTS;
    return smaller(n, n_chunks);
}

static ql_status new_slots(const pipeline *p, int64_t n, slot **out, ql_err *err)
{
    QL_TRY(QL_NEW(*out, n, "chunks in work", err));
    for (int64_t i = 0; i < n; i++)
        QL_TRY(QL_NEW((*out)[i].work, 2 * (int64_t)(p->bytes + SLACK), "a decoded chunk", err));
    return QL_OK;
}

static void free_slots(slot *slots, int64_t n)
{
    for (int64_t i = 0; slots && i < n; i++) {
        ql_free(slots[i].stored);
        ql_free(slots[i].work);
    }
    ql_free(slots);
}

/* Rows b->begin to b->end, which begin with a row of chunks. */
static ql_status run_batches(const ql_h5r_array *a, batch *b, int threads, ql_err *err)
{
    const pipeline *p = b->pipe;
    int64_t n_chunks = (b->end - b->begin + p->rows - 1) / p->rows * chunks_across(p);
    int64_t n_slots = count_slots(p, n_chunks, threads);
    ql_status st = new_slots(p, n_slots, &b->slots, err);
    for (int64_t at = 0; st == QL_OK && at < n_chunks; at += n_slots)
        st = run_batch(a, b, at, smaller(n_chunks - at, n_slots), threads, err);
    free_slots(b->slots, n_slots);
    return st;
}

ql_status ql_h5r_stream_chunks(const ql_h5r_array *a, int64_t n, int threads, ql_h5r_place *place,
                               void *ctx, bool *done, ql_err *err)
{
    pipeline p;
    *done = false;
    if (a->rank != 1 || !get_pipeline(a, &p)) return QL_OK;
    batch b = {.pipe = &p, .end = n, .take = take_list, .place = place, .ctx = ctx};
    QL_TRY(run_batches(a, &b, threads, err));
    *done = true;
    return QL_OK;
}

ql_status ql_h5r_band_chunks(const ql_h5r_array *a, int64_t first, int64_t n, int threads,
                             void *out, bool *done, ql_err *err)
{
    pipeline p;
    *done = false;
    if (a->rank != 2 || !get_pipeline(a, &p) || first % p.rows != 0) return QL_OK;
    if (n % p.rows != 0 && first + n != a->dim[0]) return QL_OK;
    batch b = {.pipe = &p, .begin = first, .end = first + n, .take = take_band, .out = out};
    QL_TRY(run_batches(a, &b, threads, err));
    *done = true;
    return QL_OK;
}

ql_status ql_h5r_range_chunks(const ql_h5r_array *a, int64_t first, int64_t n, int64_t largest,
                              int threads, void *out, bool *done, ql_err *err)
{
    pipeline p;
    *done = false;
    if (a->rank != 1 || !get_pipeline(a, &p) || p.rows > largest) return QL_OK;
    batch b = {.pipe = &p,
               .begin = first / p.rows * p.rows,
               .end = first + n,
               .take = take_range,
               .out = out,
               .from = first};
    QL_TRY(run_batches(a, &b, threads, err));
    *done = true;
    return QL_OK;
}
