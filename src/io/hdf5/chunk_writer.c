#include "chunk_writer.h"

#include <string.h>
#ifdef QL_HAVE_LIBDEFLATE
#include <libdeflate.h>
#else
#include <zlib.h>
#endif

#include "h5_error.h"
#include "h5_out.h"
#include "quell/alloc.h"
#include "quell/parallel.h"

enum {
    MAX_SLOTS = 64,      /* chunks compressed at a time: about 0.1 s of work, so that starting and
                          * ending a parallel region does not count; 16 MiB at 256 KiB a chunk */
    BAND_CHUNKS = 16,    /* a band is at least so many chunks */
    DEFLATE_SKIPPED = 2, /* filter mask: the second filter was not applied */
};

/* A finished chunk. */
typedef struct {
    uint8_t *bytes; /* chunk_bytes of room */
    size_t n;       /* chunk_bytes: it did not shrink and is shuffled only */
} chunk_slot;

/* What each thread works with. */
typedef struct {
    uint8_t *shuffled; /* chunk_bytes */
#ifdef QL_HAVE_LIBDEFLATE
    struct libdeflate_compressor *deflater;
#endif
} chunk_tools;

struct ql_chunk_writer {
    ql_chunk_spec spec;
    hid_t set;
    bool chunked;
    size_t elem, chunk_bytes;
    int64_t across; /* chunks in a row of chunks */
    int64_t done;   /* rows taken */
    chunk_slot *slots;
    int n_slots;
    chunk_tools *tools; /* [spec.threads] */
    /* the rows in hand */
    const uint8_t *rows;
    int64_t n;
    int64_t first, now; /* chunks first .. first+now-1 of the band are in the slots */
};

/* Bytes of one row's part of a chunk into the planes of the chunk: HDF5's shuffle filter. */
static inline void spread(uint8_t *plane, size_t plane_size, const uint8_t *row, int64_t n,
                          size_t elem)
{
    for (size_t b = 0; b < elem; b++) {
        uint8_t *to = plane + b * plane_size;
        for (int64_t i = 0; i < n; i++) to[i] = row[(size_t)i * elem + b];
    }
}

static void shuffle_chunk(const ql_chunk_writer *w, int64_t chunk, uint8_t *out)
{
    const ql_chunk_spec *s = &w->spec;
    int64_t row0 = chunk / w->across * s->chunk_rows, col0 = chunk % w->across * s->chunk_cols;
    int64_t n_rows = w->n - row0 < s->chunk_rows ? w->n - row0 : s->chunk_rows;
    int64_t n_cols = s->n_cols - col0 < s->chunk_cols ? s->n_cols - col0 : s->chunk_cols;
    size_t plane = w->chunk_bytes / w->elem;

    if (n_rows < s->chunk_rows || n_cols < s->chunk_cols) memset(out, 0, w->chunk_bytes);
    for (int64_t r = 0; r < n_rows; r++) {
        const uint8_t *row = w->rows + (size_t)((row0 + r) * s->n_cols + col0) * w->elem;
        uint8_t *to = out + r * s->chunk_cols;
        if (w->elem == 4)
            spread(to, plane, row, n_cols, 4); /* a constant, for the vectoriser */
        else
            spread(to, plane, row, n_cols, w->elem);
    }
}

/* Bytes of the deflated chunk, or 0 when it does not shrink. */
static size_t deflate_chunk(const ql_chunk_writer *w, const chunk_tools *tools, uint8_t *out)
{
    size_t n = w->chunk_bytes;
#ifdef QL_HAVE_LIBDEFLATE
    return libdeflate_zlib_compress(tools->deflater, tools->shuffled, n, out, n - 1);
#else
    uLongf size = n - 1;
    return compress2(out, &size, tools->shuffled, n, w->spec.level) == Z_OK ? size : 0;
#endif
}

static void compress_chunks(void *ctx, ql_team *team, int rank)
{
    ql_chunk_writer *w = ctx;
    const chunk_tools *tools = &w->tools[rank];
    for (int64_t i; (i = ql_team_next(team, rank, 0, w->now)) >= 0;) {
        chunk_slot *slot = &w->slots[i];
        shuffle_chunk(w, w->first + i, tools->shuffled);
        slot->n = deflate_chunk(w, tools, slot->bytes);
        if (slot->n > 0) continue;
        memcpy(slot->bytes, tools->shuffled, w->chunk_bytes);
        slot->n = w->chunk_bytes;
    }
}

static ql_status store_slot(ql_chunk_writer *w, int64_t chunk, const chunk_slot *slot, ql_err *err)
{
    const ql_chunk_spec *s = &w->spec;
    int64_t row = w->done + chunk / w->across * s->chunk_rows;
    hsize_t at[2] = {(hsize_t)row, (hsize_t)(chunk % w->across * s->chunk_cols)};
    if (s->rank == 1) at[0] *= (hsize_t)s->n_cols;
    uint32_t mask = slot->n < w->chunk_bytes ? 0 : DEFLATE_SKIPPED;
    herr_t rc = H5Dwrite_chunk(w->set, H5P_DEFAULT, mask, at, slot->n, slot->bytes);
    return rc < 0 ? ql_h5_fail(err, QL_EIO, "cannot write %s", s->name) : QL_OK;
}

