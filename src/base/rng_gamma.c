/* Gamma-distributed numbers: G. Marsaglia & W. W. Tsang 2000, "A simple method for generating gamma
 * variables", ACM TOMS 26: d v with v = (1 + c x)^3, x normal, accepted with the ratio of the
 * densities. */
#include <math.h>

#include "quell/fmath.h"
#include "quell/rng_draw.h"

double ql_rng_open(ql_rng *rng)
{
    const uint64_t high = ql_rng_word(rng), low = ql_rng_word(rng);
    return ((double)((high << 32 | low) >> 12) + 0.5) * 0x1p-52;
}

/* a >= 1 */
static double large_shape(ql_rng *rng, double a)
{
    const double d = a - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        const double x = ql_rng_normal(ql_rng_word(rng)), root = 1 + c * x, v = root * root * root;
        if (root <= 0) continue;
        const double u = ql_rng_open(rng), xx = x * x;
        if (u < 1 - 0.0331 * xx * xx) return d * v;
        if (ql_log(u) < 0.5 * xx + d * (1 - v + ql_log(v))) return d * v;
    }
}

/* Below 1: a number of shape a + 1 times u^(1 / a) (their section 6), in logarithms, so that it is
 * 0 only where a double ends. */
double ql_rng_gamma(ql_rng *rng, double a)
{
    if (!(a > 0)) return NAN;
    if (a >= 1) return large_shape(rng, a);
    const double g = large_shape(rng, a + 1);
    return ql_exp(ql_log(g) + ql_log(ql_rng_open(rng)) / a);
}
