#include "mtx_stream.h"

#include <string.h>

#include "../counts/entry_sink.h"
#include "../counts/triplets.h"
#include "../text/wording.h"
#include "quell/alloc.h"
#include "quell/reader.h"

typedef struct {
    ql_band_sink *sink;
    int64_t n_rows, n_cols, nnz;
    ql_entry_runs *runs; /* owned; NULL: entries have come row by row so far */
    ql_triplets held;    /* of rows that are not complete or not sent */
    int64_t sent;        /* rows */
    int64_t band;        /* entries or rows sent at a time */
    int64_t *start;      /* [band + 1] row pointers of a band; owned */
    bool late;           /* not in order after all, and rows have been sent */
} streaming;

/* --- rows in order --- */

/* Rows t->sent to end - 1, whose entries begin at `first`; returns where those of the next row do.
 */
static ql_status send_band(streaming *t, int64_t *first, int64_t end, ql_err *err)
{
    int64_t at = *first;
    for (int64_t i = t->sent; i < end; i++) {
        t->start[i - t->sent] = at - *first;
        while (at < t->held.n && t->held.row[at] == i) at++;
    }
    t->start[end - t->sent] = at - *first;
    ql_csr m = {end - t->sent, t->n_cols, t->start, t->held.col + *first, t->held.value + *first};
    *first = at;
    t->sent = end;
    return ql_sink_add(t->sink, &m, err);
}

/* All rows below `end`. */
static ql_status send_rows(streaming *t, int64_t end, ql_err *err)
{
    int64_t first = 0;
    while (t->sent < end && !t->sink->stop) {
        int64_t band = end - t->sent < t->band ? end : t->sent + t->band;
        QL_TRY(send_band(t, &first, band, err));
    }
    t->held.n -= first;
    if (first == 0) return QL_OK;
    memmove(t->held.row, t->held.row + first, (size_t)t->held.n * sizeof *t->held.row);
    memmove(t->held.col, t->held.col + first, (size_t)t->held.n * sizeof *t->held.col);
    memmove(t->held.value, t->held.value + first, (size_t)t->held.n * sizeof *t->held.value);
    return QL_OK;
}

static bool follows(const streaming *t, const int32_t *row, int64_t n)
{
    int64_t last = t->held.n > 0 ? t->held.row[t->held.n - 1] : t->sent;
    bool ascending = row[0] >= last;
    for (int64_t k = 1; k < n; k++) ascending &= row[k - 1] <= row[k];
    return ascending;
}

/* What no one will look at any more is still parsed, as it would be from memory. */
static ql_status gather(streaming *t, const int32_t *row, const int32_t *col, const float *value,
                        int64_t n, ql_err *err)
{
    if (t->sink->stop) return QL_OK;
    const int64_t need = t->held.n + n;
    if (need > t->held.cap) QL_TRY(ql_triplets_reserve(&t->held, need + need / 4, err));
    memcpy(t->held.row + t->held.n, row, (size_t)n * sizeof *row);
    memcpy(t->held.col + t->held.n, col, (size_t)n * sizeof *col);
    memcpy(t->held.value + t->held.n, value, (size_t)n * sizeof *value);
    t->held.n += n;
    return t->held.n < t->band ? QL_OK : send_rows(t, t->held.row[t->held.n - 1], err);
}

/* --- or not --- */

static ql_status begin_runs(streaming *t, ql_err *err)
{
    QL_TRY(ql_runs_new(t->sink->folder, ql_sort_entries(t->nnz), &t->runs, err));
    QL_TRY(ql_runs_add(t->runs, t->held.row, t->held.col, t->held.value, t->held.n, err));
    ql_triplets_free(&t->held);
    return QL_OK;
}

static ql_status take(void *ctx, const int32_t *row, const int32_t *col, const float *value,
                      int64_t n, ql_err *err)
{
    streaming *t = ctx;
    if (n == 0) return QL_OK;
    if (!t->runs && follows(t, row, n)) return gather(t, row, col, value, n, err);
    t->late = !t->runs && t->sent > 0;
    if (t->late) return ql_fail(err, QL_EINTERNAL, "entries that came row by row do so no longer");
    if (!t->runs) QL_TRY(begin_runs(t, err));
    return ql_runs_add(t->runs, row, col, value, n, err);
}

static ql_status finish(streaming *t, ql_err *err)
{
    if (t->runs) return ql_sink_sorted(t->sink, t->runs, t->n_rows, t->n_cols, err);
    return send_rows(t, t->n_rows, err);
}

/* From the start once more, and sorted from the start. */
static ql_status read_again(streaming *t, const char *path, const ql_mtx_how *how, ql_notes *notes,
                            ql_err *err)
{
    if (err) *err = (ql_err){0};
    ql_triplets_free(&t->held);
    t->sent = 0;
    QL_TRY(begin_runs(t, err));
    return ql_mtx_read_entries(path, how, t->n_rows, t->n_cols, take, t, notes, err);
}

ql_status ql_mtx_stream(const char *path, const ql_mtx_how *how, int64_t n_rows, int64_t n_cols,
                        ql_band_sink *s, ql_notes *notes, ql_err *err)
{
    streaming t = {.sink = s, .n_rows = n_rows, .n_cols = n_cols, .band = ql_band_entries()};
    ql_mtx_header header;
    ql_status st;
    QL_GO(ql_mtx_read_header(path, &header, err));
    t.nnz = ql_mtx_believable(path, &header);
    QL_GO(QL_NEW(t.start, t.band + 1, "row pointers of a band", err));
    QL_GO(ql_sink_begin(s, n_rows, n_cols, err));
    st = ql_mtx_read_entries(path, how, n_rows, n_cols, take, &t, notes, err);
    if (st != QL_OK && t.late) st = read_again(&t, path, how, notes, err);
    if (st == QL_OK) st = finish(&t, err);
    if (st == QL_OK) ql_note_duplicates(s->n_duplicates, notes);
out:
    ql_runs_free(t.runs);
    ql_triplets_free(&t.held);
    ql_free(t.start);
    return st;
}
