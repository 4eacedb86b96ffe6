#include "h5_values.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/csr.h"
#include "quell/parallel.h"

enum { BLOCK_BYTES = 32 << 20, PIECE = 1 << 16, SMALL = 1024 };

typedef struct {
    const ql_h5r_taker *taker;
    const unsigned char *bytes;
    size_t size;
    int64_t at, n;
} block_job;

static void place_piece(void *ctx, int64_t item)
{
    const block_job *job = ctx;
    int64_t from = item * PIECE, n = job->n - from < PIECE ? job->n - from : PIECE;
    ql_h5r_take(job->taker, job->size, job->at + from, job->bytes + (size_t)from * job->size, n);
}

static ql_status stream_blocks(const ql_h5r_array *a, int64_t n, int threads,
                               const ql_h5r_taker *taker, ql_err *err)
{
    size_t size = ql_num_size(a->num);
    int64_t block = (int64_t)(BLOCK_BYTES / size);
    unsigned char *buffer = NULL;
    ql_status st = ql_h5r_check_chunks(a, threads, err);
    if (st == QL_OK && !taker->out)
        st = QL_NEW(buffer, (n < block ? n : block) * (int64_t)size, "a block of the file", err);
    for (int64_t at = 0; st == QL_OK && at < n; at += block) {
        int64_t m = n - at < block ? n - at : block;
        unsigned char *bytes = buffer ? buffer : (unsigned char *)taker->out + (size_t)at * size;
        block_job job = {taker, bytes, size, at, m};
        st = ql_h5r_read_list(a, at, m, bytes, err);
        if (st == QL_OK) ql_parallel_for(threads, (m + PIECE - 1) / PIECE, place_piece, &job);
    }
    ql_free(buffer);
    return st;
}

static ql_status stream(const ql_h5r_array *a, int64_t n, int threads, const ql_h5r_taker *taker,
                        ql_err *err)
{
    bool done = false;
    if (n == 0) return QL_OK;
    QL_TRY(ql_h5r_stream_chunks(a, n, threads, taker, &done, err));
    return done ? QL_OK : stream_blocks(a, n, threads, taker, err);
}

typedef struct {
    ql_num num;
    void *out;
    atomic_bool fractions, zeros;
    _Atomic float max;
} convert_job;

static void note_seen(convert_job *job, const ql_entries_seen *seen)
{
    float now = atomic_load(&job->max);
    if (!seen->counts) atomic_store(&job->fractions, true);
    if (seen->zeros) atomic_store(&job->zeros, true);
    while (seen->max > now && !atomic_compare_exchange_weak(&job->max, &now, seen->max)) continue;
}

static void place_f32(void *ctx, int64_t at, const void *values, int64_t n)
{
    convert_job *job = ctx;
    float *out = (float *)job->out + at;
    ql_entries_seen seen = ql_nothing_seen;
    if (values != out) ql_num_to_f32(job->num, values, n, out);
    ql_see_entries(out, n, &seen);
    note_seen(job, &seen);
}

static void place_i64(void *ctx, int64_t at, const void *values, int64_t n)
{
    const convert_job *job = ctx;
    ql_num_to_i64(job->num, values, n, (int64_t *)job->out + at);
}

ql_status ql_h5r_read_f32(const ql_h5r_array *a, int64_t n, int threads, float *out,
                          ql_entries_seen *seen, ql_err *err)
{
    convert_job job = {.num = a->num, .out = out};
    ql_h5r_taker taker = {.place = place_f32, .ctx = &job};
    if (a->num == QL_NUM_F32) taker.out = out;
    QL_TRY(stream(a, n, threads, &taker, err));
    if (seen) {
        seen->counts = !atomic_load(&job.fractions);
        seen->zeros = atomic_load(&job.zeros);
        seen->max = atomic_load(&job.max);
    }
    return QL_OK;
}

ql_status ql_h5r_read_i64(const ql_h5r_array *a, int64_t n, int threads, int64_t *out, ql_err *err)
{
    convert_job job = {.num = a->num, .out = out};
    ql_h5r_taker taker = {.place = place_i64, .ctx = &job};
    if (a->num == QL_NUM_I64) taker = (ql_h5r_taker){.out = out};
    return stream(a, n, threads, &taker, err);
}

typedef struct {
    ql_num num;
    int32_t *out;
    int64_t limit;
    const ql_h5r_rows *rows;
    _Atomic int64_t first_bad; /* lowest position of an index out of range, or INT64_MAX */
    _Atomic int64_t longest;   /* range */
    atomic_bool unordered;     /* within a range; where they meet is looked at afterwards */
} index_job;

