#include "quell/quantile.h"

#include <math.h>

double ql_quantile_sorted(const double *sorted, int64_t n, double p)
{
    double at = (double)(n - 1) * p, below = floor(at), part = at - below;
    int64_t i = (int64_t)below;
    if (i < 0) return sorted[0];
    if (i + 1 >= n) return sorted[n - 1];
    return part > 0 ? (1 - part) * sorted[i] + part * sorted[i + 1] : sorted[i];
}
