/* Decoding a dataset's chunks here instead of in libhdf5: the stored bytes are fetched by the
 * thread that calls HDF5 and, a few chunks behind it, inflated, unshuffled and placed by all
 * threads: where nothing has to be converted, straight into the result. */
#include "h5_chunks.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#include "chunk_pipeline.h"
#include "h5_error.h"
#include "quell/alloc.h"
#include "quell/feed.h"
#include "quell/order.h"

enum { IN_WORK = 32 << 20 }; /* decoded bytes that may wait */

/* One chunk in work. */
typedef struct {
    int64_t row, col;       /* its first element */
    ql_stored_chunk stored; /* bytes [cap], owned */
    size_t cap;
} slot;

typedef struct run run;

/* Takes a decoded chunk, which lies in the work area or already at home. */
typedef void chunk_taker(const run *r, const slot *s, const unsigned char *values);

/* One reading of a dataset. */
struct run {
    const ql_h5r_array *a;
    const ql_pipeline *pipe;
    int64_t begin, end;       /* rows wanted of the dataset */
    chunk_taker *take;        /* NULL: they are only looked at */
    const ql_h5r_taker *list; /* of lists */
    unsigned char *out;       /* of bands: [end - begin, width]; of ranges: [end - from] */
    int64_t from;             /* of ranges: the first element wanted, in the chunk at begin */
    slot *slots;
    unsigned char **work; /* of each thread: what decoding takes; owned */
    _Atomic int64_t bad;  /* lowest number of a chunk that is damaged; INT64_MAX: none */
    ql_status fetched;    /* of the chunks fetched, and why not */
    ql_err err;
};

void ql_h5r_take(const ql_h5r_taker *t, size_t size, int64_t at, const void *values, int64_t n)
{
    if (t->out) {
        unsigned char *home = (unsigned char *)t->out + (size_t)at * size;
        if (values != home) memcpy(home, values, (size_t)n * size);
        values = home;
    }
    if (t->place) t->place(t->ctx, at, values, n);
}

/* Where a whole chunk of a list can be decoded to, if anywhere. */
static unsigned char *home_of(const run *r, const slot *s)
{
    const ql_pipeline *p = r->pipe;
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
    const ql_pipeline *p = r->pipe;
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

static int64_t chunks_across(const ql_pipeline *p)
{
    return (p->width + p->cols - 1) / p->cols;
}

static int64_t chunk_number(const ql_pipeline *p, const slot *s)
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
    if (bytes <= s->cap) return QL_OK;
    bytes += bytes / 8; /* the next one may be a little larger */
    ql_free(s->stored.bytes);
    s->stored.bytes = NULL;
    s->cap = 0;
    QL_TRY(QL_NEW(s->stored.bytes, (int64_t)bytes, "a stored chunk", err));
    s->cap = bytes;
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
    s->stored.n = 0;
    if (bytes == 0) return QL_OK;
    if (bytes > (hsize_t)a->file_bytes || (double)bytes * QL_DEFLATE_RATIO < (double)r->pipe->bytes)
        return fail_chunk(r, s, err);
    QL_TRY(grow_stored(s, (size_t)bytes, err));
    if (H5Dread_chunk(a->id, H5P_DEFAULT, offset, &s->stored.skipped, s->stored.bytes) < 0)
        return ql_h5_fail(err, QL_EDATA, "%s: chunk %" PRId64 " cannot be read", a->path,
                          chunk_number(r->pipe, s));
    s->stored.n = (size_t)bytes;
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
    if (!r->take && s->stored.n == 0) return;
    const unsigned char *values = s->stored.n
                                      ? ql_pipeline_decode(r->pipe, &s->stored, work, home_of(r, s))
                                      : ql_pipeline_fill(r->pipe, work);
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
        QL_TRY(
            QL_NEW(r->work[i], (int64_t)ql_pipeline_work_bytes(r->pipe), "a decoded chunk", err));
    return QL_OK;
}

static void free_areas(run *r, int n_slots, int threads)
{
    for (int i = 0; r->slots && i < n_slots; i++) ql_free(r->slots[i].stored.bytes);
    for (int i = 0; r->work && i < threads; i++) ql_free(r->work[i]);
    ql_free(r->slots);
    ql_free(r->work);
}

/* Rows r->begin to r->end, which begin with a row of chunks. */
static ql_status run_chunks(run *r, int threads, ql_err *err)
{
    const ql_pipeline *p = r->pipe;
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
    ql_pipeline p;
    *done = false;
    if (a->rank != 1 || !ql_pipeline_of(a, &p)) return QL_OK;
    run r = {.a = a, .pipe = &p, .end = n, .take = take_list, .list = taker};
    QL_TRY(run_chunks(&r, threads, err));
    *done = true;
    return QL_OK;
}

ql_status ql_h5r_band_chunks(const ql_h5r_array *a, int64_t first, int64_t n, int threads,
                             void *out, bool *done, ql_err *err)
{
    ql_pipeline p;
    *done = false;
    if (a->rank != 2 || !ql_pipeline_of(a, &p) || first % p.rows != 0) return QL_OK;
    if (n % p.rows != 0 && first + n != a->dim[0]) return QL_OK;
    run r = {.a = a, .pipe = &p, .begin = first, .end = first + n, .take = take_band, .out = out};
    QL_TRY(run_chunks(&r, threads, err));
    *done = true;
    return QL_OK;
}

ql_status ql_h5r_range_chunks(const ql_h5r_array *a, int64_t first, int64_t n, int64_t largest,
                              int threads, void *out, bool *done, ql_err *err)
{
    ql_pipeline p;
    *done = false;
    if (a->rank != 1 || !ql_pipeline_of(a, &p) || p.rows > largest) return QL_OK;
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

ql_status ql_h5r_check_chunks(const ql_h5r_array *a, int threads, ql_err *err)
{
    ql_pipeline p;
    if (!ql_pipeline_to_check(a, &p)) return QL_OK;
    if (p.n_steps == 0) {
        if (ql_pipeline_sizes_hold(a, &p)) return QL_OK;
        return ql_fail(err, QL_EDATA, "%s: has chunks of a wrong size", a->path);
    }
    run r = {.a = a, .pipe = &p, .end = a->dim[0]};
    return run_chunks(&r, threads, err);
}
