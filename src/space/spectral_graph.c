/* Neighbours, pieces and self-tuning weights (Zelnik-Manor and Perona 2004, with a normal kernel as
 * in weighted nearest neighbours, Hechenbichler and Schliep 2004). */
#include "spectral_graph.h"

#include <math.h>
#include <stdlib.h>

#include "correlation.h"
#include "quell/alloc.h"
#include "quell/fmath.h"

enum { PIECE_LEAST = 4 }; /* points of a piece that counts */

ql_status ql_near_lists_make(const double *x, int64_t n, int64_t d, int64_t kept, int threads,
                             ql_knn *out, ql_err *err)
{
    return ql_nearest_directions(x, n, NULL, 0, d, kept < n - 1 ? kept : n - 1, threads, out, err);
}

/* ---- pieces ---- */

static int32_t root_of(int32_t *above, int32_t i)
{
    while (above[i] != i) i = above[i] = above[above[i]];
    return i;
}

/* above, size [n]: scratch. */
static int64_t count_pieces(const ql_knn *l, int64_t neighbours, int32_t *above, int32_t *size)
{
    int64_t pieces = 0;
    for (int32_t i = 0; i < l->n; i++) {
        above[i] = i;
        size[i] = 0;
    }
    for (int32_t i = 0; i < l->n; i++)
        for (int64_t e = 0; e < neighbours; e++) {
            int32_t a = root_of(above, i), b = root_of(above, l->index[i * l->k + e]);
            above[a > b ? a : b] = a > b ? b : a;
        }
    for (int32_t i = 0; i < l->n; i++)
        if (++size[root_of(above, i)] == PIECE_LEAST) pieces++;
    return pieces;
}

ql_status ql_connected_at(const ql_knn *l, int64_t from, int64_t k, int64_t *neighbours,
                          ql_err *err)
{
    int32_t *above, *size;
    QL_TRY(QL_NEW(above, l->n, "pieces of a graph", err));
    ql_status st = QL_NEW(size, l->n, "pieces of a graph", err);
    *neighbours = from < l->k ? from : l->k;
    while (st == QL_OK && *neighbours < l->k) {
        int64_t pieces = count_pieces(l, *neighbours, above, size);
        if (pieces <= 1 || pieces < k - 1) break;
        *neighbours = *neighbours + 2 < l->k ? *neighbours + 2 : l->k;
    }
    ql_free(above);
    ql_free(size);
    return st;
}

/* ---- weights ---- */

/* |x| with P(normal < x) = p, by halving: called once a graph. */
static double normal_quantile_size(double p)
{
    double low = -40, high = 0;
    for (int i = 0; i < 100; i++) {
        double middle = 0.5 * (low + high);
        if (ql_normal_cdf(middle) < p)
            low = middle;
        else
            high = middle;
    }
    return -0.5 * (low + high);
}

typedef struct {
    int32_t from, to;
    double weight;
} edge;

static int by_place(const void *a, const void *b)
{
    const edge *p = a, *q = b;
    if (p->from != q->from) return p->from < q->from ? -1 : 1;
    return p->to < q->to ? -1 : p->to > q->to;
}

/* The density of the normal distribution at scale d^2 / (s_i s_j), s the distance to the last
 * neighbour. Cells on top of each other have distance 0 and full weight. */
static double weight_of(const ql_knn *l, int64_t last, double scale, int64_t i, int64_t e)
{
    const double d = l->distance[i * l->k + e];
    const double reach =
        l->distance[i * l->k + last] * l->distance[l->index[i * l->k + e] * l->k + last];
    double at = d > 0 ? scale * (d * d) / reach : 0;
    return 0.39894228040143268 * ql_exp(-0.5 * fmin(at * at, 1400));
}

/* Both directions of every edge; returns their number after equal ones are merged. */
static int64_t list_edges(const ql_knn *l, int64_t neighbours, edge *list)
{
    const double scale = normal_quantile_size(1 / (2 * ((double)neighbours + 1)));
    int64_t n = 0, kept = 0;
    for (int64_t i = 0; i < l->n; i++)
        for (int64_t e = 0; e < neighbours; e++) {
            int32_t other = l->index[i * l->k + e];
            double w = weight_of(l, neighbours - 1, scale, i, e);
            list[n++] = (edge){(int32_t)i, other, w};
            list[n++] = (edge){other, (int32_t)i, w};
        }
    qsort(list, (size_t)n, sizeof *list, by_place);
    for (int64_t i = 0; i < n; i++)
        if (kept == 0 || by_place(&list[kept - 1], &list[i]) != 0) list[kept++] = list[i];
    return kept;
}

static void fill_matrix(const edge *list, int64_t n_edges, double *degree, ql_sparse *out)
{
    for (int64_t e = 0; e < n_edges; e++) {
        degree[list[e].from] += list[e].weight;
        out->indptr[list[e].from + 1] = e + 1;
    }
    for (int64_t e = 0; e < n_edges; e++) {
        out->index[e] = list[e].to;
        out->value[e] = list[e].weight / sqrt(degree[list[e].from] * degree[list[e].to]);
    }
}

ql_status ql_graph_matrix(const ql_knn *l, int64_t neighbours, ql_sparse *out, ql_err *err)
{
    ql_status st;
    edge *list = NULL;
    double *degree = NULL;
    *out = (ql_sparse){.n = l->n};
    QL_GO(QL_NEW(list, 2 * l->n * neighbours, "edges of a graph", err));
    QL_GO(QL_NEW(degree, l->n, "edges of a graph", err));
    int64_t n_edges = list_edges(l, neighbours, list);
    QL_GO(QL_NEW(out->indptr, l->n + 1, "edges of a graph", err));
    QL_GO(QL_NEW(out->index, n_edges, "edges of a graph", err));
    QL_GO(QL_NEW(out->value, n_edges, "edges of a graph", err));
    fill_matrix(list, n_edges, degree, out);
out:
    ql_free(list);
    ql_free(degree);
    if (st != QL_OK) ql_sparse_free(out);
    return st;
}
