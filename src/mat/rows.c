#include "quell/rows.h"

#include <stdlib.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/order.h"
#include "row_pick.h"
#include "row_store_internal.h"

enum { BUFFER = 256 << 10 };

ql_rows ql_rows_of_csr(const ql_csr *m)
{
    return (ql_rows){.n_rows = m->n_rows,
                     .n_cols = m->n_cols,
                     .nnz = ql_csr_nnz(m),
                     .max_row = ql_csr_max_row(m),
                     .csr = (ql_csr *)(uintptr_t)m};
}

ql_rows ql_rows_of_store(ql_row_store *s)
{
    const ql_store_extent e = ql_store_extent_of(s);
    return (ql_rows){
        .n_rows = e.n_rows, .n_cols = e.n_cols, .nnz = e.nnz, .max_row = e.max_row, .store = s};
}

ql_status ql_rows_list(int64_t n, int64_t **rows, ql_err *err)
{
    QL_TRY(QL_NEW(*rows, n, "cell list", err));
    for (int64_t i = 0; i < n; i++) (*rows)[i] = i;
    return QL_OK;
}

void ql_rows_sort(int64_t *rows, int64_t n)
{
    qsort(rows, (size_t)n, sizeof *rows, ql_by_int64);
}

ql_status ql_rows_renumber(ql_rows *rows, const int32_t *map, int64_t n_cols, ql_err *err)
{
    ql_csr *m = rows->csr;
    if (rows->store) QL_TRY(ql_store_renumber(rows->store, map, err));
    for (int64_t k = 0; m && k < rows->nnz; k++) m->indices[k] = map[m->indices[k]];
    if (m) m->n_cols = n_cols;
    rows->n_cols = n_cols;
    return QL_OK;
}

static void pick_csr(ql_csr *m, const int32_t *map)
{
    int64_t first = 0, kept = 0;
    for (int64_t i = 0; i < m->n_rows; i++) {
        int64_t n = m->indptr[i + 1] - first;
        memmove(m->indices + kept, m->indices + first, (size_t)n * sizeof *m->indices);
        memmove(m->data + kept, m->data + first, (size_t)n * sizeof *m->data);
        first = m->indptr[i + 1];
        kept += ql_row_pick(map, n, m->indices + kept, m->data + kept);
        m->indptr[i + 1] = kept;
    }
}

ql_status ql_rows_pick(ql_rows *rows, const int32_t *map, int64_t n_cols, ql_err *err)
{
    if (rows->store) QL_TRY(ql_store_pick(rows->store, map, err));
    if (rows->csr) {
        pick_csr(rows->csr, map);
        rows->csr->n_cols = n_cols;
    }
    rows->n_cols = n_cols;
    return QL_OK;
}

int64_t ql_rows_get(const ql_rows *rows, int64_t row, int32_t *gene, float *count)
{
    const ql_csr *m = rows->csr;
    if (!m) return ql_store_get(rows->store, row, gene, count);
    int64_t first = m->indptr[row], n = m->indptr[row + 1] - first;
    memcpy(gene, m->indices + first, (size_t)n * sizeof *gene);
    memcpy(count, m->data + first, (size_t)n * sizeof *count);
    return n;
}

ql_status ql_rows_check(const ql_rows *rows, ql_err *err)
{
    return rows->store ? ql_store_check(rows->store, err) : QL_OK;
}

int64_t ql_rows_want(const ql_rows *rows, const int64_t *order, int64_t n, int64_t n_after)
{
    return rows->store ? ql_store_want(rows->store, order, n, n_after) : 0;
}

void ql_rows_load(const ql_rows *rows, int64_t piece)
{
    ql_store_load(rows->store, piece);
}

/* ---- cursors ---- */

int64_t ql_cursor_bytes(int64_t max_row)
{
    return BUFFER + 16 * max_row;
}

ql_status ql_cursor_open(ql_row_cursor *c, const ql_rows *rows, ql_err *err)
{
    ql_status st;
    *c = (ql_row_cursor){.rows = rows};
    if (rows->csr) return QL_OK;
    c->cap = ql_store_longest(rows->store);
    if (c->cap < BUFFER) c->cap = BUFFER;
    QL_GO(QL_NEW(c->bytes, c->cap, "reading the cache", err));
    QL_GO(QL_NEW(c->gene, rows->max_row, "a row of counts", err));
    QL_GO(QL_NEW(c->count, rows->max_row, "a row of counts", err));
out:
    if (st != QL_OK) ql_cursor_close(c);
    return st;
}

void ql_cursor_close(ql_row_cursor *c)
{
    ql_free(c->bytes);
    ql_free(c->gene);
    ql_free(c->count);
    *c = (ql_row_cursor){0};
}

ql_row_view ql_cursor_row(ql_row_cursor *c, int64_t row)
{
    const ql_csr *m = c->rows->csr;
    if (m) {
        int64_t first = m->indptr[row];
        return (ql_row_view){m->indptr[row + 1] - first, m->indices + first, m->data + first};
    }
    if (row < c->first || row >= c->end) {
        /* read ahead only where rows are taken one after the other */
        int64_t most = row == c->end ? c->cap : 0;
        c->first = row;
        c->end = ql_store_read(c->rows->store, row, c->bytes, most);
    }
    int64_t n = row < c->end
                    ? ql_store_unpack(c->rows->store, c->first, row, c->bytes, c->gene, c->count)
                    : 0;
    return (ql_row_view){n, c->gene, c->count};
}
