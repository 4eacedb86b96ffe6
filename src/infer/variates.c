#include "quell/variates.h"

#include <math.h>

#include "quell/fmath.h"

#define INVERSION_BELOW 10.0

double ql_draw_unit(ql_rng *rng)
{
    const uint64_t high = ql_rng_word(rng), low = ql_rng_word(rng);
    return ((double)((high << 20) | (low >> 12)) + 0.5) * 0x1p-52;
}

/* Marsaglia and Tsang's d - d v + d ln v with v = (1 + c x)^3, for shape >= 1. */
static double gamma_from_one(ql_rng *rng, double shape)
{
    const double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        const double x = ql_rng_normal(ql_rng_word(rng)), root = 1 + c * x;
        if (root <= 0) continue;
        const double v = root * root * root, u = ql_draw_unit(rng);
        if (u < 1 - 0.0331 * x * x * x * x) return d * v;
        if (ql_log(u) < 0.5 * x * x + d * (1 - v + ql_log(v))) return d * v;
    }
}

double ql_draw_gamma(ql_rng *rng, double shape)
{
    if (shape >= 1) return gamma_from_one(rng, shape);
    /* the same paper, section 6: gamma(a) = gamma(a + 1) U^(1/a) */
    const double power = ql_log(ql_draw_unit(rng)) / shape;
    return gamma_from_one(rng, shape + 1) * ql_exp(power);
}

static double poisson_by_inversion(ql_rng *rng, double mean)
{
    const double u = ql_draw_unit(rng);
    double p = ql_exp(-mean), sum = p, k = 0;
    while (u > sum && p > 0) {
        k += 1;
        p *= mean / k;
        sum += p;
    }
    return k;
}

/* Hoermann 1993, algorithm PTRS. */
static double poisson_by_rejection(ql_rng *rng, double mean)
{
    const double b = 0.931 + 2.53 * sqrt(mean), a = -0.059 + 0.02483 * b;
    const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4), v_r = 0.9277 - 3.6224 / (b - 2);
    const double log_mean = ql_log(mean);
    for (;;) {
        const double u = ql_draw_unit(rng) - 0.5, v = ql_draw_unit(rng);
        const double us = 0.5 - (u < 0 ? -u : u);
        const double k = floor((2 * a / us + b) * u + mean + 0.43);
        if (us >= 0.07 && v <= v_r) return k;
        if (k < 0 || (us < 0.013 && v > us)) continue;
        if (ql_log(v * inverse_alpha / (a / (us * us) + b)) <=
            k * log_mean - mean - ql_ln_factorial(k))
            return k;
    }
}

double ql_draw_poisson(ql_rng *rng, double mean)
{
    if (!(mean > 0)) return 0;
    if (mean < INVERSION_BELOW) return poisson_by_inversion(rng, mean);
    const double k = poisson_by_rejection(rng, mean < QL_COUNT_MOST ? mean : QL_COUNT_MOST);
    return k < QL_COUNT_MOST ? k : QL_COUNT_MOST;
}

double ql_draw_count(ql_rng *rng, ql_law law, double mean, double theta, double pi)
{
    switch (law) {
    case QL_LAW_BERNOULLI:
        return ql_draw_unit(rng) < mean;
    case QL_LAW_NORMAL:
        return mean + theta * ql_rng_normal(ql_rng_word(rng));
    case QL_LAW_POISSON:
        return ql_draw_poisson(rng, mean);
    case QL_LAW_ZINB:
        if (ql_draw_unit(rng) <= pi) return 0;
        break;
    case QL_LAW_NB:
        break;
    }
    /* NB: a Poisson number whose mean is gamma distributed */
    return ql_draw_poisson(rng, mean / theta * ql_draw_gamma(rng, theta));
}
