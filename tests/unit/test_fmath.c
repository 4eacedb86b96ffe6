/* Our own exp and log in float64 against the C library's in long double. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>

#include "quell/fmath.h"

#include "fixture_random.h"

/* The header's bound; where long double is no wider, the library's own half bit comes on top. */
#define BOUND (LDBL_MANT_DIG > DBL_MANT_DIG ? 2.0 : 2.6)

static double ulps(double got, long double want)
{
    double near = fabs((double)want);
    double step = nextafter(near, INFINITY) - near;
    return (double)(fabsl((long double)got - want) / (long double)step);
}

static double worst_log(double lo, double hi, uint64_t seed)
{
    ql_rng r = random_start(seed);
    double most = 0;
    for (int i = 0; i < 300000; i++) {
        double x = exp(random_in(&r, log(lo), log(hi))), e = ulps(ql_log(x), logl((long double)x));
        if (!(e <= most)) most = e;
    }
    return most;
}

static double worst_exp(double lo, double hi, uint64_t seed)
{
    ql_rng r = random_start(seed);
    double most = 0;
    for (int i = 0; i < 300000; i++) {
        double x = random_in(&r, lo, hi), e = ulps(ql_exp(x), expl((long double)x));
        if (!(e <= most)) most = e;
    }
    return most;
}

static void check(const char *what, double error)
{
    print_message("%s: %.3f ulp\n", what, error);
    assert_true(error <= BOUND);
}

static void log_is_accurate(void **state)
{
    (void)state;
    check("log, all", worst_log(1e-307, 1e307, 1));
    check("log, [0.5, 2]", worst_log(0.5, 2, 2));
    check("log, next to 1", worst_log(1 - 1e-6, 1 + 1e-6, 3));
    check("log, [1, 1e5]", worst_log(1, 1e5, 4));
}

static void log_at_the_edges(void **state)
{
    (void)state;
    const double at[] = {DBL_MIN,
                         DBL_MAX,
                         DBL_MIN / 4,
                         0x1p-1074,
                         0x1p-1050,
                         0.70710678118654752,
                         0.70710678118654757,
                         1.4142135623730949,
                         1.4142135623730951,
                         2,
                         0.5,
                         1 + DBL_EPSILON,
                         1 - DBL_EPSILON / 2};
    assert_true(ql_log(1) == 0);
    for (size_t i = 0; i < sizeof at / sizeof *at; i++)
        assert_true(ulps(ql_log(at[i]), logl((long double)at[i])) <= BOUND);
}

static void exp_is_accurate(void **state)
{
    (void)state;
    check("exp, all", worst_exp(-708, 709, 5));
    check("exp, [-1, 1]", worst_exp(-1, 1, 6));
    check("exp, [-40, 40]", worst_exp(-40, 40, 7));
}

static void exp_at_the_edges(void **state)
{
    (void)state;
    assert_true(ql_exp(0) == 1 && ql_exp(-0.0) == 1);
    assert_true(ql_exp(-708.1) == 0 && ql_exp(-1e300) == 0 && ql_exp(-INFINITY) == 0);
    assert_true(ql_exp(709) == ql_exp(710) && ql_exp(INFINITY) == ql_exp(709) &&
                isfinite(ql_exp(709)));
    assert_true(ulps(ql_exp(709), expl(709)) <= BOUND);
    assert_true(ulps(ql_exp(-708), expl(-708)) <= BOUND);
    assert_true(ql_exp(1e-300) == 1);
}

static void one_undoes_the_other(void **state)
{
    (void)state;
    for (double x = -700; x < 700; x += 0.7)
        assert_true(fabs(ql_log(ql_exp(x)) - x) <= 1e-15 * (1 + 2 * fabs(x)));
}

/* Against the error function of the C library, which decides no number that quell writes. */
static void normal_is_accurate(void **state)
{
    (void)state;
    for (double x = -12; x < 12; x += 1.3e-4) {
        double want = (double)(0.5L * erfcl(-(long double)x / sqrtl(2)));
        double error = fabs(ql_normal_cdf(x) - want);
        assert_true(error <= 1e-15);
        if (x > -10) assert_true(error <= 1e-14 * want);
    }
    assert_true(ql_normal_cdf(0) == 0.5 && ql_normal_cdf(40) == 1 && ql_normal_cdf(-40) == 0);
    assert_true(ql_normal_cdf(INFINITY) == 1 && ql_normal_cdf(-INFINITY) == 0);
    assert_true(isnan(ql_normal_cdf(NAN)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(log_is_accurate),      cmocka_unit_test(log_at_the_edges),
        cmocka_unit_test(exp_is_accurate),      cmocka_unit_test(exp_at_the_edges),
        cmocka_unit_test(one_undoes_the_other), cmocka_unit_test(normal_is_accurate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
