/* Packed rows in a temporary file. */
#include "row_store_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "packed_rows.h"
#include "quell/alloc.h"
#include "quell/order.h"
#include "row_pick.h"
#include "temp_file.h"

enum {
    WRITE_BYTES = 1 << 20,
    PIECE_BYTES = 256 << 10, /* read at a time; one item for a thread */
    GAP_BYTES = 16 << 10,    /* rows that are not wanted but lie between are read, up to this */
    STACK_BYTES = 4096
};

/* Bytes [from, from + n) of the file, at `to` of the buffer. */
typedef struct {
    int64_t from, to, n;
} piece;

/* The rows announced last. */
typedef struct {
    int64_t *row; /* [n], ascending; room for cap */
    int64_t *at;  /* [n] where in the buffer, -1: not there */
    int64_t n, cap;
    piece *pieces;
    int64_t n_pieces, cap_pieces;
    uint8_t *bytes; /* [size] */
    int64_t size;
} near_rows;

struct ql_row_store {
    ql_temp_file file;
    bool grows; /* n_rows is what was added */
    int64_t n_rows, n_cols, nnz, max_row, longest;
    int64_t n_added;
    int64_t *offset; /* [cap_rows + 1] where in the file */
    int64_t cap_rows;
    int32_t *map; /* [n_cols] new number of each column; NULL: as stored */
    bool picks;   /* the map leaves columns out (-1) or changes their order */
    uint8_t *out; /* bytes to be written; gone after ql_store_finish */
    int64_t n_out, cap_out;
    uint32_t *scratch;
    near_rows near;
    _Atomic int failed; /* errno of the first read that failed, -1: damaged bytes */
    _Atomic int64_t failed_row;
};

/* ---- making ---- */

ql_status ql_store_new(const char *folder, int64_t n_rows, int64_t n_cols, ql_row_store **out,
                       ql_err *err)
{
    ql_row_store *s = NULL;
    ql_status st;
    QL_TRY(QL_NEW(s, 1, "the cache", err));
    bool grows = n_rows == QL_ROWS_UNKNOWN;
    if (grows) n_rows = 0;
    *s = (ql_row_store){
        .file.fd = -1, .grows = grows, .n_rows = n_rows, .n_cols = n_cols, .cap_rows = n_rows};
    QL_GO(QL_NEW(s->offset, n_rows + 1, "the cache's row pointers", err));
    QL_GO(ql_temp_open(&s->file, folder, err));
    *out = s;
out:
    if (st != QL_OK) ql_store_free(s);
    return st;
}

void ql_store_free(ql_row_store *s)
{
    if (!s) return;
    ql_temp_close(&s->file);
    void *const owned[] = {s->offset,   s->map,     s->out,         s->scratch,
                           s->near.row, s->near.at, s->near.pieces, s->near.bytes};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) ql_free(owned[i]);
    ql_free(s);
}

int64_t ql_store_bytes(const ql_row_store *s)
{
    return s->offset[s->n_added];
}

int64_t ql_store_held(const ql_row_store *s)
{
    return (s->cap_rows + 1) * (int64_t)sizeof *s->offset + s->near.size +
           s->near.cap * 2 * (int64_t)sizeof(int64_t) +
           s->near.cap_pieces * (int64_t)sizeof(piece) + (s->map ? s->n_cols * 4 : 0);
}

const char *ql_store_folder(const ql_row_store *s)
{
    return s->file.folder;
}

int64_t ql_store_longest(const ql_row_store *s)
{
    return s->longest;
}

ql_store_extent ql_store_extent_of(const ql_row_store *s)
{
    return (ql_store_extent){s->n_rows, s->n_cols, s->nnz, s->max_row};
}

/* ---- writing ---- */

static ql_status flush(ql_row_store *s, ql_err *err)
{
    QL_TRY(ql_temp_write(&s->file, s->out, s->n_out, err));
    s->n_out = 0;
    return QL_OK;
}

static ql_status reserve(ql_row_store *s, int64_t longest, ql_err *err)
{
    int64_t need = WRITE_BYTES + ql_pack_bound(longest);
    if (s->out && longest <= s->max_row) return QL_OK;
    QL_TRY(flush(s, err));
    ql_free(s->out);
    ql_free(s->scratch);
    s->out = NULL;
    s->scratch = NULL;
    QL_TRY(QL_NEW(s->out, need, "writing the cache", err));
    QL_TRY(QL_NEW(s->scratch, longest, "writing the cache", err));
    s->cap_out = need;
    return QL_OK;
}

