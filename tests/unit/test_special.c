/* Special functions against values of mpmath (fixture_special.h), and the C library's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <float.h>
#include <math.h>

#include "quell/special.h"

#include "fixture_special.h"

static void check(double got, double want, double bound, double a, double b)
{
    if (want < DBL_MIN) {
        assert_true(got >= 0 && got <= DBL_MIN);
        return;
    }
    if (!(fabs(got - want) <= bound * want))
        fail_msg("%g, %g: %.17g instead of %.17g", a, b, got, want);
}

static void quantiles_are_those_of_mpmath(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof gamma_quantiles / sizeof *gamma_quantiles; i++) {
        const double *row = gamma_quantiles[i];
        /* of tiny shapes the level's last bit moves the quantile by 1 / shape bits */
        const double bound = 1e-10 + 4e-16 / row[0];
        check(ql_gamma_quantile(row[0], row[1]), row[2], bound, row[0], row[1]);
    }
}

static void tails_invert_quantiles(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof gamma_quantiles / sizeof *gamma_quantiles; i++) {
        const double *row = gamma_quantiles[i];
        if (row[2] < DBL_MIN || row[0] > 1e6) continue; /* there x's own last bit is too coarse */
        check(ql_gamma_below(row[0], row[2]), row[1], 1e-9, row[0], row[1]);
        check(ql_gamma_above(row[0], row[2]), 1 - row[1], 1e-9, row[0], row[1]);
    }
}

static void mean_logarithms_are_those_of_mpmath(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof gamma_mean_log1p / sizeof *gamma_mean_log1p; i++) {
        const double *row = gamma_mean_log1p[i];
        check(ql_gamma_mean_log1p(row[0], row[1]), row[2], 1e-7, row[0], row[1]);
    }
    assert_true(ql_gamma_mean_log1p(1, 0) == 0);
}

static void elementary_ones_are_those_of_the_library(void **state)
{
    (void)state;
    for (double x = 1e-12; x < 1e12; x *= 1.7) {
        check(ql_log1p(x), log1p(x), 1e-14, x, 0);
        if (x < 700) check(ql_expm1(x), expm1(x), 1e-14, x, 0);
        if (x < 1) check(-ql_log1p(-x), -log1p(-x), 1e-13, x, 0);
        check(-ql_expm1(-x), -expm1(-x), 1e-14, x, 0);
        assert_true(fabs(ql_lgamma(x) - lgamma(x)) <= 1e-14 * fmax(1, fabs(lgamma(x))));
    }
    check(-ql_lgamma1p(1e-9), 5.7721566407e-10, 1e-9, 1e-9, 0);
}

/* The sum of probabilities, and the mean and variance they have. */
static void negative_binomials_add_up(void **state)
{
    (void)state;
    static const double of[][2] = {{0.01, 0.1}, {3, 0.5}, {40, 1000}, {2000, 1e7}, {7, 0.3}};
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        const double m = of[i][0], a = of[i][1], variance = m + m * m / a;
        double sum = 0, mean = 0, square = 0;
        for (double t = 0; t < m + 60 * sqrt(variance) + 20; t++) {
            const ql_negbin p = ql_negbin_at(m, a, t);
            if (t < 4000) assert_true(fabs(p.below - sum) < 1e-9);
            sum += p.at;
            mean += t * p.at;
            square += t * t * p.at;
        }
        assert_true(fabs(sum - 1) < 1e-9 && fabs(mean / m - 1) < 1e-6);
        assert_true(fabs((square - mean * mean) / variance - 1) < 1e-4);
    }
}

static void hostile_values_end(void **state)
{
    (void)state;
    assert_true(isnan(ql_gamma_quantile(0, 0.5)) && isnan(ql_gamma_quantile(NAN, 0.5)));
    assert_true(isnan(ql_gamma_quantile(1, 1)) && isnan(ql_gamma_quantile(1, -0.1)));
    assert_true(ql_gamma_quantile(3, 0) == 0 && ql_gamma_quantile(1e-8, 0.95) == 0);
    assert_true(ql_negbin_at(0, 1, 0).at == 1 && ql_negbin_at(0, 1, 2).below == 1);
    assert_true(ql_negbin_at(1e-8, 1e4, 1e6).at == 0 && ql_negbin_at(1e-8, 1e4, 1e6).below == 1);
    assert_true(ql_negbin_at(1e6, 1e4, 0).at < 1e-300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_are_those_of_mpmath),
        cmocka_unit_test(tails_invert_quantiles),
        cmocka_unit_test(mean_logarithms_are_those_of_mpmath),
        cmocka_unit_test(elementary_ones_are_those_of_the_library),
        cmocka_unit_test(negative_binomials_add_up),
        cmocka_unit_test(hostile_values_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
