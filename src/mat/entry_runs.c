/* An external sort by row; see the header. */
#include "quell/entry_runs.h"

#include <string.h>

#include "quell/alloc.h"
#include "quell/interrupt.h"
#include "run_code.h"
#include "temp_file.h"

enum {
    DIGIT_BITS = 11,
    N_DIGITS = 1 << DIGIT_BITS,
    WRITE_BYTES = 1 << 20,
    READ_BYTES = 32 << 20, /* buffers of all runs together, as long as each has */
    READ_LEAST = 4 << 10,
    READ_MOST = 1 << 20
};

/* Bytes [from, from + bytes) of the file. */
typedef struct {
    int64_t from, bytes, entries;
} run;

struct ql_entry_runs {
    const char *folder;
    ql_temp_file file;
    int64_t file_bytes;
    ql_entry *now, *spare; /* [cap] the run being gathered, and as much to sort with; owned */
    int64_t n, cap;
    run *runs; /* [n_runs] in the file; owned */
    int64_t n_runs, cap_runs;
    int64_t *count; /* [cap_rows] entries of each row; owned */
    int64_t n_rows; /* one more than the largest row so far */
    int64_t cap_rows;
    uint8_t *out; /* [WRITE_BYTES + QL_ENTRY_BYTES]; owned */
    int64_t added;
};

ql_status ql_runs_new(const char *folder, int64_t run_entries, ql_entry_runs **out, ql_err *err)
{
    ql_entry_runs *r = NULL;
    ql_status st;
    QL_TRY(QL_NEW(r, 1, "sorting entries", err));
    *r = (ql_entry_runs){.folder = folder, .file.fd = -1, .cap = run_entries > 1 ? run_entries : 1};
    QL_GO(QL_NEW(r->now, r->cap, "sorting entries", err));
    QL_GO(QL_NEW(r->spare, r->cap, "sorting entries", err));
    *out = r;
out:
    if (st != QL_OK) ql_runs_free(r);
    return st;
}

void ql_runs_free(ql_entry_runs *r)
{
    if (!r) return;
    ql_temp_close(&r->file);
    void *const owned[] = {r->now, r->spare, r->runs, r->count, r->out};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) ql_free(owned[i]);
    ql_free(r);
}

int64_t ql_runs_bytes(const ql_entry_runs *r)
{
    return r->file_bytes;
}

/* ---- a run ---- */

static bool is_sorted(const ql_entry *e, int64_t n)
{
    bool sorted = true;
    for (int64_t k = 1; k < n; k++) sorted &= e[k - 1].row <= e[k].row;
    return sorted;
}

static void radix_pass(const ql_entry *from, ql_entry *to, int64_t n, int shift)
{
    int64_t start[N_DIGITS] = {0}, sum = 0;
    for (int64_t k = 0; k < n; k++) start[(from[k].row >> shift) & (N_DIGITS - 1)]++;
    for (int d = 0; d < N_DIGITS; d++) {
        int64_t count = start[d];
        start[d] = sum;
        sum += count;
    }
    for (int64_t k = 0; k < n; k++) to[start[(from[k].row >> shift) & (N_DIGITS - 1)]++] = from[k];
}

static void sort_now(ql_entry_runs *r)
{
    if (is_sorted(r->now, r->n)) return;
    for (int shift = 0; shift < 31 && (r->n_rows - 1) >> shift > 0; shift += DIGIT_BITS) {
        radix_pass(r->now, r->spare, r->n, shift);
        ql_entry *swap = r->now;
        r->now = r->spare;
        r->spare = swap;
    }
}

static ql_status grow_runs(ql_entry_runs *r, ql_err *err)
{
    if (r->n_runs < r->cap_runs) return QL_OK;
    int64_t cap = r->cap_runs ? 2 * r->cap_runs : 64;
    run *grown = ql_realloc(r->runs, cap, sizeof *grown);
    if (!grown) return ql_fail(err, QL_EMEMORY, "no memory to sort entries");
    r->runs = grown;
    r->cap_runs = cap;
    return QL_OK;
}

static ql_status write_entries(ql_entry_runs *r, run *to, ql_err *err)
{
    ql_entry before = {0, 0, 0};
    int64_t n = 0;
    for (int64_t k = 0; k < r->n; k++) {
        n += ql_entry_put(&before, &r->now[k], r->out + n);
        before = r->now[k];
        if (n < WRITE_BYTES && k + 1 < r->n) continue;
        QL_TRY(ql_temp_write(&r->file, r->out, n, err));
        to->bytes += n;
        n = 0;
    }
    return QL_OK;
}

/* The run at hand goes to the file. */
static ql_status end_run(ql_entry_runs *r, ql_err *err)
{
    if (r->file.fd < 0) QL_TRY(ql_temp_open(&r->file, r->folder, err));
    if (!r->out) QL_TRY(QL_NEW(r->out, WRITE_BYTES + QL_ENTRY_BYTES, "sorting entries", err));
    QL_TRY(grow_runs(r, err));
    sort_now(r);
    run *to = &r->runs[r->n_runs];
    *to = (run){.from = r->file_bytes, .entries = r->n};
    QL_TRY(write_entries(r, to, err));
    r->file_bytes += to->bytes;
    r->n_runs++;
    r->n = 0;
    return QL_OK;
}

