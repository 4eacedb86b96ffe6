#include "quell/activation.h"

#include <stddef.h>
#include <string.h>

#define ACTIVATION(id, FORWARD, BACKWARD)                                                          \
    static void act_##id##_forward(const ql_kern *kern, int64_t n, const ql_real *restrict x,      \
                                   ql_real *restrict y)                                            \
    {                                                                                              \
        (void)kern;                                                                                \
        FORWARD                                                                                    \
    }                                                                                              \
    static void act_##id##_backward(int64_t n, const ql_real *restrict x,                          \
                                    const ql_real *restrict y, ql_real *restrict d)                \
    {                                                                                              \
        (void)x;                                                                                   \
        (void)y;                                                                                   \
        for (int64_t i = 0; i < n; i++) d[i] *= (BACKWARD);                                        \
    }                                                                                              \
    static const ql_activation act_##id = {#id, act_##id##_forward, act_##id##_backward};

#define EACH(expr)                                                                                 \
    for (int64_t i = 0; i < n; i++) y[i] = (expr);

/* y = exp(-|x|), the one transcendental the others are made of */
static void exp_minus_abs(const ql_kern *kern, int64_t n, const ql_real *x, ql_real *y)
{
    for (int64_t i = 0; i < n; i++) y[i] = x[i] < 0 ? x[i] : -x[i];
    kern->exp(n, y, y);
}

/* Klambauer et al. 2017 */
#define SELU_SCALE  (ql_real)1.0507009873554804934
#define SELU_ALPHA  (ql_real)1.6732632423543772848
#define LEAKY_SLOPE (ql_real)0.3

ACTIVATION(linear, EACH(x[i]), 1)
/* not x > 0 ? x : 0, which would turn NaN into 0 */
ACTIVATION(relu, EACH(x[i] < 0 ? 0 : x[i]), x[i] > 0 ? 1 : 0)
ACTIVATION(leakyrelu, EACH(x[i] > 0 ? x[i] : LEAKY_SLOPE * x[i]), x[i] > 0 ? 1 : LEAKY_SLOPE)
ACTIVATION(elu, exp_minus_abs(kern, n, x, y);
           EACH(x[i] > 0 ? x[i] : y[i] - 1), x[i] > 0 ? 1 : y[i] + 1)
ACTIVATION(selu, exp_minus_abs(kern, n, x, y);
           EACH(SELU_SCALE * (x[i] > 0 ? x[i] : SELU_ALPHA * (y[i] - 1))),
           x[i] > 0 ? SELU_SCALE : y[i] + SELU_SCALE * SELU_ALPHA)
ACTIVATION(sigmoid, exp_minus_abs(kern, n, x, y);
           EACH(x[i] < 0 ? y[i] / (1 + y[i]) : 1 / (1 + y[i])), y[i] * (1 - y[i]))
ACTIVATION(tanh, for (int64_t i = 0; i < n; i++) y[i] = x[i] < 0 ? 2 * x[i] : -2 * x[i];
           kern->exp(n, y, y);
           EACH(x[i] < 0 ? (y[i] - 1) / (1 + y[i]) : (1 - y[i]) / (1 + y[i])), 1 - y[i] * y[i])

const ql_activation *const ql_activations[] = {
    &act_relu, &act_linear, &act_leakyrelu, &act_elu, &act_selu, &act_sigmoid, &act_tanh, NULL,
};

const ql_activation *ql_activation_find(const char *name)
{
    for (int i = 0; ql_activations[i]; i++)
        if (!strcmp(ql_activations[i]->name, name)) return ql_activations[i];
    return NULL;
}
