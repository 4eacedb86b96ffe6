#include "quell/rate_view.h"

#include <math.h>

#include "quell/rng_draw.h"
#include "quell/special.h"

#define PER_CELL      1e4
#define POISSON_LIKE  1e7 /* shape of a rate that is known */
#define PEARSON_SHAPE 100 /* theta of the residuals (Lause, Berens & Kobak 2021) */

/* A sequence of its own for each draw, cell and gene. */
static ql_rng place_of(const ql_view *v, const ql_rate *r)
{
    const uint64_t place = v->draw << 32 | (uint64_t)r->cell;
    return ql_rng_start(v->seed, QL_RNG_DRAWS, place, (uint64_t)r->gene);
}

/* Scale of the gamma distribution: 1 / (1 + theta / mu), as mu may be 0. */
static double scale_of(const ql_rate *r)
{
    return r->mu / (r->mu + r->theta);
}

static double draw_rate(const ql_rate *r, ql_rng *rng)
{
    return r->theta > 0 ? ql_rng_gamma(rng, r->x + r->theta) * scale_of(r) : r->mu;
}

static double quantile_of(const ql_view *v, const ql_rate *r, double known)
{
    if (!(r->theta > 0)) return r->mu;
    return (known >= 0 ? known : ql_gamma_quantile(r->x + r->theta, v->level)) * scale_of(r);
}

static double mean_log_rate(const ql_rate *r)
{
    const double unit = PER_CELL / r->molecules;
    if (!(r->theta > 0)) return ql_log1p(r->mu * unit);
    return ql_gamma_mean_log1p(r->x + r->theta, scale_of(r) * unit);
}

/* Without a theta t is a Poisson count, which a large one is as good as. */
static double mean_log_counts(const ql_rate *r)
{
    const double shape = r->theta > 0 ? r->x + r->theta : POISSON_LIKE;
    const double mean = r->theta > 0 ? shape * scale_of(r) : r->mu;
    return ql_negbin_mean_log1p(mean, shape, PER_CELL / r->molecules);
}

/* At the cell's own depth. */
static double raw_value(const ql_view *v, const ql_rate *r, double known)
{
    ql_rng rng;
    switch (v->value) {
    case QL_VALUE_POSTERIOR:
        return r->theta > 0 ? (r->x + r->theta) * scale_of(r) : r->mu;
    case QL_VALUE_QUANTILE:
        return quantile_of(v, r, known);
    case QL_VALUE_SD:
        return r->theta > 0 ? sqrt(r->x + r->theta) * scale_of(r) : 0;
    case QL_VALUE_DRAW:
        rng = place_of(v, r);
        return draw_rate(r, &rng);
    case QL_VALUE_DRAW_COUNTS:
        rng = place_of(v, r);
        return ql_rng_poisson(&rng, draw_rate(r, &rng));
    default:
        return r->mu;
    }
}

static double residual(const ql_view *v, const ql_rate *r, double value)
{
    const double base = r->share * r->molecules, sd = sqrt(base + base * base / PEARSON_SHAPE);
    if (!(sd > 0)) return 0;
    const double z = (v->value == QL_VALUE_SD ? value : value - base) / sd;
    return z > r->most ? r->most : z < -r->most ? -r->most : z;
}

double ql_view_of(const ql_view *v, const ql_rate *r, double known)
{
    if (v->value == QL_VALUE_MEAN_LOG_RATE) return mean_log_rate(r);
    if (v->value == QL_VALUE_MEAN_LOG_COUNTS) return mean_log_counts(r);
    const double value = raw_value(v, r, known);
    switch (v->scale) {
    case QL_SCALE_CP10K:
        return value * (PER_CELL / r->molecules);
    case QL_SCALE_LOG1P:
        return ql_log1p(value * (PER_CELL / r->molecules));
    case QL_SCALE_PEARSON:
        return residual(v, r, value);
    default:
        return value;
    }
}
