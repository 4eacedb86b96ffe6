#include "h5_values.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#include "h5_error.h"
#include "quell/alloc.h"
#include "quell/parallel.h"

enum { BLOCK_BYTES = 32 << 20, PIECE = 1 << 16, SMALL = 1024 };

typedef struct {
    ql_h5r_place *place;
    void *ctx;
    const unsigned char *bytes;
    size_t size;
    int64_t at, n;
} block_job;

static void place_piece(void *ctx, int64_t item)
{
    const block_job *job = ctx;
    int64_t from = item * PIECE, n = job->n - from < PIECE ? job->n - from : PIECE;
    job->place(job->ctx, job->at + from, job->bytes + (size_t)from * job->size, n);
}

static ql_status read_block(const ql_h5r_array *a, int64_t at, int64_t n, void *out, ql_err *err)
{
    hsize_t start = (hsize_t)at, count = (hsize_t)n;
    hid_t file_space = H5Dget_space(a->id), mem_space = H5Screate_simple(1, &count, NULL);
    herr_t rc = -1;
    if (file_space >= 0 && mem_space >= 0 &&
        H5Sselect_hyperslab(file_space, H5S_SELECT_SET, &start, NULL, &count, NULL) >= 0)
        rc = H5Dread(a->id, a->mem_type, mem_space, file_space, H5P_DEFAULT, out);
    ql_status st = QL_OK;
    if (rc < 0) st = ql_h5_fail(err, QL_EDATA, "%s: is damaged near value %" PRId64, a->path, at);
    ql_h5r_close(mem_space);
    ql_h5r_close(file_space);
    return st;
}

static ql_status stream_blocks(const ql_h5r_array *a, int64_t n, int threads, ql_h5r_place *place,
                               void *ctx, ql_err *err)
{
    size_t size = ql_num_size(a->num);
    int64_t block = (int64_t)(BLOCK_BYTES / size);
    unsigned char *bytes = NULL;
    ql_status st =
        QL_NEW(bytes, (n < block ? n : block) * (int64_t)size, "a block of the file", err);
    for (int64_t at = 0; st == QL_OK && at < n; at += block) {
        int64_t m = n - at < block ? n - at : block;
        block_job job = {place, ctx, bytes, size, at, m};
        st = read_block(a, at, m, bytes, err);
        if (st == QL_OK) ql_parallel_for(threads, (m + PIECE - 1) / PIECE, place_piece, &job);
    }
    ql_free(bytes);
    return st;
}

ql_status ql_h5r_stream(const ql_h5r_array *a, int64_t n, int threads, ql_h5r_place *place,
                        void *ctx, ql_err *err)
{
    bool done = false;
    if (n == 0) return QL_OK;
    QL_TRY(ql_h5r_stream_chunks(a, n, threads, place, ctx, &done, err));
    return done ? QL_OK : stream_blocks(a, n, threads, place, ctx, err);
}

typedef struct {
    ql_num num;
    void *out;
} convert_job;

static void place_f32(void *ctx, int64_t at, const void *values, int64_t n)
{
    const convert_job *job = ctx;
    ql_num_to_f32(job->num, values, n, (float *)job->out + at);
}

static void place_i64(void *ctx, int64_t at, const void *values, int64_t n)
{
    const convert_job *job = ctx;
    ql_num_to_i64(job->num, values, n, (int64_t *)job->out + at);
}

ql_status ql_h5r_read_f32(const ql_h5r_array *a, int64_t n, int threads, float *out, ql_err *err)
{
    convert_job job = {a->num, out};
    return ql_h5r_stream(a, n, threads, place_f32, &job, err);
}

ql_status ql_h5r_read_i64(const ql_h5r_array *a, int64_t n, int threads, int64_t *out, ql_err *err)
{
    convert_job job = {a->num, out};
    return ql_h5r_stream(a, n, threads, place_i64, &job, err);
}

typedef struct {
    ql_num num;
    int32_t *out;
    int64_t limit;
    _Atomic int64_t first_bad; /* lowest position of an index out of range, or INT64_MAX */
} index_job;

static void note_bad(index_job *job, int64_t at)
{
    int64_t now = atomic_load(&job->first_bad);
    while (at < now && !atomic_compare_exchange_weak(&job->first_bad, &now, at)) continue;
}

/* The usual type needs no widening. */
static bool place_int32(const index_job *job, int64_t at, const void *values, int64_t n)
{
    int32_t *out = job->out + at;
    int bad = 0;
    if (job->num != QL_NUM_I32 || job->limit > INT32_MAX) return false;
    memcpy(out, values, (size_t)n * sizeof *out);
    for (int64_t k = 0; k < n; k++) bad |= (uint32_t)out[k] >= (uint32_t)job->limit;
    return !bad;
}

static void place_indices(void *ctx, int64_t at, const void *values, int64_t n)
{
    index_job *job = ctx;
    if (place_int32(job, at, values, n)) return;
    int64_t wide[SMALL];
    size_t size = ql_num_size(job->num);
    for (int64_t i = 0; i < n; i += SMALL) {
        int64_t m = n - i < SMALL ? n - i : SMALL;
        uint64_t worst = 0;
        ql_num_to_i64(job->num, (const unsigned char *)values + (size_t)i * size, m, wide);
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

static ql_status fail_index(const ql_h5r_array *a, int64_t at, int64_t limit, const char *what,
                            ql_err *err)
{
    int64_t value = 0;
    unsigned char raw[8] = {0};
    QL_TRY(read_block(a, at, 1, raw, err));
    ql_num_to_i64(a->num, raw, 1, &value);
    return ql_fail(err, QL_EDATA, "%s[%" PRId64 "] is %" PRId64 ", but there are %" PRId64 " %s",
                   a->path, at, value, limit, what);
}

ql_status ql_h5r_read_indices(const ql_h5r_array *a, int64_t n, int64_t limit, const char *what,
                              int threads, int32_t *out, ql_err *err)
{
    index_job job = {.num = a->num, .out = out, .limit = limit, .first_bad = INT64_MAX};
    QL_TRY(ql_h5r_stream(a, n, threads, place_indices, &job, err));
    int64_t bad = atomic_load(&job.first_bad);
    return bad == INT64_MAX ? QL_OK : fail_index(a, bad, limit, what, err);
}
