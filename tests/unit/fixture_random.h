/* Random numbers for tests, drawn from the program's generator so that every run sees the same. */
#ifndef FIXTURE_RANDOM_H
#define FIXTURE_RANDOM_H

#include <math.h>
#include <stdint.h>

#include "quell/real.h"
#include "quell/rng.h"

static inline ql_rng random_start(uint64_t seed)
{
    return ql_rng_start(seed, QL_RNG_INIT, 0xabcdef, 0);
}

static inline double random_unit(ql_rng *r)
{
    return ((double)ql_rng_word(r) + 0.5) / 4294967296.0;
}

static inline double random_in(ql_rng *r, double lo, double hi)
{
    return lo + (hi - lo) * random_unit(r);
}

static inline double random_normal(ql_rng *r)
{
    double u = random_unit(r), v = random_unit(r);
    return sqrt(-2 * log(u)) * cos(6.283185307179586 * v);
}

static inline void random_fill(ql_rng *r, int64_t n, double lo, double hi, ql_real *x)
{
    for (int64_t i = 0; i < n; i++) x[i] = (ql_real)random_in(r, lo, hi);
}

/* Marsaglia and Tsang 2000 */
static inline double random_gamma(ql_rng *r, double shape)
{
    if (shape < 1) return random_gamma(r, shape + 1) * pow(random_unit(r), 1 / shape);
    double d = shape - 1.0 / 3, c = 1 / sqrt(9 * d);
    for (;;) {
        double x = random_normal(r), v = 1 + c * x;
        if (v <= 0) continue;
        v = v * v * v;
        if (log(random_unit(r)) < 0.5 * x * x + d - d * v + d * log(v)) return d * v;
    }
}

/* Inversion for small rates, a rounded normal for large ones. */
static inline uint32_t random_poisson(ql_rng *r, double rate)
{
    if (rate > 200) {
        double x = floor(rate + sqrt(rate) * random_normal(r) + 0.5);
        return x > 0 ? (uint32_t)x : 0;
    }
    double u = random_unit(r), p = exp(-rate), sum = p;
    uint32_t k = 0;
    while (u > sum && k < 2000) {
        k++;
        p *= rate / k;
        sum += p;
    }
    return k;
}

static inline uint32_t random_nb(ql_rng *r, double mean, double theta)
{
    return random_poisson(r, mean * random_gamma(r, theta) / theta);
}

#endif
