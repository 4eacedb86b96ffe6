#include "distinct.h"

#include <stdbool.h>
#include <stdlib.h>

#include "quell/alloc.h"

typedef struct {
    const double *row;
    int64_t d, at;
} keyed_row;

static int by_row(const void *a, const void *b)
{
    const keyed_row *p = a, *q = b;
    for (int64_t i = 0; i < p->d; i++)
        if (p->row[i] != q->row[i]) return p->row[i] < q->row[i] ? -1 : 1;
    return p->at < q->at ? -1 : p->at > q->at;
}

static bool equal(const keyed_row *p, const keyed_row *q)
{
    for (int64_t i = 0; i < p->d; i++)
        if (p->row[i] != q->row[i]) return false;
    return true;
}

ql_status ql_distinct_rows(const double *x, int64_t n, int64_t d, int64_t *first,
                           int64_t *n_distinct, int64_t *kind, ql_err *err)
{
    keyed_row *rows;
    int64_t *leader; /* [n]: the first point equal to this one */
    *n_distinct = 0;
    QL_TRY(QL_NEW(rows, n, "the distinct cells", err));
    ql_status st = QL_NEW(leader, n, "the distinct cells", err);
    if (st == QL_OK) {
        for (int64_t i = 0; i < n; i++) rows[i] = (keyed_row){x + i * d, d, i};
        qsort(rows, (size_t)n, sizeof *rows, by_row);
        for (int64_t i = 0; i < n; i++)
            leader[rows[i].at] =
                i > 0 && equal(&rows[i], &rows[i - 1]) ? leader[rows[i - 1].at] : rows[i].at;
        for (int64_t i = 0; i < n; i++) {
            if (leader[i] == i) {
                if (kind) kind[i] = *n_distinct;
                first[(*n_distinct)++] = i;
            } else if (kind) {
                kind[i] = kind[leader[i]];
            }
        }
        ql_free(leader);
    }
    ql_free(rows);
    return st;
}
