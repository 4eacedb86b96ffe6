/* Gamma and Poisson draws: moments, and the whole distribution by Kolmogorov's and chi-square
 * tests. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "quell/rng_draw.h"
#include "quell/special.h"

#include "fixture_random.h"

enum { N = 100000 };

static double draws[N];

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Mean and variance within 5 standard errors; excess: kurtosis above the normal's. */
static void check_moments(double mean, double variance, double excess)
{
    double sum = 0, squares = 0;
    for (int i = 0; i < N; i++) sum += draws[i];
    sum /= N;
    for (int i = 0; i < N; i++) squares += (draws[i] - sum) * (draws[i] - sum);
    squares /= N - 1;
    assert_true(fabs(sum - mean) < 5 * sqrt(variance / N));
    assert_true(fabs(squares / variance - 1) < 5 * sqrt((2 + excess) / N));
}

/* The largest difference of the distribution functions; 2.2 / sqrt(N) is exceeded once in 8000
 * times. Shares where draws are 0 are those of everything below what a double holds. */
static void check_gamma(double a)
{
    double most = 0;
    for (int i = 0; i < N; i++) {
        ql_rng r = random_start((uint64_t)i + 1);
        draws[i] = ql_rng_gamma(&r, a);
        assert_true(draws[i] >= 0 && isfinite(draws[i]));
    }
    if (a > 0.05) check_moments(a, a, 6 / a);
    qsort(draws, N, sizeof *draws, by_value);
    for (int i = 0; i < N; i++) {
        if (draws[i] < 1e-300) continue;
        const double p = ql_gamma_below(a, draws[i]);
        const double d = fmax(p - (double)i / N, (i + 1.0) / N - p);
        if (d > most) most = d;
    }
    if (most * sqrt(N) > 2.2) fail_msg("shape %g: distance %g", a, most * sqrt(N));
}

static void gammas_have_their_distribution(void **state)
{
    (void)state;
    static const double shapes[] = {1e-3, 0.01, 0.1, 0.5, 0.999, 1, 1.5, 4, 40, 1e4, 1e8};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) check_gamma(shapes[i]);
}

/* Sum over counts, those with few expected together, of (seen - expected)^2 / expected; the normal
 * number it stands for after Wilson and Hilferty. */
static double chi_square_z(double (*at)(double a, double b, double k), double a, double b)
{
    double chi = 0, cells = 0, seen = 0, expected = 0;
    int next = 0;
    for (double k = 0; next < N; k++) {
        for (; next < N && draws[next] == k; next++) seen += 1;
        expected += N * at(a, b, k);
        if (expected < 20 && next < N) continue;
        if (expected < 5) break;
        chi += (seen - expected) * (seen - expected) / expected;
        cells += 1;
        seen = expected = 0;
    }
    const double df = cells > 1 ? cells - 1 : 1;
    return (cbrt(chi / df) - (1 - 2 / (9 * df))) / sqrt(2 / (9 * df));
}

static double poisson_at(double m, double unused, double k)
{
    (void)unused;
    return exp(k * log(m) - m - lgamma(k + 1));
}

static double negbin_at(double m, double a, double k)
{
    return ql_negbin_at(m, a, k).at;
}

static void poissons_have_their_distribution(void **state)
{
    (void)state;
    static const double means[] = {1e-3, 0.1, 1, 5, 9.99, 10, 12, 30, 100, 1000, 1e5};
    for (size_t i = 0; i < sizeof means / sizeof *means; i++) {
        for (int j = 0; j < N; j++) {
            ql_rng r = random_start((uint64_t)j + 7);
            draws[j] = ql_rng_poisson(&r, means[i]);
            assert_true(draws[j] >= 0 && draws[j] == floor(draws[j]));
        }
        check_moments(means[i], means[i], 1 / means[i]);
        if (means[i] > 1e4) continue; /* too many counts for too few draws */
        qsort(draws, N, sizeof *draws, by_value);
        const double z = chi_square_z(poisson_at, means[i], 0);
        if (!(fabs(z) < 4)) fail_msg("mean %g: z %g", means[i], z);
    }
}

static void negative_binomials_have_their_distribution(void **state)
{
    (void)state;
    static const double of[][2] = {{0.5, 0.2}, {3, 1}, {20, 5}, {50, 1000}};
    for (size_t i = 0; i < sizeof of / sizeof *of; i++) {
        for (int j = 0; j < N; j++) {
            ql_rng r = random_start((uint64_t)j + 11);
            draws[j] = ql_rng_negbin(&r, of[i][0], of[i][1]);
        }
        qsort(draws, N, sizeof *draws, by_value);
        const double z = chi_square_z(negbin_at, of[i][0], of[i][1]);
        if (!(fabs(z) < 4)) fail_msg("mean %g, shape %g: z %g", of[i][0], of[i][1], z);
    }
}

static void hostile_parameters_end(void **state)
{
    (void)state;
    ql_rng r = random_start(3);
    assert_true(isnan(ql_rng_gamma(&r, 0)) && isnan(ql_rng_gamma(&r, -1)));
    assert_true(isnan(ql_rng_gamma(&r, NAN)));
    assert_true(ql_rng_gamma(&r, 1e-12) >= 0);
    assert_true(fabs(ql_rng_gamma(&r, 1e300) / 1e300 - 1) < 1e-10);
    assert_true(ql_rng_poisson(&r, 0) == 0 && ql_rng_poisson(&r, -1) == 0);
    assert_true(ql_rng_poisson(&r, NAN) == 0);
    assert_true(ql_rng_poisson(&r, 1e15) > 9.9e14 && ql_rng_poisson(&r, 1e300) == 1e300);
}

/* The same draws on every machine: these are part of what a seed means. */
static void draws_are_what_they_were(void **state)
{
    (void)state;
    ql_rng r = random_start(1);
    assert_true(ql_rng_gamma(&r, 0.3) == 0x1.16b1a09355603p-1);
    assert_true(ql_rng_gamma(&r, 30) == 0x1.954fbf54e721ep+4);
    assert_true(ql_rng_poisson(&r, 3) == 2);
    assert_true(ql_rng_poisson(&r, 300) == 286);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gammas_have_their_distribution),
        cmocka_unit_test(poissons_have_their_distribution),
        cmocka_unit_test(negative_binomials_have_their_distribution),
        cmocka_unit_test(hostile_parameters_end),
        cmocka_unit_test(draws_are_what_they_were),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
