/* Poisson-distributed counts: by inversion where the mean is small; else W. Hormann 1993, "The
 * transformed rejection method for generating Poisson random variables", Insurance: Mathematics and
 * Economics 12, algorithm PTRS. */
#include <math.h>

#include "quell/fmath.h"
#include "quell/rng_draw.h"
#include "quell/special.h"

#define SMALL_MEAN 10
#define LARGE_MEAN 0x1p52

static double by_inversion(ql_rng *rng, double m)
{
    double p = ql_exp(-m), u = ql_rng_open(rng), k = 0;
    /* ends where the terms do: what they leave of 1 is below 1e-15 */
    while (u > p && (k < m || p > 1e-17)) {
        u -= p;
        k += 1;
        p *= m / k;
    }
    return k;
}

static double by_rejection(ql_rng *rng, double m)
{
    const double log_m = ql_log(m), b = 0.931 + 2.53 * sqrt(m), a = -0.059 + 0.02483 * b;
    const double inverse = 1.1239 + 1.1328 / (b - 3.4), squeeze = 0.9277 - 3.6224 / (b - 2);
    for (;;) {
        const double u = ql_rng_open(rng) - 0.5, v = ql_rng_open(rng), us = 0.5 - fabs(u);
        const double k = floor((2 * a / us + b) * u + m + 0.43);
        if (us >= 0.07 && v <= squeeze) return k;
        if (k < 0 || (us < 0.013 && v > us)) continue;
        if (ql_log(v * inverse / (a / (us * us) + b)) <= k * log_m - m - ql_lgamma(k + 1)) return k;
    }
}

double ql_rng_poisson(ql_rng *rng, double m)
{
    if (!(m > 0)) return 0;
    if (m > LARGE_MEAN) return floor(m);
    return m < SMALL_MEAN ? by_inversion(rng, m) : by_rejection(rng, m);
}

double ql_rng_negbin(ql_rng *rng, double m, double a)
{
    if (!(m > 0)) return 0;
    return ql_rng_poisson(rng, ql_rng_gamma(rng, a) * (m / a));
}
