#include "quell/outlier.h"

#include <math.h>
#include <stdlib.h>

#include "quell/alloc.h"
#include "quell/fmath.h"
#include "quell/order.h"

enum { CELLS_LINEAR = 10, CELLS_QUADRATIC = 50, T = QL_TREND_TERMS };
#define LEAST_SCORE 1e-300 /* ln 0 */
#define LEAST_SD    1e-9   /* below it departures are rounding */

static const ql_cell_score parts[QL_OUTLIER_PARTS] = {QL_SCORE_ERROR, QL_SCORE_PEARSON,
                                                      QL_SCORE_DISTANCE};

static double log_score(const ql_cell_scores *s, int part, int64_t cell)
{
    double x = s->of[parts[part]][cell];
    return ql_log(x > LEAST_SCORE ? x : LEAST_SCORE);
}

/* ---- the trend ---- */

static double trend_at(const ql_trend *t, double x)
{
    double d = (x < t->low ? t->low : x > t->high ? t->high : x) - t->centre;
    return t->term[0] + d * (t->term[1] + d * t->term[2]);
}

/* Gauss-Jordan elimination of the normal equations a [T, T + 1], of which the first n rows are
 * used. Terms whose pivot vanishes (all depths alike) are 0. */
static void solve(double a[T][T + 1], int n, double *out)
{
    for (int k = 0; k < n; k++) {
        const double scale = a[k][k] > 1e-9 * a[0][0] ? 1 / a[k][k] : 0;
        for (int j = 0; j <= T; j++) a[k][j] *= scale;
        for (int i = 0; i < n; i++) {
            const double f = a[i][k];
            if (i == k) continue;
            for (int j = 0; j <= T; j++) a[i][j] -= f * a[k][j];
        }
    }
    for (int k = 0; k < n; k++) out[k] = a[k][T];
}

static void span_of(ql_trend *t, const double *x, int64_t n)
{
    t->low = t->high = x[0];
    for (int64_t i = 0; i < n; i++) {
        if (x[i] < t->low) t->low = x[i];
        if (x[i] > t->high) t->high = x[i];
        t->centre += x[i] / (double)n;
    }
}

static void fit_trend(ql_trend *t, const double *x, const double *y, int64_t n)
{
    const int terms = n >= CELLS_QUADRATIC ? 3 : n >= CELLS_LINEAR ? 2 : 1;
    double a[T][T + 1] = {{0}}, square = 0;
    *t = (ql_trend){0};
    span_of(t, x, n);
    for (int64_t i = 0; i < n; i++) {
        const double d = x[i] - t->centre, power[T + 1] = {1, d, d * d, y[i]};
        for (int r = 0; r < terms; r++) {
            for (int c = 0; c < terms; c++) a[r][c] += power[r] * power[c];
            a[r][T] += power[r] * y[i];
        }
    }
    solve(a, terms, t->term);
    for (int64_t i = 0; i < n; i++) {
        const double d = y[i] - trend_at(t, x[i]);
        square += d * d;
    }
    t->sd = sqrt(square / (double)n);
}

/* ---- the statistic ---- */

static double departure(const ql_trend *t, double x, double y)
{
    return t->sd > LEAST_SD ? (y - trend_at(t, x)) / t->sd : 0;
}

double ql_outlier_statistic(const ql_outlier *o, const ql_cell_scores *s, const double *total,
                            int64_t cell)
{
    double most = -INFINITY;
    if (!(total[cell] > 0) || isnan(s->of[parts[0]][cell])) return NAN;
    const double x = ql_log(total[cell]);
    for (int k = 0; k < QL_OUTLIER_PARTS; k++) {
        const double d = departure(&o->trend[k], x, log_score(s, k, cell));
        if (d > most) most = d;
    }
    return most;
}

static void fit_all(ql_outlier *o, const ql_cell_scores *s, const double *total,
                    const int64_t *peers, double *x, double *y)
{
    for (int64_t i = 0; i < o->n; i++) x[i] = ql_log(total[peers[i]]);
    for (int k = 0; k < QL_OUTLIER_PARTS; k++) {
        for (int64_t i = 0; i < o->n; i++) y[i] = log_score(s, k, peers[i]);
        fit_trend(&o->trend[k], x, y, o->n);
    }
    for (int64_t i = 0; i < o->n; i++) o->sorted[i] = ql_outlier_statistic(o, s, total, peers[i]);
    qsort(o->sorted, (size_t)o->n, sizeof *o->sorted, ql_by_value);
}

ql_status ql_outlier_fit(ql_outlier *o, const ql_cell_scores *s, const double *total,
                         const int64_t *peers, int64_t n_peers, ql_err *err)
{
    double *x = NULL, *y = NULL;
    ql_status st;
    *o = (ql_outlier){.n = n_peers};
    if (n_peers < 1) return ql_fail(err, QL_EINTERNAL, "no cells to compare with");
    QL_GO(QL_NEW(o->sorted, n_peers, "outliers", err));
    QL_GO(QL_NEW(x, n_peers, "outliers", err));
    QL_GO(QL_NEW(y, n_peers, "outliers", err));
    fit_all(o, s, total, peers, x, y);
out:
    ql_free(x);
    ql_free(y);
    if (st != QL_OK) ql_outlier_free(o);
    return st;
}

double ql_outlier_share(const ql_outlier *o, double statistic, bool is_peer)
{
    int64_t lo = 0, hi = o->n;
    if (isnan(statistic)) return NAN;
    while (lo < hi) {
        int64_t mid = lo + (hi - lo) / 2;
        if (o->sorted[mid] < statistic)
            lo = mid + 1;
        else
            hi = mid;
    }
    return (double)lo / (double)(is_peer ? o->n : o->n + 1);
}
