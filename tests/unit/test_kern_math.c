/* Errors of the kernels' exp, log and log1p, and of what is made of them, against libm in float64.
 * In units in the last place of the exact result. The bounds are part of what the kernels promise:
 * they are the largest errors over all floats of the domain, rounded up. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "quell/kern.h"

#define EXP_ULP      0.92
#define LOG_ULP      1.99
#define LOG1P_ULP    2.29
#define SOFTPLUS_ULP 2.60
#define LOGISTIC_ULP 2.83
#define CLIP_ULP     4.01

enum { LOT = 1024 };

typedef void (*map_fn)(int64_t n, const float *x, float *y);

static const ql_kern *best_table(void)
{
    for (int i = 0; ql_kern_names[i]; i++)
        if (ql_kern_find(ql_kern_names[i])) return ql_kern_find(ql_kern_names[i]);
    return NULL;
}

static float from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint32_t to_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static double ulps(float got, double want)
{
    float near = fabsf((float)want);
    double step = near < FLT_MIN ? ldexp(1, -149) : (double)(nextafterf(near, INFINITY) - near);
    return fabs((double)got - want) / step;
}

/* Largest error over floats of one sign from |lo| to |hi|, every `stride`-th, both ends included.
 */
static double worst(map_fn f, double (*exact)(double), float lo, float hi, uint32_t stride)
{
    float x[LOT], y[LOT];
    double most = 0;
    uint64_t bits = to_bits(lo), end = to_bits(hi);
    for (bool more = true; more;) {
        for (int i = 0; i < LOT; i++, bits += stride) {
            more = bits < end;
            x[i] = from_bits((uint32_t)(more ? bits : end));
        }
        f(LOT, x, y);
        for (int i = 0; i < LOT; i++) {
            double e = ulps(y[i], exact((double)x[i]));
            if (!(e <= most)) most = e;
        }
    }
    return most;
}

static void check(const char *what, double error, double bound)
{
    print_message("%s: %.4f ulp (bound %.2f)\n", what, error, bound);
    if (!(error <= bound)) fail_msg("%s: %.4f ulp, above the bound of %.2f", what, error, bound);
}

static void exp_is_accurate(void **state)
{
    (void)state;
    const ql_kern *k = best_table();
    check("exp, x >= 0", worst(k->exp, exp, 0, 88, 971), EXP_ULP);
    check("exp, x < 0", worst(k->exp, exp, -0.0f, -87, 971), EXP_ULP);
    check("exp, [1, 2]", worst(k->exp, exp, 1, 2, 13), EXP_ULP);
    check("exp, [-2, -1]", worst(k->exp, exp, -1, -2, 13), EXP_ULP);
}

static void log_is_accurate(void **state)
{
    (void)state;
    const ql_kern *k = best_table();
    check("log, normal numbers", worst(k->log, log, FLT_MIN, FLT_MAX, 1511), LOG_ULP);
    check("log, [0.7, 1.5]", worst(k->log, log, 0.7f, 1.5f, 11), LOG_ULP);
    check("log, next to 1", worst(k->log, log, 0.9999f, 1.0001f, 1), LOG_ULP);
}

static void log1p_is_accurate(void **state)
{
    (void)state;
    const ql_kern *k = best_table();
    check("log1p, all", worst(k->log1p, log1p, 0, 0x1p99f, 1511), LOG1P_ULP);
    check("log1p, [0.01, 1]", worst(k->log1p, log1p, 0.01f, 1, 43), LOG1P_ULP);
    check("log1p, [1, 100]", worst(k->log1p, log1p, 1, 100, 47), LOG1P_ULP);
}