/* ---- adding ---- */

static ql_status grow_rows(ql_entry_runs *r, int32_t row, ql_err *err)
{
    if (row < r->cap_rows) return QL_OK;
    int64_t cap = row + row / 2 + 1024;
    int64_t *count = ql_realloc(r->count, cap, sizeof *count);
    if (!count) return ql_fail(err, QL_EMEMORY, "no memory for %lld rows", (long long)cap);
    r->count = count;
    r->cap_rows = cap;
    return QL_OK;
}

static ql_status count_rows(ql_entry_runs *r, const int32_t *row, int64_t n, ql_err *err)
{
    int32_t last = -1;
    for (int64_t k = 0; k < n; k++) last = row[k] > last ? row[k] : last;
    QL_TRY(grow_rows(r, last, err));
    if (last >= r->n_rows) r->n_rows = (int64_t)last + 1;
    for (int64_t k = 0; k < n; k++) r->count[row[k]]++;
    return QL_OK;
}

ql_status ql_runs_add(ql_entry_runs *r, const int32_t *row, const int32_t *col, const float *value,
                      int64_t n, ql_err *err)
{
    QL_TRY(count_rows(r, row, n, err));
    r->added += n;
    for (int64_t k = 0; k < n; k++) {
        if (r->n == r->cap) QL_TRY(end_run(r, err));
        r->now[r->n++] = (ql_entry){row[k], col[k], value[k]};
    }
    return QL_OK;
}

/* ---- merging ---- */

/* Reads a run from its start to its end. The last run was never written: it has no bytes left and
 * is in memory. */
typedef struct {
    const ql_entry *list; /* in memory: the next one; else NULL */
    int64_t left;         /* entries, the one at hand included */
    ql_entry at;          /* the one at hand, if left > 0 */
    int64_t from, bytes;  /* of the file, not read yet */
    uint8_t *buf;         /* [cap]; borrowed */
    int64_t cap, pos, len;
} cursor;

typedef struct {
    ql_entry_runs *r;
    int64_t n_rows, n_cols;
    cursor *cursors; /* [n_runs + 1]; owned */
    uint8_t *bytes;  /* the cursors' buffers; owned */
    ql_csr m;        /* the band; owned */
    int64_t *to;     /* [rows of the band] where the next entry of each goes; owned */
} merge;

static ql_status fail_changed(const merge *g, ql_err *err)
{
    return ql_fail(err, QL_EIO,
                   "%s: the temporary cache of the counts cannot be read: its bytes have changed",
                   g->r->folder);
}

static ql_status refill(const merge *g, cursor *c, ql_err *err)
{
    int64_t kept = c->len - c->pos;
    memmove(c->buf, c->buf + c->pos, (size_t)kept);
    int64_t n = c->cap - kept < c->bytes ? c->cap - kept : c->bytes;
    int why = ql_temp_read(&g->r->file, c->from, n, c->buf + kept);
    if (why != 0)
        return ql_fail(err, QL_EIO, "%s: the temporary cache of the counts cannot be read: %s",
                       g->r->folder, strerror(why));
    c->from += n;
    c->bytes -= n;
    c->pos = 0;
    c->len = kept + n;
    return QL_OK;
}

/* The entry at hand becomes the next one of the run, of which some are left. */
static ql_status load(const merge *g, cursor *c, ql_err *err)
{
    if (c->list) {
        c->at = *c->list++;
    } else {
        if (c->len - c->pos < QL_ENTRY_BYTES && c->bytes > 0) QL_TRY(refill(g, c, err));
        int64_t used = ql_entry_get(c->buf + c->pos, c->len - c->pos, &c->at);
        if (used == 0) return fail_changed(g, err);
        c->pos += used;
    }
    if ((uint64_t)c->at.row >= (uint64_t)g->n_rows || (uint64_t)c->at.col >= (uint64_t)g->n_cols)
        return fail_changed(g, err);
    return QL_OK;
}

/* The run's entries of rows below `end`, into the band that begins with row `first`. */
static ql_status take_run(merge *g, cursor *c, int64_t first, int64_t end, ql_err *err)
{
    while (c->left > 0 && c->at.row < end) {
        int64_t i = c->at.row - first;
        if (i < 0 || g->to[i] == g->m.indptr[i + 1]) return fail_changed(g, err);
        g->m.indices[g->to[i]] = c->at.col;
        g->m.data[g->to[i]++] = c->at.value;
        if (--c->left > 0) QL_TRY(load(g, c, err));
    }
    return QL_OK;
}

static int64_t count_of(const ql_entry_runs *r, int64_t row)
{
    return row < r->n_rows ? r->count[row] : 0;
}

