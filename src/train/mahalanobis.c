#include "mahalanobis.h"

#include <math.h>

#include "quell/alloc.h"
#include "quell/cholesky.h"

#define RIDGE     1e-6  /* of the mean variance */
#define LEAST_VAR 1e-30 /* where nothing varies at all */

static void find_mean(ql_gauss *g, const float *x, const int64_t *rows, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t u = 0; u < g->width; u++) g->mean[u] += (double)x[rows[i] * g->width + u];
    for (int64_t u = 0; u < g->width; u++) g->mean[u] /= (double)n;
}

/* The lower triangle. */
static void find_covariance(ql_gauss *g, const float *x, const int64_t *rows, int64_t n)
{
    const int64_t w = g->width;
    double trace = 0;
    for (int64_t i = 0; i < n; i++) {
        for (int64_t u = 0; u < w; u++) g->work[u] = (double)x[rows[i] * w + u] - g->mean[u];
        for (int64_t u = 0; u < w; u++)
            for (int64_t v = 0; v <= u; v++) g->factor[u * w + v] += g->work[u] * g->work[v];
    }
    for (int64_t k = 0; k < w * w; k++) g->factor[k] /= (double)n;
    for (int64_t u = 0; u < w; u++) trace += g->factor[u * w + u];
    for (int64_t u = 0; u < w; u++) g->factor[u * w + u] += RIDGE * trace / (double)w + LEAST_VAR;
}

ql_status ql_gauss_fit(ql_gauss *g, const float *x, int64_t width, const int64_t *rows, int64_t n,
                       ql_err *err)
{
    *g = (ql_gauss){.width = width};
    QL_TRY(QL_NEW(g->mean, width, "a covariance", err));
    QL_TRY(QL_NEW(g->factor, width * width, "a covariance", err));
    QL_TRY(QL_NEW(g->work, width, "a covariance", err));
    find_mean(g, x, rows, n);
    find_covariance(g, x, rows, n);
    (void)ql_cholesky(g->factor, width, LEAST_VAR);
    return QL_OK;
}

double ql_gauss_distance(const ql_gauss *g, const float *x)
{
    const int64_t w = g->width;
    double sum = 0;
    for (int64_t u = 0; u < w; u++) g->work[u] = (double)x[u] - g->mean[u];
    ql_solve_lower(g->factor, w, g->work);
    for (int64_t u = 0; u < w; u++) sum += g->work[u] * g->work[u];
    return sqrt(sum / (double)w);
}
