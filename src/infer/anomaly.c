/* Departures of likelihoods from what cells of the same depth have. */
#include <math.h>
#include <stdlib.h>

#include "quell/alloc.h"
#include "quell/evidence.h"
#include "quell/fmath.h"
#include "quell/order.h"

enum { TERMS = 3, ROUNDS = 5 };
#define FAR       3.0    /* robust standard deviations */
#define MAD_SCALE 1.4826 /* of a normal distribution: sd / median absolute deviation */

typedef struct {
    int64_t n;
    double *x, *y, *left; /* [n] ln total, value, departure */
    double *sorted;       /* [n] scratch */
    double at[TERMS];     /* of the trend in x - middle */
    double middle, spread;
} trend;

static double median(double *v, int64_t n)
{
    qsort(v, (size_t)n, sizeof *v, ql_by_value);
    return n % 2 ? v[n / 2] : 0.5 * (v[n / 2 - 1] + v[n / 2]);
}

static double value_at(const trend *t, double x)
{
    const double d = x - t->middle;
    return (t->at[2] * d + t->at[1]) * d + t->at[0];
}

/* Gaussian elimination of a symmetric positive system; a column that nothing is left of gets 0. */
static void solve(double a[TERMS][TERMS + 1], double *out)
{
    for (int k = 0; k < TERMS; k++) {
        if (!(a[k][k] > 1e-12)) {
            for (int j = 0; j <= TERMS; j++) a[k][j] = 0;
            a[k][k] = 1;
        }
        for (int i = k + 1; i < TERMS; i++) {
            const double f = a[i][k] / a[k][k];
            for (int j = k; j <= TERMS; j++) a[i][j] -= f * a[k][j];
        }
    }
    for (int k = TERMS - 1; k >= 0; k--) {
        out[k] = a[k][TERMS];
        for (int j = k + 1; j < TERMS; j++) out[k] -= a[k][j] * out[j];
        out[k] /= a[k][k];
    }
}

/* Least squares on the cells within `most` of the trend so far (round 0: all). */
static void fit_round(trend *t, double most)
{
    double a[TERMS][TERMS + 1] = {{0}};
    double n = 0;
    for (int64_t i = 0; i < t->n; i++) {
        if (fabs(t->left[i]) > most) continue;
        const double d = t->x[i] - t->middle, power[] = {1, d, d * d};
        n += 1;
        for (int r = 0; r < TERMS; r++) {
            for (int c = 0; c < TERMS; c++) a[r][c] += power[r] * power[c];
            a[r][TERMS] += power[r] * t->y[i];
        }
    }
    for (int r = 0; r < TERMS; r++)
        for (int c = 0; c <= TERMS; c++) a[r][c] /= n;
    solve(a, t->at);
    for (int64_t i = 0; i < t->n; i++) {
        t->left[i] = t->y[i] - value_at(t, t->x[i]);
        t->sorted[i] = fabs(t->left[i]);
    }
    t->spread = MAD_SCALE * median(t->sorted, t->n);
}

static void fit(trend *t)
{
    for (int64_t i = 0; i < t->n; i++) t->sorted[i] = t->x[i];
    t->middle = median(t->sorted, t->n);
    fit_round(t, INFINITY);
    for (int round = 1; round < ROUNDS && t->spread > 0; round++) fit_round(t, FAR * t->spread);
}

ql_status ql_evidence_anomaly(const double *value, const double *total, int64_t n, double *out,
                              ql_err *err)
{
    trend t = {0};
    ql_status st;
    QL_GO(QL_NEW(t.x, n, "a trend", err));
    QL_GO(QL_NEW(t.y, n, "a trend", err));
    QL_GO(QL_NEW(t.left, n, "a trend", err));
    QL_GO(QL_NEW(t.sorted, n, "a trend", err));
    for (int64_t i = 0; i < n; i++) {
        if (!(isfinite(value[i]) && total[i] > 0)) continue;
        t.x[t.n] = ql_log(total[i]);
        t.y[t.n++] = value[i];
    }
    if (t.n > 0) fit(&t);
    for (int64_t i = 0; i < n; i++) {
        out[i] = NAN;
        if (!(isfinite(value[i]) && total[i] > 0)) continue;
        const double below = value_at(&t, ql_log(total[i])) - value[i];
        out[i] = t.spread > 0 ? below / t.spread : 0;
    }
out:
    ql_free(t.x);
    ql_free(t.y);
    ql_free(t.left);
    ql_free(t.sorted);
    return st;
}
