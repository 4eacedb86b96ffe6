/* How far imputed counts are off. */
#include <math.h>

#include "quell/fmath.h"
#include "quell/impute.h"

#define LEAST_MEAN 1e-8 /* of a Poisson law, as in the score of a denoiser */

void ql_impute_add(ql_impute_sums *s, double count, double expected, double seen, double total)
{
    const double x = ql_log(1 + 1e4 * count / total), m = ql_log(1 + 1e4 * expected / total);
    s->x += x;
    s->m += m;
    s->xx += x * x;
    s->mm += m * m;
    s->xm += x * m;
    s->count += count;
    s->expected += expected;
    if (!(count > 0 && seen > 0)) return;
    s->log_lik += count * ql_log(expected > LEAST_MEAN ? expected : LEAST_MEAN);
    s->log_seen += count * ql_log(seen);
}

/* The other model is as good as it can be: it knows the gene's molecules. */
double ql_impute_gain(const ql_impute_sums *s, double seen)
{
    if (!(s->count > 0 && seen > 0)) return NAN;
    const double base = s->log_seen + s->count * (ql_log(s->count) - ql_log(seen)) - s->count;
    return (s->log_lik - s->expected - base) / s->count;
}

double ql_impute_correlation(const ql_impute_sums *s, double n)
{
    const double xx = s->xx - s->x * s->x / n, mm = s->mm - s->m * s->m / n;
    return xx > 1e-12 && mm > 1e-12 ? (s->xm - s->x * s->m / n) / sqrt(xx * mm) : NAN;
}