static void note_bad(index_job *job, int64_t at)
{
    int64_t now = atomic_load(&job->first_bad);
    while (at < now && !atomic_compare_exchange_weak(&job->first_bad, &now, at)) continue;
}

/* Of the usual type, which needs no widening and is in its place. */
static bool all_in_range(const int32_t *x, int64_t n, int64_t limit)
{
    const uint32_t end = limit > INT32_MAX ? (uint32_t)INT32_MAX + 1 : (uint32_t)limit;
    int bad = 0;
    for (int64_t k = 0; k < n; k++) bad |= (uint32_t)x[k] >= end;
    return !bad;
}

static void narrow_indices(index_job *job, int64_t at, const unsigned char *values, int64_t n)
{
    int64_t wide[SMALL];
    size_t size = ql_num_size(job->num);
    for (int64_t i = 0; i < n; i += SMALL) {
        int64_t m = n - i < SMALL ? n - i : SMALL;
        uint64_t worst = 0;
        ql_num_to_i64(job->num, values + (size_t)i * size, m, wide);
        for (int64_t k = 0; k < m; k++) {
            if ((uint64_t)wide[k] > worst) worst = (uint64_t)wide[k];
            job->out[at + i + k] = (int32_t)wide[k];
        }
        if (worst < (uint64_t)job->limit) continue;
        for (int64_t k = 0; k < m; k++) {
            if ((uint64_t)wide[k] < (uint64_t)job->limit) continue;
            note_bad(job, at + i + k);
            break;
        }
    }
}

static bool ascending(const int32_t *x, int64_t n)
{
    int odd = 0;
    for (int64_t k = 1; k < n; k++) odd |= x[k] <= x[k - 1];
    return !odd;
}

/* The parts of rows that lie in entries [at, end). */
static bool rows_ascend(const ql_h5r_rows *rows, const int32_t *x, int64_t at, int64_t end)
{
    bool ok = true;
    for (int64_t row = ql_row_of_entry(rows->indptr, rows->n_rows, at); ok && at < end; row++) {
        int64_t to = rows->indptr[row + 1] < end ? rows->indptr[row + 1] : end;
        ok = ascending(x + at, to - at);
        at = to;
    }
    return ok;
}

static void place_indices(void *ctx, int64_t at, const void *values, int64_t n)
{
    index_job *job = ctx;
    int64_t longest = atomic_load(&job->longest);
    if (job->num != QL_NUM_I32 || !all_in_range(values, n, job->limit))
        narrow_indices(job, at, values, n);
    while (n > longest && !atomic_compare_exchange_weak(&job->longest, &longest, n)) continue;
    if (job->rows && !atomic_load(&job->unordered) && !rows_ascend(job->rows, job->out, at, at + n))
        atomic_store(&job->unordered, true);
}

/* Entries beside each other that were placed by different calls. */
static bool seams_ascend(const ql_h5r_rows *rows, const int32_t *x, int64_t n, int64_t step)
{
    bool ok = true;
    for (int64_t k = step; ok && k < n; k += step)
        ok = x[k] > x[k - 1] || rows->indptr[ql_row_of_entry(rows->indptr, rows->n_rows, k)] == k;
    return ok;
}

static ql_status fail_index(const ql_h5r_array *a, int64_t at, int64_t limit, const char *what,
                            ql_err *err)
{
    int64_t value = 0;
    unsigned char raw[8] = {0};
    QL_TRY(ql_h5r_read_list(a, at, 1, raw, err));
    ql_num_to_i64(a->num, raw, 1, &value);
    return ql_fail(err, QL_EDATA, "%s[%" PRId64 "] is %" PRId64 ", but there are %" PRId64 " %s",
                   a->path, at, value, limit, what);
}

ql_status ql_h5r_read_indices(const ql_h5r_array *a, int64_t n, int64_t limit, const char *what,
                              int threads, int32_t *out, ql_h5r_rows *rows, ql_err *err)
{
    index_job job = {
        .num = a->num, .out = out, .limit = limit, .rows = rows, .first_bad = INT64_MAX};
    ql_h5r_taker taker = {.place = place_indices, .ctx = &job};
    if (a->num == QL_NUM_I32) taker.out = out;
    QL_TRY(stream(a, n, threads, &taker, err));
    int64_t bad = atomic_load(&job.first_bad);
    if (bad != INT64_MAX) return fail_index(a, bad, limit, what, err);
    if (rows)
        rows->ascending =
            !atomic_load(&job.unordered) && seams_ascend(rows, out, n, atomic_load(&job.longest));
    return QL_OK;
}