static ql_status add_row(ql_row_store *s, const ql_csr *m, int64_t i, ql_err *err)
{
    int64_t first = m->indptr[i], n = m->indptr[i + 1] - first;
    int64_t size =
        ql_pack_row(m->indices + first, m->data + first, n, s->scratch, s->out + s->n_out);
    s->n_out += size;
    s->offset[s->n_added + 1] = s->offset[s->n_added] + size;
    s->n_added++;
    s->nnz += n;
    if (n > s->max_row) s->max_row = n;
    if (size > s->longest) s->longest = size;
    return s->n_out < WRITE_BYTES ? QL_OK : flush(s, err);
}

static ql_status make_room(ql_row_store *s, int64_t n, ql_err *err)
{
    s->n_rows = s->n_added + n;
    if (s->n_rows <= s->cap_rows) return QL_OK;
    int64_t cap = s->n_rows + s->n_rows / 2;
    int64_t *offset = ql_realloc(s->offset, cap + 1, sizeof *offset);
    if (!offset) return ql_fail(err, QL_EMEMORY, "no memory for the cache's row pointers");
    s->offset = offset;
    s->cap_rows = cap;
    return QL_OK;
}

ql_status ql_store_add(ql_row_store *s, const ql_csr *band, ql_err *err)
{
    int64_t longest = ql_csr_max_row(band);
    if (s->grows) QL_TRY(make_room(s, band->n_rows, err));
    if (band->n_rows > s->n_rows - s->n_added)
        return ql_fail(err, QL_EINTERNAL, "more rows than announced for the cache");
    QL_TRY(reserve(s, longest > s->max_row ? longest : s->max_row, err));
    for (int64_t i = 0; i < band->n_rows; i++) QL_TRY(add_row(s, band, i, err));
    return QL_OK;
}

static ql_status new_near(ql_row_store *s, int64_t bytes, ql_err *err)
{
    near_rows *w = &s->near;
    int64_t all = ql_store_bytes(s);
    w->size = bytes < all ? bytes : all;
    w->cap_pieces = w->size / (PIECE_BYTES / 2) + 1024;
    QL_TRY(QL_NEW(w->pieces, w->cap_pieces, "reading the cache", err));
    return QL_NEW(w->bytes, w->size, "reading the cache", err);
}

ql_status ql_store_finish(ql_row_store *s, int64_t near_bytes, ql_err *err)
{
    if (s->n_added != s->n_rows)
        return ql_fail(err, QL_EINTERNAL, "fewer rows than announced for the cache");
    QL_TRY(flush(s, err));
    ql_free(s->out);
    ql_free(s->scratch);
    s->out = NULL;
    s->scratch = NULL;
    return new_near(s, near_bytes, err);
}

/* ---- reading ---- */

static void note_failure(ql_row_store *s, int why, int64_t row)
{
    int none = 0;
    if (atomic_compare_exchange_strong(&s->failed, &none, why ? why : EIO))
        atomic_store(&s->failed_row, row);
}

ql_status ql_store_check(const ql_row_store *s, ql_err *err)
{
    int why = atomic_load_explicit(&s->failed, memory_order_relaxed);
    long long row = (long long)atomic_load(&s->failed_row);
    if (why == 0) return QL_OK;
    if (why == ENOMEM)
        return ql_fail(err, QL_EMEMORY, "no memory to read row %lld of the cache", row);
    return ql_fail(err, QL_EIO,
                   "%s: the temporary cache of the counts cannot be read (row %lld): %s",
                   s->file.folder, row, why < 0 ? "its bytes have changed" : strerror(why));
}

static bool read_bytes(ql_row_store *s, int64_t from, int64_t n, uint8_t *bytes, int64_t row)
{
    int why = ql_temp_read(&s->file, from, n, bytes);
    if (why != 0) note_failure(s, why, row);
    return why == 0;
}

ql_status ql_store_renumber(ql_row_store *s, const int32_t *map, ql_err *err)
{
    if (!s->map) {
        QL_TRY(QL_NEW(s->map, s->n_cols, "gene list", err));
        memcpy(s->map, map, (size_t)s->n_cols * sizeof *map);
        return QL_OK;
    }
    for (int64_t g = 0; g < s->n_cols; g++)
        if (s->map[g] >= 0) s->map[g] = map[s->map[g]];
    return QL_OK;
}

ql_status ql_store_pick(ql_row_store *s, const int32_t *map, ql_err *err)
{
    QL_TRY(ql_store_renumber(s, map, err));
    s->picks = true;
    return QL_OK;
}

static int64_t unpack(ql_row_store *s, int64_t row, const uint8_t *bytes, int32_t *gene,
                      float *count)
{
    int64_t n = ql_unpack_row(bytes, s->offset[row + 1] - s->offset[row], s->max_row, s->n_cols,
                              gene, count);
    if (n < 0) {
        note_failure(s, -1, row);
        return 0;
    }
    if (s->picks) return ql_row_pick(s->map, n, gene, count);
    for (int64_t k = 0; s->map && k < n; k++) gene[k] = s->map[gene[k]];
    return n;
}

