#include "shared_graph.h"

#include <stdlib.h>

#include "quell/alloc.h"
#include "quell/order.h"

/* Both directions of every pair of neighbours, in rows. */
typedef struct {
    int64_t n, *start; /* [n + 1] */
    int32_t *column;   /* neighbours, and those whose neighbour the row is; ascending */
    int64_t *seen;     /* [n]: 1 + the row whose neighbours are marked */
} pairs;

static void pairs_free(pairs *p)
{
    ql_free(p->start);
    ql_free(p->column);
    ql_free(p->seen);
}

static ql_status pairs_make(const ql_knn *l, pairs *p, ql_err *err)
{
    const int64_t n = p->n = l->n, k = l->k;
    QL_TRY(QL_NEW(p->start, n + 1, "a graph", err));
    QL_TRY(QL_NEW(p->column, 2 * n * k, "a graph", err));
    QL_TRY(QL_NEW(p->seen, n, "a graph", err));
    for (int64_t e = 0; e < n * k; e++) p->start[l->index[e] + 1]++;
    for (int64_t i = 0; i < n; i++) p->start[i + 1] += p->start[i] + k;
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < k; c++) {
            const int32_t j = l->index[i * k + c];
            p->column[p->start[i]++] = j;
            p->column[p->start[j]++] = (int32_t)i;
        }
    for (int64_t i = n; i > 0; i--) p->start[i] = p->start[i - 1];
    p->start[0] = 0;
    for (int64_t i = 0; i < n; i++)
        qsort(p->column + p->start[i], (size_t)(p->start[i + 1] - p->start[i]), sizeof *p->column,
              ql_by_int32);
    return QL_OK;
}

/* Neighbours of j among those of the row that is marked. */
static int64_t n_shared(const ql_knn *l, const pairs *p, int64_t row, int64_t j)
{
    int64_t u = 0;
    for (int64_t c = 0; c < l->k; c++) u += p->seen[l->index[j * l->k + c]] == row + 1;
    return u;
}

/* Row i into column and weight (NULL: counted only). A pair that occurs twice is mutual. */
static int64_t make_row(const ql_knn *l, pairs *p, int64_t i, int32_t *column, float *weight)
{
    int64_t n = 0;
    for (int64_t c = 0; c < l->k; c++) p->seen[l->index[i * l->k + c]] = i + 1;
    for (int64_t at = p->start[i]; at < p->start[i + 1]; at++) {
        const int32_t j = p->column[at];
        const bool mutual = at + 1 < p->start[i + 1] && p->column[at + 1] == j;
        const int64_t u = n_shared(l, p, i, j);
        at += mutual;
        if (u == 0) continue;
        if (column) {
            column[n] = j;
            weight[n] = (float)((mutual ? 1 : 0.5) * (double)u / (double)(2 * l->k - u));
        }
        n++;
    }
    return n;
}

ql_status ql_graph_of_shared(const ql_knn *knn, ql_csr *out, ql_err *err)
{
    pairs p = {0};
    int64_t nnz = 0;
    ql_status st;
    QL_GO(pairs_make(knn, &p, err));
    for (int64_t i = 0; i < p.n; i++) nnz += make_row(knn, &p, i, NULL, NULL);
    QL_GO(ql_csr_alloc(out, p.n, p.n, nnz, err));
    for (int64_t i = 0; i < p.n; i++) {
        const int64_t at = out->indptr[i];
        out->indptr[i + 1] = at + make_row(knn, &p, i, out->indices + at, out->data + at);
    }
out:
    pairs_free(&p);
    return st;
}
