/* Decoding a dataset's chunks here instead of in libhdf5: the stored bytes are fetched by the
 * thread that calls HDF5 and, a few chunks behind it, inflated, unshuffled and placed by all
 * threads: where nothing has to be converted, straight into the result. */
#include <inttypes.h>
#include <stdatomic.h>
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
#include "quell/feed.h"
#include "quell/order.h"

enum {
    MAX_STEPS = 4,
    IN_WORK = 32 << 20,   /* decoded bytes that may wait */
    CHUNK_MAX = 64 << 20, /* larger chunks are left to libhdf5 */
    MANY_CHUNKS = 1024,   /* finding each by its number takes the square of their number */
    SLACK = 64            /* a filter may see a few bytes more than a chunk (checksums) */
};

/* How to decode: the filters in the order they were applied, and what a chunk must become. */
typedef struct {
    int n_steps;
    H5Z_filter_t step[MAX_STEPS];
    int64_t rows, cols; /* of a chunk; a list is one column */
    int64_t width;      /* columns of the dataset */
    size_t size;        /* bytes of an element */
    size_t bytes;       /* of a decoded chunk */
    unsigned char fill[16];
} pipeline;

/* One chunk as stored. */
typedef struct {
    int64_t row, col; /* its first element */
    uint32_t skipped; /* bit i: filter i was not applied */
    size_t n_stored;  /* 0: never written, holds the fill value */
    size_t cap_stored;
    unsigned char *stored; /* owned */
} slot;

typedef struct run run;

/* Takes a decoded chunk, which lies in the work area or already at home. */
typedef void chunk_taker(const run *r, const slot *s, const unsigned char *values);