static ql_status write_chunks(ql_chunk_writer *w, ql_err *err)
{
    int64_t down = (w->n + w->spec.chunk_rows - 1) / w->spec.chunk_rows, total = down * w->across;

    for (w->first = 0; w->first < total; w->first += w->n_slots) {
        w->now = total - w->first < w->n_slots ? total - w->first : w->n_slots;
        ql_team_run(w->now < w->spec.threads ? (int)w->now : w->spec.threads, compress_chunks, w);
        for (int64_t i = 0; i < w->now; i++) {
            QL_TRY(store_slot(w, w->first + i, &w->slots[i], err));
        }
    }
    return QL_OK;
}

static ql_status write_contiguous(ql_chunk_writer *w, ql_err *err)
{
    const ql_chunk_spec *s = &w->spec;
    hsize_t from[2] = {(hsize_t)w->done, 0}, count[2] = {(hsize_t)w->n, (hsize_t)s->n_cols};
    if (s->rank == 1) {
        from[0] *= count[1];
        count[0] *= count[1];
    }
    if (count[0] == 0 || count[1] == 0) return QL_OK;
    hid_t file = H5Dget_space(w->set), memory = H5Screate_simple(s->rank, count, NULL);
    herr_t rc = H5Sselect_hyperslab(file, H5S_SELECT_SET, from, NULL, count, NULL);
    if (rc >= 0) rc = H5Dwrite(w->set, s->type, memory, file, H5P_DEFAULT, w->rows);
    ql_status st = rc < 0 ? ql_h5_fail(err, QL_EIO, "cannot write %s", s->name) : QL_OK;
    H5Sclose(memory);
    H5Sclose(file);
    return st;
}

ql_status ql_chunks_rows(ql_chunk_writer *w, const void *rows, int64_t n, ql_err *err)
{
    const ql_chunk_spec *s = &w->spec;
    bool last = w->done + n == s->n_rows;

    if (n < 0 || w->done + n > s->n_rows || (!last && n % s->chunk_rows != 0)) {
        return ql_fail(err, QL_EINTERNAL, "%s: a band of %lld rows after %lld of %lld", s->name,
                       (long long)n, (long long)w->done, (long long)s->n_rows);
    }
    w->rows = rows;
    w->n = n;
    ql_status st = w->chunked ? write_chunks(w, err) : write_contiguous(w, err);
    w->done += n;
    return st;
}

static int64_t clamp(int64_t value, int64_t high)
{
    if (value > high) value = high;
    return value < 1 ? 1 : value;
}

int64_t ql_chunks_band(const ql_chunk_writer *w)
{
    int64_t rows = w->spec.chunk_rows * ((BAND_CHUNKS + w->across - 1) / w->across);
    return clamp(rows, w->spec.n_rows);
}

/* Complete the specification: chunks no larger than the array, all products checked. */
static ql_status plan(ql_chunk_writer *w, ql_err *err)
{
    ql_chunk_spec *s = &w->spec;
    int64_t elements = 0, bytes = 0;

    w->elem = H5Tget_size(s->type);
    if (s->threads < 1) s->threads = 1;
    if (s->n_rows < 0 || s->n_cols < 0 || __builtin_mul_overflow(s->n_rows, s->n_cols, &elements) ||
        __builtin_mul_overflow(elements, (int64_t)w->elem, &bytes)) {
        return ql_fail(err, QL_EINTERNAL, "%s: shape %lld x %lld", s->name, (long long)s->n_rows,
                       (long long)s->n_cols);
    }
    if (s->rank == 1) s->chunk_cols = s->n_cols;
    s->chunk_rows = clamp(s->chunk_rows, s->n_rows);
    s->chunk_cols = clamp(s->chunk_cols, s->n_cols);
    w->chunked = s->level > 0 && elements > 0;
    w->across = s->n_cols > 0 ? (s->n_cols + s->chunk_cols - 1) / s->chunk_cols : 1;
    w->chunk_bytes = (size_t)s->chunk_rows * (size_t)s->chunk_cols * w->elem;
    if (w->chunk_bytes <= UINT32_MAX) return QL_OK;
    return ql_fail(err, QL_EINTERNAL, "%s: chunks of %zu bytes", s->name, w->chunk_bytes);
}

static ql_status make_slots(ql_chunk_writer *w, ql_err *err)
{
    const ql_chunk_spec *s = &w->spec;
    int64_t chunks = (s->n_rows + s->chunk_rows - 1) / s->chunk_rows * w->across;

    w->n_slots = (int)clamp(chunks, MAX_SLOTS);
    QL_TRY(QL_NEW(w->slots, w->n_slots, "compression", err));
    for (int i = 0; i < w->n_slots; i++) {
        QL_TRY(QL_NEW(w->slots[i].bytes, (int64_t)w->chunk_bytes, "compression", err));
    }
    return QL_OK;
}

