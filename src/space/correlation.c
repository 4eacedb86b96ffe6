#include "correlation.h"

#include <math.h>
#include <string.h>

#include "quell/alloc.h"

enum {
    BLOCK = 32,
    TILE = 512
}; /* points of a that a thread takes; points of b looked at at once */

ql_status ql_directions_make(const double *x, int64_t n, int64_t d, ql_directions *out, ql_err *err)
{
    *out = (ql_directions){.n = n, .d = d};
    QL_TRY(QL_NEW(out->turned, n * d, "directions of the cells", err));
    for (int64_t i = 0; i < n; i++) {
        double mean = 0, square = 0;
        for (int64_t j = 0; j < d; j++) mean += x[i * d + j];
        mean /= (double)d;
        for (int64_t j = 0; j < d; j++) square += (x[i * d + j] - mean) * (x[i * d + j] - mean);
        double scale = square > 0 ? 1 / sqrt(square) : 0;
        for (int64_t j = 0; j < d; j++) out->turned[j * n + i] = (x[i * d + j] - mean) * scale;
    }
    return QL_OK;
}

void ql_directions_free(ql_directions *v)
{
    ql_free(v->turned);
    *v = (ql_directions){0};
}

void ql_directions_distance(const ql_directions *a, int64_t i, const ql_directions *b, int64_t from,
                            int64_t to, double *out)
{
    const int64_t n = to - from;
    memset(out, 0, (size_t)n * sizeof *out);
    for (int64_t k = 0; k < a->d; k++) {
        const double value = a->turned[k * a->n + i], *other = b->turned + k * b->n + from;
        for (int64_t j = 0; j < n; j++) out[j] += value * other[j];
    }
    for (int64_t j = 0; j < n; j++) {
        double distance = 1 - out[j];
        out[j] = distance < 0 ? 0 : distance;
    }
}

static ql_status narrow(const double *x, int64_t n, float **out, ql_err *err)
{
    QL_TRY(QL_NEW(*out, n, "neighbours", err));
    for (int64_t i = 0; i < n; i++) (*out)[i] = (float)x[i];
    return QL_OK;
}

ql_status ql_nearest_directions(const double *points, int64_t n, const double *queries,
                                int64_t n_queries, int64_t d, int64_t k, int threads, ql_knn *out,
                                ql_err *err)
{
    float *p = NULL, *q = NULL;
    ql_knn_options opt = {.metric = ql_metric_find("correlation"), .k = (int)k, .threads = threads};
    ql_status st;
    *out = (ql_knn){0};
    QL_GO(ql_kern_select(&opt.kern, err));
    QL_GO(narrow(points, n * d, &p, err));
    if (queries) {
        QL_GO(narrow(queries, n_queries * d, &q, err));
        QL_GO(ql_knn_queries(p, n, q, n_queries, d, &opt, out, err));
    } else {
        QL_GO(ql_knn_points(p, n, d, &opt, out, err));
    }
out:
    ql_free(p);
    ql_free(q);
    return st;
}
