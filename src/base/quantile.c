#include "quell/quantile.h"

#include <math.h>
#include <stdlib.h>

#include "quell/order.h"

double ql_quantile_sorted(const double *sorted, int64_t n, double p)
{
    double at = (double)(n - 1) * p, below = floor(at), part = at - below;
    int64_t i = (int64_t)below;
    if (i < 0) return sorted[0];
    if (i + 1 >= n) return sorted[n - 1];
    return part > 0 ? (1 - part) * sorted[i] + part * sorted[i + 1] : sorted[i];
}

double ql_quantile(double *v, int64_t n, double p)
{
    qsort(v, (size_t)n, sizeof *v, ql_by_value);
    const double at = p * (double)(n - 1);
    const int64_t below = (int64_t)at;
    if (below + 1 >= n) return v[n - 1];
    return v[below] + (at - (double)below) * (v[below + 1] - v[below]);
}
