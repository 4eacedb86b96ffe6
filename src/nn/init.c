#include "quell/init.h"

#include <math.h>
#include <string.h>

#include "quell/fmath.h"
#include "quell/rng.h"

/* Standard deviation of a standard normal that is cut off at +-2 */
#define TRUNCATED_SD 0.87962566103423978

static const ql_init all[] = {
    {"glorot_uniform", 1, QL_FAN_MEAN, QL_DRAW_UNIFORM, false, false},
    {"glorot_normal", 1, QL_FAN_MEAN, QL_DRAW_TRUNCATED, true, false},
    {"he_uniform", 2, QL_FAN_IN, QL_DRAW_UNIFORM, false, false},
    {"he_normal", 2, QL_FAN_IN, QL_DRAW_TRUNCATED, true, false},
    {"lecun_uniform", 1, QL_FAN_IN, QL_DRAW_UNIFORM, false, false},
    {"lecun_normal", 1, QL_FAN_IN, QL_DRAW_TRUNCATED, true, false},
    {"random_uniform", 0.05 * 0.05 / 3, QL_FAN_NONE, QL_DRAW_UNIFORM, false, false},
    {"random_normal", 0.05 * 0.05, QL_FAN_NONE, QL_DRAW_NORMAL, false, false},
    {"truncated_normal", 0.05 * 0.05, QL_FAN_NONE, QL_DRAW_TRUNCATED, false, false},
    {"zeros", 0, QL_FAN_NONE, QL_DRAW_CONSTANT, false, false},
    {"ones", 1, QL_FAN_NONE, QL_DRAW_CONSTANT, false, false},
    {"torch", 1.0 / 3, QL_FAN_IN, QL_DRAW_UNIFORM, false, true},
};

const ql_init *const ql_inits[] = {&all[0], &all[1], &all[2], &all[3],  &all[4],  &all[5], &all[6],
                                   &all[7], &all[8], &all[9], &all[10], &all[11], NULL};

const ql_init *ql_init_find(const char *name)
{
    for (int i = 0; ql_inits[i]; i++)
        if (!strcmp(ql_inits[i]->name, name)) return ql_inits[i];
    return NULL;
}

/* U(-1, 1), as exact as a float holds it. */
static ql_real symmetric_unit(ql_rng *rng)
{
    return (ql_real)2 * (ql_real)ql_rng_unit(ql_rng_word(rng)) - 1;
}

/* A standard normal number by Marsaglia's polar method; the other of the pair is dropped. */
static double standard_normal(ql_rng *rng)
{
    double u, s;
    do {
        double v = (double)symmetric_unit(rng);
        u = (double)symmetric_unit(rng);
        s = u * u + v * v;
    } while (s >= 1 || s == 0);
    return u * sqrt(-2 * ql_log(s) / s);
}

static double truncated_normal(ql_rng *rng)
{
    double x;
    do x = standard_normal(rng);
    while (fabs(x) > 2);
    return x;
}

static void fill_row(ql_real *row, int64_t n, ql_draw draw, double variance, ql_rng *rng)
{
    const ql_real limit = (ql_real)sqrt(3 * variance);
    const double sd = sqrt(variance);
    for (int64_t j = 0; j < n; j++) {
        switch (draw) {
        case QL_DRAW_UNIFORM:
            row[j] = limit * symmetric_unit(rng);
            break;
        case QL_DRAW_NORMAL:
            row[j] = (ql_real)(sd * standard_normal(rng));
            break;
        case QL_DRAW_TRUNCATED:
            row[j] = (ql_real)(sd * truncated_normal(rng));
            break;
        default:
            row[j] = (ql_real)variance;
        }
    }
}

static double variance_of(const ql_init *init, int64_t fan_in, int64_t fan_out)
{
    double variance = init->variance;
    if (init->fan == QL_FAN_IN) variance /= (double)fan_in;
    if (init->fan == QL_FAN_MEAN) variance = 2 * variance / (double)(fan_in + fan_out);
    if (init->keeps_variance) variance /= TRUNCATED_SD * TRUNCATED_SD;
    return variance;
}

void ql_params_init(ql_params *p, int tensor, const ql_init *init, int64_t fan_in, int64_t fan_out,
                    uint64_t seed)
{
    const ql_tensor *t = &p->tensor[tensor];
    if (!init) init = &all[0];
    const double variance = variance_of(init, fan_in, fan_out);
    for (int64_t i = 0; i < t->rows; i++) {
        ql_rng rng = ql_rng_start(seed, QL_RNG_INIT, (uint64_t)tensor, (uint64_t)i);
        fill_row(ql_param(p, tensor) + i * t->ld, t->cols, init->draw, variance, &rng);
    }
}