static int64_t band_end(const merge *g, int64_t row, int64_t band_entries)
{
    int64_t n = count_of(g->r, row), end = row + 1;
    for (; end < g->n_rows && end - row < band_entries; end++) {
        n += count_of(g->r, end);
        if (n > band_entries) break;
    }
    return end;
}

static ql_status fill_band(merge *g, int64_t first, int64_t end, ql_err *err)
{
    g->m.n_rows = end - first;
    g->m.n_cols = g->n_cols; /* taking may have changed it */
    g->m.indptr[0] = 0;
    for (int64_t i = first; i < end; i++) {
        g->to[i - first] = g->m.indptr[i - first];
        g->m.indptr[i - first + 1] = g->m.indptr[i - first] + count_of(g->r, i);
    }
    for (int64_t k = 0; k <= g->r->n_runs; k++)
        QL_TRY(take_run(g, &g->cursors[k], first, end, err));
    for (int64_t i = 0; i < end - first; i++)
        if (g->to[i] != g->m.indptr[i + 1]) return fail_changed(g, err);
    return QL_OK;
}

static int64_t buffer_bytes(int64_t n_runs)
{
    int64_t each = n_runs > 0 ? READ_BYTES / n_runs : 0;
    if (each < READ_LEAST) each = READ_LEAST;
    return each < READ_MOST ? each : READ_MOST;
}

static ql_status open_cursors(merge *g, ql_err *err)
{
    ql_entry_runs *r = g->r;
    int64_t cap = buffer_bytes(r->n_runs);
    sort_now(r);
    ql_free(r->spare);
    ql_free(r->out);
    r->spare = NULL;
    r->out = NULL;
    QL_TRY(QL_NEW(g->cursors, r->n_runs + 1, "sorting entries", err));
    QL_TRY(QL_NEW(g->bytes, r->n_runs * cap, "sorting entries", err));
    for (int64_t k = 0; k < r->n_runs; k++)
        g->cursors[k] = (cursor){.left = r->runs[k].entries,
                                 .from = r->runs[k].from,
                                 .bytes = r->runs[k].bytes,
                                 .buf = g->bytes + k * cap,
                                 .cap = cap};
    g->cursors[r->n_runs] = (cursor){.list = r->now, .left = r->n};
    for (int64_t k = 0; k <= r->n_runs; k++)
        if (g->cursors[k].left > 0) QL_TRY(load(g, &g->cursors[k], err));
    return QL_OK;
}

static ql_status new_band(merge *g, int64_t band_entries, ql_err *err)
{
    int64_t most = g->r->added < band_entries ? g->r->added : band_entries;
    int64_t rows = g->n_rows < band_entries ? g->n_rows : band_entries;
    for (int64_t i = 0; i < g->r->n_rows; i++)
        if (g->r->count[i] > most) most = g->r->count[i];
    QL_TRY(QL_NEW(g->to, rows, "sorting entries", err));
    return ql_csr_alloc(&g->m, rows, g->n_cols, most, err);
}

static ql_status merge_bands(merge *g, int64_t band_entries, ql_rows_taker *take, void *ctx,
                             ql_err *err)
{
    bool stop = false;
    for (int64_t row = 0, end; row < g->n_rows && !stop; row = end) {
        end = band_end(g, row, band_entries);
        QL_TRY(ql_interrupt_check(err));
        QL_TRY(fill_band(g, row, end, err));
        QL_TRY(take(ctx, &g->m, &stop, err));
    }
    return QL_OK;
}

ql_status ql_runs_merge(ql_entry_runs *r, int64_t n_rows, int64_t n_cols, int64_t band_entries,
                        ql_rows_taker *take, void *ctx, ql_err *err)
{
    merge g = {.r = r, .n_rows = n_rows, .n_cols = n_cols};
    ql_status st;
    if (r->n_rows > n_rows) return ql_fail(err, QL_EINTERNAL, "more rows than announced to merge");
    QL_GO(open_cursors(&g, err));
    QL_GO(new_band(&g, band_entries, err));
    QL_GO(merge_bands(&g, band_entries, take, ctx, err));
out:
    ql_csr_free(&g.m);
    ql_free(g.to);
    ql_free(g.bytes);
    ql_free(g.cursors);
    return st;
}

int64_t ql_runs_held(int64_t run_entries, int64_t band_entries, int64_t nnz, int64_t n_rows,
                     int64_t max_row)
{
    int64_t n_runs = nnz / run_entries;
    int64_t buffers = n_runs * (buffer_bytes(n_runs) + (int64_t)(sizeof(cursor) + 2 * sizeof(run)));
    int64_t band = (band_entries > max_row ? band_entries : max_row) * 8 + band_entries * 16;
    int64_t gather = run_entries * (int64_t)sizeof(ql_entry);
    int64_t sorting = gather + WRITE_BYTES, merging = buffers + band;
    return gather + (sorting > merging ? sorting : merging) + n_rows * 8;
}