/* One reading of a dataset. */
struct run {
    const ql_h5r_array *a;
    const pipeline *pipe;
    int64_t begin, end;       /* rows wanted of the dataset */
    chunk_taker *take;        /* NULL: they are only looked at */
    const ql_h5r_taker *list; /* of lists */
    unsigned char *out;       /* of bands: [end - begin, width]; of ranges: [end - from] */
    int64_t from;             /* of ranges: the first element wanted, in the chunk at begin */
    slot *slots;
    unsigned char **work; /* of each thread: two areas of bytes + SLACK; owned */
    _Atomic int64_t bad;  /* lowest number of a chunk that is damaged; INT64_MAX: none */
    ql_status fetched;    /* of the chunks fetched, and why not */
    ql_err err;
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
                        unsigned char *out, size_t cap)
{
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

/* Is filter i the last one to be undone? */
static bool is_last(const slot *s, int i)
{
    return (~s->skipped & ((1U << i) - 1)) == 0;
}

/* The decoded chunk, or NULL when it is damaged. It is at home when home is given and there was a
 * filter to undo. */
static const unsigned char *decode(const pipeline *p, const slot *s, unsigned char *work,
                                   unsigned char *home)
{
    const unsigned char *now = s->stored;
    unsigned char *area[2] = {work, work + p->bytes + SLACK};
    size_t n = s->n_stored;
    int turn = 0;
    for (int i = p->n_steps - 1; i >= 0; i--) {
        if (s->skipped >> i & 1) continue;
        if (p->step[i] == H5Z_FILTER_FLETCHER32) {
            if (n < 4) return NULL;
            n -= 4; /* deflate has a checksum of its own */
            continue;
        }
        bool to_home = home && is_last(s, i);
        unsigned char *to = to_home ? home : area[turn];
        n = undo_step(p, p->step[i], now, n, to, to_home ? p->bytes : p->bytes + SLACK);
        if (n == 0) return NULL;
        now = to;
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

/* Where a whole chunk of a list can be decoded to, if anywhere. */
static unsigned char *home_of(const run *r, const slot *s)
{
    const pipeline *p = r->pipe;
    if (!r->list || !r->list->out || r->end - s->row < p->rows) return NULL;
    return (unsigned char *)r->list->out + (size_t)s->row * p->size;
}

static void take_list(const run *r, const slot *s, const unsigned char *values)
{
    ql_h5r_take(r->list, r->pipe->size, s->row, values, ql_least(r->end - s->row, r->pipe->rows));
}

/* Chunks at the right and lower edge reach beyond the data. */
static void take_band(const run *r, const slot *s, const unsigned char *values)
{
    const pipeline *p = r->pipe;
    int64_t n_rows = ql_least(r->end - s->row, p->rows),
            n_cols = ql_least(p->width - s->col, p->cols);
    for (int64_t k = 0; k < n_rows; k++) {
        int64_t to = (s->row - r->begin + k) * p->width + s->col;
        memcpy(r->out + (size_t)to * p->size, values + (size_t)(k * p->cols) * p->size,
               (size_t)n_cols * p->size);
    }
}

static void take_range(const run *r, const slot *s, const unsigned char *values)
{
    int64_t first = s->row > r->from ? s->row : r->from,
            end = ql_least(r->end, s->row + r->pipe->rows);
    memcpy(r->out + (size_t)(first - r->from) * r->pipe->size,
           values + (size_t)(first - s->row) * r->pipe->size,
           (size_t)(end - first) * r->pipe->size);
}

/* Filters we undo ourselves, at most one of a kind. fletcher32 is dropped where deflate has checked
 * the data already; elsewhere (lone_checksum) it is left to libhdf5. */
static bool get_filters(hid_t dcpl, bool lone_checksum, pipeline *p)
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
        if (bit == FLETCHER && !(seen & DEFLATE) && !lone_checksum) return false;
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

/* Without filters libhdf5 takes the size of chunks from the layout when it is asked, but from the
 * chunk's entry in the index when it reads, however little room there is. Do all entries agree with
 * the layout, as far as that can be found out? */
static bool plain_sizes_hold(const ql_h5r_array *a, const pipeline *p)
{
    hsize_t n = 0, offset[2], bytes = p->bytes;
    hid_t space = H5Dget_space(a->id);
    haddr_t address;
    unsigned mask;
    bool ok = space >= 0 && H5Dget_num_chunks(a->id, space, &n) >= 0 &&
              n <= H5Dget_storage_size(a->id) / p->bytes &&
              n * p->bytes == H5Dget_storage_size(a->id);
    for (hsize_t i = 0; ok && i < n && n <= MANY_CHUNKS; i++)
        ok = H5Dget_chunk_info(a->id, space, i, offset, &mask, &address, &bytes) >= 0 &&
             bytes == p->bytes;
    ql_h5r_close(space);
    return ok;
}

static bool few_chunks(const ql_h5r_array *a, const pipeline *p)
{
    return H5Dget_storage_size(a->id) / p->bytes <= MANY_CHUNKS;
}

/* Raw elements are 0 where nothing was written. */
static bool get_fill(const ql_h5r_array *a, hid_t dcpl, pipeline *p)
{
    H5D_fill_value_t state;
    if (!a->raw_size) return H5Pget_fill_value(dcpl, a->mem_type, p->fill) >= 0;
    return p->size <= sizeof p->fill && H5Pfill_value_defined(dcpl, &state) >= 0 &&
           state != H5D_FILL_VALUE_USER_DEFINED;
}

static bool get_pipeline(const ql_h5r_array *a, pipeline *p)
{
    if ((!a->as_stored && !a->raw_size) || a->rank < 1) return false;
    *p = (pipeline){.size = a->raw_size ? a->raw_size : ql_num_size(a->num)};
    hid_t dcpl = H5Dget_create_plist(a->id);
    bool ok =
        dcpl >= 0 && get_chunk(a, dcpl, p) && get_filters(dcpl, false, p) && get_fill(a, dcpl, p);
    if (ok && p->n_steps == 0) ok = few_chunks(a, p) && plain_sizes_hold(a, p);
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

static ql_status fail_chunk(const run *r, const slot *s, ql_err *err)
{
    return ql_fail(err, QL_EDATA, "%s: chunk %" PRId64 " (%s from %" PRId64 ") is damaged",
                   r->a->path, chunk_number(r->pipe, s), r->a->rank == 1 ? "values" : "rows",
                   s->row);
}

static ql_status grow_stored(slot *s, size_t bytes, ql_err *err)
{
    if (bytes <= s->cap_stored) return QL_OK;
    bytes += bytes / 8; /* the next one may be a little larger */
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
static ql_status fetch(const run *r, slot *s, ql_err *err)
{
    const ql_h5r_array *a = r->a;
    hsize_t offset[2] = {(hsize_t)s->row, (hsize_t)s->col}, bytes;
    if (!stored_bytes(a->id, offset, &bytes))
        return ql_h5_fail(err, QL_EDATA, "%s: chunk %" PRId64 " cannot be found", a->path,
                          chunk_number(r->pipe, s));
    s->n_stored = 0;
    if (bytes == 0) return QL_OK;
    if (bytes > (hsize_t)a->file_bytes || (double)bytes * 1100.0 < (double)r->pipe->bytes)
        return fail_chunk(r, s, err);
    QL_TRY(grow_stored(s, (size_t)bytes, err));
    if (H5Dread_chunk(a->id, H5P_DEFAULT, offset, &s->skipped, s->stored) < 0)
        return ql_h5_fail(err, QL_EDATA, "%s: chunk %" PRId64 " cannot be read", a->path,
                          chunk_number(r->pipe, s));
    s->n_stored = (size_t)bytes;
    return QL_OK;
}

/* The first element of chunk number i of those that cover the rows wanted. */
static void set_place(const run *r, int64_t i, slot *s)
{
    s->row = r->begin + i / chunks_across(r->pipe) * r->pipe->rows;
    s->col = i % chunks_across(r->pipe) * r->pipe->cols;
}

static bool fetch_item(void *ctx, int64_t item, int k)
{
    run *r = ctx;
    if (atomic_load(&r->bad) != INT64_MAX) return false;
    set_place(r, item, &r->slots[k]);
    r->fetched = fetch(r, &r->slots[k], &r->err);
    return r->fetched == QL_OK;
}

static void note_bad(run *r, int64_t item)
{
    int64_t now = atomic_load(&r->bad);
    while (item < now && !atomic_compare_exchange_weak(&r->bad, &now, item)) continue;
}

static void decode_item(void *ctx, int64_t item, int k, int rank)
{
    run *r = ctx;
    const slot *s = &r->slots[k];
    unsigned char *work = r->work[rank];
    if (!r->take && s->n_stored == 0) return;
    const unsigned char *values =
        s->n_stored ? decode(r->pipe, s, work, home_of(r, s)) : fill_chunk(r->pipe, work);
    if (!values)
        note_bad(r, item);
    else if (r->take)
        r->take(r, s, values);
}

/* The first chunk with a fault is told: all before it were fetched and decoded. */
static ql_status outcome(const run *r, ql_err *err)
{
    int64_t bad = atomic_load(&r->bad);
    if (bad != INT64_MAX) {
        slot s;
        set_place(r, bad, &s);
        return fail_chunk(r, &s, err);
    }
    if (r->fetched != QL_OK && err) *err = r->err;
    return r->fetched;
}

static ql_status new_areas(run *r, int n_slots, int threads, ql_err *err)
{
    QL_TRY(QL_NEW(r->slots, n_slots, "chunks in work", err));
    QL_TRY(QL_NEW(r->work, threads, "chunks in work", err));
    for (int i = 0; i < threads; i++)
        QL_TRY(QL_NEW(r->work[i], 2 * (int64_t)(r->pipe->bytes + SLACK), "a decoded chunk", err));
    return QL_OK;
}

static void free_areas(run *r, int n_slots, int threads)
{
    for (int i = 0; r->slots && i < n_slots; i++) ql_free(r->slots[i].stored);
    for (int i = 0; r->work && i < threads; i++) ql_free(r->work[i]);
    ql_free(r->slots);
    ql_free(r->work);
}

/* Rows r->begin to r->end, which begin with a row of chunks. */
static ql_status run_chunks(run *r, int threads, ql_err *err)
{
    const pipeline *p = r->pipe;
    int64_t n_chunks = (r->end - r->begin + p->rows - 1) / p->rows * chunks_across(p);
    if (threads > n_chunks) threads = (int)n_chunks;
    if (threads < 1) threads = 1;
    int n_slots = ql_feed_slots(threads, ql_least(IN_WORK / (int64_t)p->bytes, n_chunks));
    if (threads > n_slots) threads = n_slots;
    const ql_feed feed = {n_chunks, n_slots, fetch_item, decode_item, r};
    atomic_init(&r->bad, INT64_MAX);
    ql_status st = new_areas(r, n_slots, threads, err);
    if (st == QL_OK) {
        ql_feed_run(threads, &feed);
        st = outcome(r, err);
    }
    free_areas(r, n_slots, threads);
    return st;
}

ql_status ql_h5r_stream_chunks(const ql_h5r_array *a, int64_t n, int threads,
                               const ql_h5r_taker *taker, bool *done, ql_err *err)
{
    pipeline p;
    *done = false;
    if (a->rank != 1 || !get_pipeline(a, &p)) return QL_OK;
    run r = {.a = a, .pipe = &p, .end = n, .take = take_list, .list = taker};
    QL_TRY(run_chunks(&r, threads, err));
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
    run r = {.a = a, .pipe = &p, .begin = first, .end = first + n, .take = take_band, .out = out};
    QL_TRY(run_chunks(&r, threads, err));
    *done = true;
    return QL_OK;
}

ql_status ql_h5r_range_chunks(const ql_h5r_array *a, int64_t first, int64_t n, int64_t largest,
                              int threads, void *out, bool *done, ql_err *err)
{
    pipeline p;
    *done = false;
    if (a->rank != 1 || !get_pipeline(a, &p) || p.rows > largest) return QL_OK;
    run r = {.a = a,
             .pipe = &p,
             .begin = first / p.rows * p.rows,
             .end = first + n,
             .take = take_range,
             .out = out,
             .from = first};
    QL_TRY(run_chunks(&r, threads, err));
    *done = true;
    return QL_OK;
}

/* ---- chunks that libhdf5 is to read ---- */

/* Bytes that elements of a type take more in the file than in memory. */
static int64_t grows_by(hid_t type, int64_t reference)
{
    int64_t more = 0;
    if (H5Tis_variable_str(type) > 0 || H5Tget_class(type) == H5T_VLEN)
        return reference - (int64_t)H5Tget_size(type);
    if (H5Tget_class(type) != H5T_COMPOUND) return 0;
    for (int i = 0; i < H5Tget_nmembers(type); i++) {
        hid_t member = H5Tget_member_type(type, (unsigned)i);
        more += member < 0 ? 0 : grows_by(member, reference);
        ql_h5r_close(member);
    }
    return more;
}

/* Bytes of an element in the file. A value of variable length is there as a length, an address in
 * the heap and a number. */
static size_t stored_size(const ql_h5r_array *a)
{
    size_t address = 8, length = 8;
    hid_t type = H5Dget_type(a->id), file = H5Iget_file_id(a->id), fcpl = H5Fget_create_plist(file);
    if (fcpl >= 0) (void)H5Pget_sizes(fcpl, &address, &length);
    int64_t size = type < 0 ? 0 : (int64_t)H5Tget_size(type);
    if (type >= 0) size += grows_by(type, 4 + (int64_t)address + 4);
    ql_h5r_close(fcpl);
    ql_h5r_close(file);
    ql_h5r_close(type);
    return size > 0 ? (size_t)size : 0;
}

ql_status ql_h5r_check_chunks(const ql_h5r_array *a, int threads, ql_err *err)
{
    pipeline p = {.size = stored_size(a)};
    if (a->rank < 1 || a->n == 0 || p.size == 0) return QL_OK;
    hid_t dcpl = H5Dget_create_plist(a->id);
    bool known = dcpl >= 0 && get_chunk(a, dcpl, &p) && get_filters(dcpl, true, &p);
    (void)H5Eclear2(H5E_DEFAULT);
    ql_h5r_close(dcpl);
    if (!known) return QL_OK;
    if (p.n_steps == 0) {
        if (plain_sizes_hold(a, &p)) return QL_OK;
        return ql_fail(err, QL_EDATA, "%s: has chunks of a wrong size", a->path);
    }
    run r = {.a = a, .pipe = &p, .end = a->dim[0]};
    return run_chunks(&r, threads, err);
}
