/* Where a layout starts: along the two principal components with the most variance. They keep the
 * large structure that the moves of UMAP do not find by themselves (Kobak and Linderman 2021). */
#include <math.h>

#include "quell/alloc.h"
#include "quell/eigen.h"
#include "quell/layout.h"
#include "quell/rng.h"

static const float SIZE = 10, NOISE = 1e-4f;

/* c [d, d] = covariance, in float64 and in order. */
static void covariance(const float *x, int64_t n, int64_t d, double *mean, double *c)
{
    for (int64_t j = 0; j < d; j++) mean[j] = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++) mean[j] += (double)x[i * d + j] / (double)n;
    for (int64_t j = 0; j < d * d; j++) c[j] = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++) {
            const double v = ((double)x[i * d + j] - mean[j]) / (double)n;
            for (int64_t k = 0; k < d; k++) c[j * d + k] += v * ((double)x[i * d + k] - mean[k]);
        }
}

/* The sign of an axis is that of its largest loading. */
static void turn(double *v, int64_t n)
{
    int64_t top = 0;
    for (int64_t j = 1; j < n; j++)
        if (fabs(v[j]) > fabs(v[top])) top = j;
    for (int64_t j = 0; v[top] < 0 && j < n; j++) v[j] = -v[j];
}

static void project(const float *x, int64_t n, int64_t d, const double *mean, const double *v,
                    int axis, float *xy)
{
    for (int64_t i = 0; i < n; i++) {
        double sum = 0;
        for (int64_t j = 0; j < d; j++) sum += ((double)x[i * d + j] - mean[j]) * v[j];
        xy[2 * i + axis] = (float)sum;
    }
}

/* One scale for both axes. */
static void scale(float *xy, int64_t n, uint64_t seed)
{
    float largest = 0;
    for (int64_t i = 0; i < 2 * n; i++)
        if (fabsf(xy[i]) > largest) largest = fabsf(xy[i]);
    const float factor = largest > 0 ? SIZE / largest : 0;
    for (int64_t i = 0; i < n; i++) {
        const ql_rng_block r = ql_rng_at(seed, QL_RNG_LAYOUT, 0, (uint64_t)i, 0);
        for (int axis = 0; axis < 2; axis++)
            xy[2 * i + axis] =
                xy[2 * i + axis] * factor + NOISE * (float)ql_rng_normal(r.word[axis]);
    }
}

ql_status ql_layout_start(const float *x, int64_t n, int64_t n_dims, uint64_t seed, float *xy,
                          ql_err *err)
{
    double *mean = NULL, *c = NULL, *axes = NULL, *room = NULL;
    ql_status st;
    QL_GO(QL_NEW(mean, n_dims, "the start of a layout", err));
    QL_GO(QL_NEW(c, n_dims * n_dims, "the start of a layout", err));
    QL_GO(QL_NEW(axes, n_dims * n_dims, "the start of a layout", err));
    QL_GO(QL_NEW(room, 3 * n_dims, "the start of a layout", err));
    covariance(x, n, n_dims, mean, c);
    QL_GO(ql_eigen_symmetric(n_dims, c, axes, room, room + n_dims, err));
    for (int axis = 0; axis < 2; axis++) {
        double *v = axes + axis * n_dims;
        for (int64_t i = 0; axis >= n_dims && i < n; i++) xy[2 * i + axis] = 0; /* one dimension */
        if (axis >= n_dims) break;
        turn(v, n_dims);
        project(x, n, n_dims, mean, v, axis, xy);
    }
    scale(xy, n, seed);
out:
    ql_free(mean);
    ql_free(c);
    ql_free(axes);
    ql_free(room);
    return st;
}