static ql_status make_tools(ql_chunk_writer *w, ql_err *err)
{
    QL_TRY(QL_NEW(w->tools, w->spec.threads, "compression", err));
    for (int i = 0; i < w->spec.threads; i++) {
        chunk_tools *tools = &w->tools[i];
        QL_TRY(QL_NEW(tools->shuffled, (int64_t)w->chunk_bytes, "compression", err));
#ifdef QL_HAVE_LIBDEFLATE
        tools->deflater = libdeflate_alloc_compressor(w->spec.level);
        if (!tools->deflater) return ql_fail(err, QL_EMEMORY, "no memory for compression");
#endif
    }
    return QL_OK;
}

static hid_t creation_properties(const ql_chunk_writer *w)
{
    const ql_chunk_spec *s = &w->spec;
    hsize_t chunk[2] = {(hsize_t)s->chunk_rows, (hsize_t)s->chunk_cols};
    hid_t dcpl = ql_h5out_dcpl();

    if (s->rank == 1) chunk[0] *= chunk[1];
    if (dcpl < 0 || !w->chunked) return dcpl;
    if (H5Pset_alloc_time(dcpl, H5D_ALLOC_TIME_INCR) >= 0 &&
        H5Pset_chunk(dcpl, s->rank, chunk) >= 0 && H5Pset_shuffle(dcpl) >= 0 &&
        H5Pset_deflate(dcpl, (unsigned)s->level) >= 0) {
        return dcpl;
    }
    H5Pclose(dcpl);
    return H5I_INVALID_HID;
}

static ql_status make_dataset(ql_chunk_writer *w, ql_err *err)
{
    const ql_chunk_spec *s = &w->spec;
    hsize_t dims[2] = {(hsize_t)s->n_rows, (hsize_t)s->n_cols};
    if (s->rank == 1) dims[0] *= dims[1];
    hid_t space = H5Screate_simple(s->rank, dims, NULL), dcpl = creation_properties(w);

    if (space >= 0 && dcpl >= 0) {
        w->set = H5Dcreate2(s->parent, s->name, s->type, space, H5P_DEFAULT, dcpl, H5P_DEFAULT);
    }
    ql_status st = w->set < 0 ? ql_h5_fail(err, QL_EIO, "cannot create %s", s->name) : QL_OK;
    if (dcpl >= 0) H5Pclose(dcpl);
    if (space >= 0) H5Sclose(space);
    if (st == QL_OK && s->encode) st = ql_h5out_encode(w->set, "array", "0.2.0", err);
    return st;
}

static void release(ql_chunk_writer *w)
{
    for (int i = 0; w->slots && i < w->n_slots; i++) ql_free(w->slots[i].bytes);
    for (int i = 0; w->tools && i < w->spec.threads; i++) {
        ql_free(w->tools[i].shuffled);
#ifdef QL_HAVE_LIBDEFLATE
        libdeflate_free_compressor(w->tools[i].deflater);
#endif
    }
    ql_free(w->slots);
    ql_free(w->tools);
    ql_free(w);
}

ql_status ql_chunks_open(const ql_chunk_spec *spec, ql_chunk_writer **out, ql_err *err)
{
    ql_chunk_writer *w = NULL;
    ql_status st;

    QL_TRY(QL_NEW(w, 1, "an array writer", err));
    w->spec = *spec;
    w->set = H5I_INVALID_HID;
    QL_GO(plan(w, err));
    if (w->chunked) {
        QL_GO(make_slots(w, err));
        QL_GO(make_tools(w, err));
    }
    QL_GO(make_dataset(w, err));
    *out = w;
out:
    if (st != QL_OK) ql_chunks_abort(w);
    return st;
}

ql_status ql_chunks_close(ql_chunk_writer *w, ql_err *err)
{
    ql_status st = QL_OK;
    if (w->done != w->spec.n_rows) {
        st = ql_fail(err, QL_EINTERNAL, "%s: only %lld of %lld rows were written", w->spec.name,
                     (long long)w->done, (long long)w->spec.n_rows);
    }
    if (H5Dclose(w->set) < 0 && st == QL_OK) {
        st = ql_h5_fail(err, QL_EIO, "cannot write %s", w->spec.name);
    }
    release(w);
    return st;
}

void ql_chunks_abort(ql_chunk_writer *w)
{
    if (!w) return;
    if (w->set >= 0) H5Dclose(w->set);
    release(w);
}

ql_status ql_chunks_write(const ql_chunk_spec *spec, const void *rows, ql_err *err)
{
    ql_chunk_writer *w = NULL;
    QL_TRY(ql_chunks_open(spec, &w, err));
    ql_status st = ql_chunks_rows(w, rows, spec->n_rows, err);
    if (st == QL_OK) return ql_chunks_close(w, err);
    ql_chunks_abort(w);
    return st;
}
