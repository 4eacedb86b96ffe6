#include "quell/graph.h"

#include <math.h>

#include "quell/alloc.h"
#include "quell/fmath.h"

/* ---- scales ---- */

enum { STEPS = 64 };

static const double CLOSE_ENOUGH = 1e-5;
static const double LEAST_SCALE = 1e-3; /* of the mean distance */

static double weight(double distance, double rho, double sigma)
{
    const double beyond = distance - rho;
    return beyond > 0 && sigma > 0 ? ql_exp(-beyond / sigma) : 1;
}

/* The scale at which the weights sum to target, by bisection. */
static double find_scale(const double *d, int k, double rho, double target)
{
    double low = 0, high = INFINITY, mid = 1;
    for (int step = 0; step < STEPS; step++) {
        double sum = 0;
        for (int j = 0; j < k; j++) sum += weight(d[j], rho, mid);
        if (fabs(sum - target) < CLOSE_ENOUGH) break;
        if (sum > target) {
            high = mid;
            mid = (low + high) / 2;
        } else {
            low = mid;
            mid = isinf(high) ? mid * 2 : (low + high) / 2;
        }
    }
    return mid;
}

static double mean_of(const double *x, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i];
    return sum / (double)n;
}

void ql_graph_scales(const ql_knn *knn, double *rho, double *sigma)
{
    const int k = knn->k;
    /* means count the cell itself, at distance 0 */
    const double share = (double)k / (k + 1), target = ql_log(k + 1.0) / ql_log(2);
    const double all = mean_of(knn->distance, knn->n * k) * share;
    for (int64_t i = 0; i < knn->n; i++) {
        const double *d = knn->distance + i * k;
        int j = 0;
        while (j < k && !(d[j] > 0)) j++;
        rho[i] = j < k ? d[j] : 0;
        sigma[i] = find_scale(d, k, rho[i], target);
        const double least = LEAST_SCALE * (rho[i] > 0 ? mean_of(d, k) * share : all);
        if (sigma[i] < least) sigma[i] = least;
    }
}

/* ---- the union ---- */

/* Directed weights as a matrix, in float64: rows in order of columns. */
typedef struct {
    int64_t n, *indptr; /* [n + 1] */
    int32_t *column;
    double *value;
} weights;

static void weights_free(weights *w)
{
    ql_free(w->indptr);
    ql_free(w->column);
    ql_free(w->value);
}

static ql_status weights_new(weights *w, int64_t n, int64_t nnz, ql_err *err)
{
    w->n = n;
    QL_TRY(QL_NEW(w->indptr, n + 1, "a graph", err));
    QL_TRY(QL_NEW(w->column, nnz, "a graph", err));
    return QL_NEW(w->value, nnz, "a graph", err);
}

void ql_graph_insert(int32_t *column, double *value, int64_t n, int32_t c, double v)
{
    for (; n > 0 && column[n - 1] > c; n--) {
        column[n] = column[n - 1];
        value[n] = value[n - 1];
    }
    column[n] = c;
    value[n] = v;
}

static ql_status direct(const ql_knn *knn, weights *w, ql_err *err)
{
    double *rho = NULL, *sigma = NULL;
    ql_status st;
    const int k = knn->k;
    QL_GO(weights_new(w, knn->n, knn->n * k, err));
    QL_GO(QL_NEW(rho, knn->n, "scales of distance", err));
    QL_GO(QL_NEW(sigma, knn->n, "scales of distance", err));
    ql_graph_scales(knn, rho, sigma);
    for (int64_t i = 0; i < knn->n; i++) {
        for (int j = 0; j < k; j++)
            ql_graph_insert(w->column + i * k, w->value + i * k, j, knn->index[i * k + j],
                            weight(knn->distance[i * k + j], rho[i], sigma[i]));
        w->indptr[i + 1] = (i + 1) * k;
    }
out:
    ql_free(rho);
    ql_free(sigma);
    return st;
}

static ql_status transpose(const weights *w, weights *out, ql_err *err)
{
    const int64_t nnz = w->indptr[w->n];
    QL_TRY(weights_new(out, w->n, nnz, err));
    int64_t *at = out->indptr;
    for (int64_t e = 0; e < nnz; e++) at[w->column[e] + 1]++;
    for (int64_t i = 0; i < w->n; i++) at[i + 1] += at[i];
    for (int64_t i = 0; i < w->n; i++)
        for (int64_t e = w->indptr[i]; e < w->indptr[i + 1]; e++) {
            const int64_t to = at[w->column[e]]++;
            out->column[to] = (int32_t)i;
            out->value[to] = w->value[e];
        }
    for (int64_t i = w->n; i > 0; i--) at[i] = at[i - 1];
    at[0] = 0;
    return QL_OK;
}

/* Row i of a and of b, merged into column and value (NULL: counted only). Weights that are 0 in
 * float32 are no edges. */
static int64_t join_row(const weights *a, const weights *b, int64_t i, int32_t *column,
                        float *value)
{
    int64_t p = a->indptr[i], q = b->indptr[i], n = 0;
    const int64_t p_end = a->indptr[i + 1], q_end = b->indptr[i + 1];
    while (p < p_end || q < q_end) {
        const int32_t c =
            q == q_end || (p < p_end && a->column[p] <= b->column[q]) ? a->column[p] : b->column[q];
        const double x = p < p_end && a->column[p] == c ? a->value[p++] : 0;
        const double y = q < q_end && b->column[q] == c ? b->value[q++] : 0;
        const float both = (float)(x + y - x * y);
        if (!(both > 0)) continue;
        if (column) {
            column[n] = c;
            value[n] = both;
        }
        n++;
    }
    return n;
}

static ql_status join(const weights *a, const weights *b, ql_csr *out, ql_err *err)
{
    int64_t nnz = 0;
    for (int64_t i = 0; i < a->n; i++) nnz += join_row(a, b, i, NULL, NULL);
    QL_TRY(ql_csr_alloc(out, a->n, a->n, nnz, err));
    for (int64_t i = 0; i < a->n; i++) {
        const int64_t at = out->indptr[i];
        out->indptr[i + 1] = at + join_row(a, b, i, out->indices + at, out->data + at);
    }
    return QL_OK;
}

ql_status ql_graph_of_knn(const ql_knn *knn, ql_csr *out, ql_err *err)
{
    weights a = {0}, b = {0};
    ql_status st;
    QL_GO(direct(knn, &a, err));
    QL_GO(transpose(&a, &b, err));
    QL_GO(join(&a, &b, out, err));
out:
    weights_free(&a);
    weights_free(&b);
    return st;
}

/* ---- a graph from elsewhere ---- */

static float entry(const ql_csr *m, int64_t i, int32_t column)
{
    const int64_t at = ql_csr_entry_from(m, i, column);
    return at < m->indptr[i + 1] && m->indices[at] == column ? m->data[at] : 0;
}

ql_status ql_graph_check(const ql_csr *m, ql_err *err)
{
    for (int64_t i = 0; i < m->n_rows; i++)
        for (int64_t e = m->indptr[i]; e < m->indptr[i + 1]; e++) {
            const int32_t j = m->indices[e];
            const char *what = NULL;
            if (!isfinite(m->data[e]) || m->data[e] < 0)
                what = "is no weight";
            else if (j == i)
                what = "is on the diagonal";
            else if (fabsf(entry(m, j, (int32_t)i) - m->data[e]) > 1e-5f * m->data[e])
                what = "has another weight in the other direction";
            if (what)
                return ql_fail(err, QL_EDATA, "[%lld, %d] = %g %s", (long long)i, j,
                               (double)m->data[e], what);
        }
    return QL_OK;
}