static void exact_points(void **state)
{
    (void)state;
    const ql_kern *k = best_table();
    float x[QL_PAD] = {0, -0.0f, 1e-30f, -1e-30f, FLT_MIN, -FLT_MIN, 0x1p-149f}, y[QL_PAD];
    k->exp(QL_PAD, x, y);
    for (int i = 0; i < QL_PAD; i++) assert_true(y[i] == 1);
    k->log1p(QL_PAD, x, y);
    assert_true(y[0] == 0 && y[2] == 1e-30f && y[4] == FLT_MIN);
    for (int i = 0; i < QL_PAD; i++) x[i] = 1;
    k->log(QL_PAD, x, y);
    assert_true(y[0] == 0 && !signbit(y[0]));
}

/* Outside [-87, 88] exp is held at the ends; nothing overflows. */
static void exp_is_held_outside_its_range(void **state)
{
    (void)state;
    const ql_kern *k = best_table();
    float x[QL_PAD] = {88, 89, 1e30f, FLT_MAX, INFINITY, -87, -88, -1e30f, -FLT_MAX, -INFINITY},
          y[QL_PAD];
    k->exp(QL_PAD, x, y);
    for (int i = 1; i < 5; i++) assert_true(y[i] == y[0] && isfinite(y[i]));
    for (int i = 6; i < 10; i++) assert_true(y[i] == y[5] && y[i] >= FLT_MIN);
}

/* ---- links, reached through a likelihood's link kernel ---- */

static void link_zinb(int64_t n, const float *x, float *mean, float *disp, float *pi)
{
    float one[LOT];
    for (int i = 0; i < LOT; i++) one[i] = 1;
    memcpy(mean, x, (size_t)n * sizeof *x);
    memcpy(disp, x, (size_t)n * sizeof *x);
    memcpy(pi, x, (size_t)n * sizeof *x);
    best_table()->zinb_CELL.link(
        &(ql_lik_args){.n = 1, .ld = n, .mean = mean, .disp = disp, .pi = pi, .size = one});
}

static void link_mean(int64_t n, const float *x, float *y)
{
    float b[LOT], c[LOT];
    link_zinb(n, x, y, b, c);
}

static void link_softplus(int64_t n, const float *x, float *y)
{
    float a[LOT], c[LOT];
    link_zinb(n, x, a, y, c);
}

static void link_logistic(int64_t n, const float *x, float *y)
{
    float a[LOT], b[LOT];
    link_zinb(n, x, a, b, y);
}

static double softplus(double x)
{
    return (x > 0 ? x : 0) + log1p(exp(-fabs(x)));
}

static double logistic(double x)
{
    return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
}

static double clipped(double x, double lo, double hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

static double theta_of(double x)
{
    return clipped(softplus(x), (double)1e-4f, 1e4);
}

static double mean_of(double x)
{
    return clipped(exp(x), (double)1e-5f, 1e6);
}

static void links_are_accurate(void **state)
{
    (void)state;
    check("softplus, x >= 0", worst(link_softplus, theta_of, 0, 2e4f, 2003), SOFTPLUS_ULP);
    check("softplus, x < 0", worst(link_softplus, theta_of, -0.0f, -40, 2003), SOFTPLUS_ULP);
    check("logistic, x >= 0", worst(link_logistic, logistic, 0, 40, 2003), LOGISTIC_ULP);
    check("logistic, x < 0", worst(link_logistic, logistic, -0.0f, -86, 2003), LOGISTIC_ULP);
    check("mean, x >= 0", worst(link_mean, exp, 0, 13.8155f, 2003), EXP_ULP);
    check("mean, x < 0", worst(link_mean, exp, -0.0f, -11.5129f, 2003), EXP_ULP);
    check("mean, held at 1e6", worst(link_mean, mean_of, 13.81552f, 40, 2003), CLIP_ULP);
    check("mean, held at 1e-5", worst(link_mean, mean_of, -11.51293f, -40, 2003), CLIP_ULP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exp_is_accurate),
        cmocka_unit_test(log_is_accurate),
        cmocka_unit_test(log1p_is_accurate),
        cmocka_unit_test(exact_points),
        cmocka_unit_test(exp_is_held_outside_its_range),
        cmocka_unit_test(links_are_accurate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
