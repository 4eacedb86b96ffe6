/* The negative binomial distribution by its recursion over counts. */
#include "quell/fmath.h"
#include "quell/special.h"

#define SMALLEST 1e-300 /* probabilities below this count as 0 */

#define LARGE_SHAPE 100

/* ln Gamma(a + t) - ln Gamma(a) - t ln a; of large shapes by Stirling's series, whose leading terms
 * would cancel. */
static double log_rise(double a, double t)
{
    const double b = a + t;
    if (a < LARGE_SHAPE) return ql_lgamma(b) - ql_lgamma(a) - t * ql_log(a);
    const double ends = (1 / b - 1 / a) / 12 - (1 / (b * b * b) - 1 / (a * a * a)) / 360;
    return (b - 0.5) * ql_log1p(t / a) - t + ends;
}

static double log_probability(double m, double a, double t)
{
    return log_rise(a, t) + t * ql_log(m) - (a + t) * ql_log1p(m / a) - ql_lgamma(t + 1);
}

/* p(t - 1) = p(t) t (a + m) / ((a + t - 1) m): downwards until nothing more is added; some t terms
 * at most. */
static double sum_below(double m, double a, double t, double at)
{
    double sum = 0;
    for (double k = t; k >= 1; k -= 1) {
        at *= k / (a + k - 1) * ((a + m) / m);
        sum += at;
        if (at < sum * 1e-17) break;
    }
    return sum;
}

ql_negbin ql_negbin_at(double m, double a, double t)
{
    if (!(m > 0)) return (ql_negbin){t > 0 ? 1 : 0, t > 0 ? 0 : 1};
    if (t == 0) return (ql_negbin){0, ql_exp(-a * ql_log1p(m / a))};
    const double at = ql_exp(log_probability(m, a, t));
    if (at < SMALLEST) return (ql_negbin){t > m ? 1 : 0, 0};
    const double below = sum_below(m, a, t, at);
    return (ql_negbin){below < 1 - at ? below : 1 - at, at};
}
