#include "quell/activation.h"

#include <stddef.h>
#include <string.h>

#include "quell/fmath.h"

/* An activation from f and from f' and f'' as expressions of x[i], y[i], and slope. */
#define TIMES(id, which, expr)                                                                     \
    static void act_##id##_##which(const ql_kern *kern, ql_real slope, int64_t n,                  \
                                   const ql_real *restrict x, const ql_real *restrict y,           \
                                   ql_real *restrict d)                                            \
    {                                                                                              \
        (void)kern;                                                                                \
        (void)slope;                                                                               \
        (void)x;                                                                                   \
        (void)y;                                                                                   \
        for (int64_t i = 0; i < n; i++) d[i] *= (expr);                                            \
    }

#define ACTIVATION(id, FORWARD, FIRST, SECOND)                                                     \
    static void act_##id##_forward(const ql_kern *kern, ql_real slope, int64_t n,                  \
                                   const ql_real *restrict x, ql_real *restrict y)                 \
    {                                                                                              \
        (void)kern;                                                                                \
        (void)slope;                                                                               \
        FORWARD                                                                                    \
    }                                                                                              \
    TIMES(id, backward, FIRST)                                                                     \
    TIMES(id, second, SECOND)                                                                      \
    static const ql_activation act_##id = {#id, act_##id##_forward, act_##id##_backward,           \
                                           act_##id##_second, false};

#define EACH(expr)                                                                                 \
    for (int64_t i = 0; i < n; i++) y[i] = (expr);

/* y = exp(-|x|), the one transcendental the others are made of */
static void exp_minus_abs(const ql_kern *kern, int64_t n, const ql_real *x, ql_real *y)
{
    for (int64_t i = 0; i < n; i++) y[i] = x[i] < 0 ? x[i] : -x[i];
    kern->exp(n, y, y);
}

/* Klambauer et al. 2017 */
#define SELU_SCALE (ql_real)1.0507009873554804934
#define SELU_ALPHA (ql_real)1.6732632423543772848

/* clang-format off */
ACTIVATION(linear, EACH(x[i]), 1, 0)
/* not x > 0 ? x : 0, which would turn NaN into 0 */
ACTIVATION(relu, EACH(x[i] < 0 ? 0 : x[i]), x[i] > 0 ? 1 : 0, 0)
ACTIVATION(leakyrelu, EACH(x[i] > 0 ? x[i] : slope * x[i]), x[i] > 0 ? 1 : slope, 0)
ACTIVATION(elu, exp_minus_abs(kern, n, x, y); EACH(x[i] > 0 ? x[i] : y[i] - 1),
           x[i] > 0 ? 1 : y[i] + 1, x[i] > 0 ? 0 : y[i] + 1)
ACTIVATION(selu, exp_minus_abs(kern, n, x, y);
           EACH(SELU_SCALE * (x[i] > 0 ? x[i] : SELU_ALPHA * (y[i] - 1))),
           x[i] > 0 ? SELU_SCALE : y[i] + SELU_SCALE * SELU_ALPHA,
           x[i] > 0 ? 0 : y[i] + SELU_SCALE * SELU_ALPHA)
ACTIVATION(sigmoid, exp_minus_abs(kern, n, x, y);
           EACH(x[i] < 0 ? y[i] / (1 + y[i]) : 1 / (1 + y[i])),
           y[i] * (1 - y[i]), y[i] * (1 - y[i]) * (1 - 2 * y[i]))
ACTIVATION(tanh, for (int64_t i = 0; i < n; i++) y[i] = x[i] < 0 ? 2 * x[i] : -2 * x[i];
           kern->exp(n, y, y);
           EACH(x[i] < 0 ? (y[i] - 1) / (1 + y[i]) : (1 - y[i]) / (1 + y[i])),
           1 - y[i] * y[i], -2 * y[i] * (1 - y[i] * y[i]))
/* clang-format on */

/* He et al. 2015: leakyrelu with slopes that are trained */
static const ql_activation act_prelu = {"prelu", act_leakyrelu_forward, act_leakyrelu_backward,
                                        act_leakyrelu_second, true};

/* ---- softplus: ln(1 + e^x), whose derivative is the logistic function ---- */

enum { CHUNK = 256 };

/* The logistic function of n <= CHUNK values. */
static void logistic(const ql_kern *kern, int64_t n, const ql_real *x, ql_real *y)
{
    exp_minus_abs(kern, n, x, y);
    for (int64_t i = 0; i < n; i++) y[i] = (x[i] < 0 ? y[i] : 1) / (1 + y[i]);
}

static void act_softplus_forward(const ql_kern *kern, ql_real slope, int64_t n,
                                 const ql_real *restrict x, ql_real *restrict y)
{
    (void)slope;
    exp_minus_abs(kern, n, x, y);
    kern->log1p(n, y, y);
    for (int64_t i = 0; i < n; i++) y[i] += x[i] > 0 ? x[i] : 0;
}

/* d *= f'(x), or f''(x) */
static void times_logistic(const ql_kern *kern, int64_t n, const ql_real *restrict x, bool second,
                           ql_real *restrict d)
{
    ql_real p[CHUNK];
    for (int64_t at = 0; at < n; at += CHUNK) {
        int64_t count = n - at < CHUNK ? n - at : CHUNK;
        logistic(kern, count, x + at, p);
        for (int64_t i = 0; i < count; i++) d[at + i] *= second ? p[i] * (1 - p[i]) : p[i];
    }
}

static void act_softplus_backward(const ql_kern *kern, ql_real slope, int64_t n, const ql_real *x,
                                  const ql_real *y, ql_real *d)
{
    (void)slope;
    (void)y;
    times_logistic(kern, n, x, false, d);
}

static void act_softplus_second(const ql_kern *kern, ql_real slope, int64_t n, const ql_real *x,
                                const ql_real *y, ql_real *d)
{
    (void)slope;
    (void)y;
    times_logistic(kern, n, x, true, d);
}

static const ql_activation act_softplus = {"softplus", act_softplus_forward, act_softplus_backward,
                                           act_softplus_second, false};

/* ---- gelu: x P(x), P the normal distribution (Hendrycks and Gimpel 2016) ---- */

static double normal_density(double x)
{
    return 0.39894228040143267794 * ql_exp(-0.5 * x * x);
}

/* clang-format off */
ACTIVATION(gelu, EACH((ql_real)((double)x[i] * ql_normal_cdf((double)x[i]))),
           (ql_real)(ql_normal_cdf((double)x[i]) + (double)x[i] * normal_density((double)x[i])),
           (ql_real)(normal_density((double)x[i]) * (2 - (double)x[i] * (double)x[i])))
/* clang-format on */

const ql_activation *const ql_activations[] = {
    &act_relu, &act_linear,  &act_leakyrelu, &act_prelu,    &act_elu, &act_selu,
    &act_gelu, &act_sigmoid, &act_tanh,      &act_softplus, NULL,
};

const ql_activation *ql_activation_find(const char *name)
{
    for (int i = 0; ql_activations[i]; i++)
        if (!strcmp(ql_activations[i]->name, name)) return ql_activations[i];
    return NULL;
}