int64_t ql_store_unpack(ql_row_store *s, int64_t first, int64_t row, const uint8_t *bytes,
                        int32_t *gene, float *count)
{
    return unpack(s, row, bytes + (s->offset[row] - s->offset[first]), gene, count);
}

int64_t ql_store_read(ql_row_store *s, int64_t row, uint8_t *bytes, int64_t cap)
{
    int64_t end = row + 1;
    while (end < s->n_rows && s->offset[end + 1] - s->offset[row] <= cap) end++;
    return read_bytes(s, s->offset[row], s->offset[end] - s->offset[row], bytes, row) ? end : row;
}

/* Position of row among those announced, or -1. */
static int64_t find_near(const near_rows *w, int64_t row)
{
    const int64_t at = ql_first_from(w->row, w->n, row);
    return at < w->n && w->row[at] == row ? at : -1;
}

static int64_t get_alone(ql_row_store *s, int64_t row, int32_t *gene, float *count)
{
    uint8_t stack[STACK_BYTES], *bytes = stack;
    int64_t size = s->offset[row + 1] - s->offset[row], n = 0;
    if (size > STACK_BYTES) bytes = ql_alloc(size, 1);
    if (!bytes) {
        note_failure(s, ENOMEM, row);
        return 0;
    }
    if (read_bytes(s, s->offset[row], size, bytes, row)) n = unpack(s, row, bytes, gene, count);
    if (bytes != stack) ql_free(bytes);
    return n;
}

int64_t ql_store_get(ql_row_store *s, int64_t row, int32_t *gene, float *count)
{
    const near_rows *w = &s->near;
    int64_t at = find_near(w, row);
    if (at < 0 || w->at[at] < 0) return get_alone(s, row, gene, count);
    return unpack(s, row, w->bytes + w->at[at], gene, count);
}

/* ---- rows wanted soon ---- */

/* Room for n rows; without it rows are read one by one. */
static bool grow_near(near_rows *w, int64_t n)
{
    if (n <= w->cap) return true;
    int64_t *row = ql_realloc(w->row, n, sizeof *row);
    if (row) w->row = row;
    int64_t *at = row ? ql_realloc(w->at, n, sizeof *at) : NULL;
    if (at) w->at = at;
    if (at) w->cap = n;
    return at != NULL;
}

static void sort_near(near_rows *w, const int64_t *order, int64_t n)
{
    memcpy(w->row, order, (size_t)n * sizeof *order);
    qsort(w->row, (size_t)n, sizeof *w->row, ql_by_int64);
    w->n = n;
}

/* Cut the sorted rows into pieces of neighbours, as many as the buffer holds. */
static void cut_pieces(ql_row_store *s)
{
    near_rows *w = &s->near;
    piece *p = NULL;
    int64_t used = 0;
    w->n_pieces = 0;
    for (int64_t i = 0; i < w->n; i++) {
        int64_t from = s->offset[w->row[i]], end = s->offset[w->row[i] + 1];
        int64_t gap = p ? from - (p->from + p->n) : 0;
        bool joins = p && gap <= GAP_BYTES && p->n + gap < PIECE_BYTES;
        int64_t more = end - from + (joins ? gap : 0);
        w->at[i] = -1;
        if (used + more > w->size || (!joins && w->n_pieces == w->cap_pieces)) continue;
        if (!joins) {
            p = &w->pieces[w->n_pieces++];
            *p = (piece){from, used, 0};
        }
        p->n += more;
        used += more;
        w->at[i] = p->to + (from - p->from);
    }
}

static void advise(const ql_row_store *s)
{
#ifdef POSIX_FADV_WILLNEED
    const near_rows *w = &s->near;
    for (int64_t i = 0; i < w->n_pieces; i++)
        (void)posix_fadvise(s->file.fd, (off_t)w->pieces[i].from, (off_t)w->pieces[i].n,
                            POSIX_FADV_WILLNEED);
#else
    (void)s;
#endif
}

int64_t ql_store_want(ql_row_store *s, const int64_t *order, int64_t n, int64_t n_after)
{
    near_rows *w = &s->near;
    w->n = w->n_pieces = 0;
    if (w->size == 0 || !grow_near(w, n > n_after ? n : n_after)) return 0;
    if (n_after > 0) {
        sort_near(w, order + n, n_after);
        cut_pieces(s);
        advise(s);
    }
    sort_near(w, order, n);
    cut_pieces(s);
    return w->n_pieces;
}

void ql_store_load(ql_row_store *s, int64_t item)
{
    const near_rows *w = &s->near;
    const piece *p = &w->pieces[item];
    read_bytes(s, p->from, p->n, w->bytes + p->to, -1);
}
