/* Numbers of the laws: moments here, their distribution in tests/python/test_variates.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "quell/rng_draw.h"
#include "quell/variates.h"

#include "fixture_random.h"

enum { N = 200000 };

typedef struct {
    const char *name;
    ql_law law;
    double mean, theta, pi; /* law -1: gamma of shape theta */
    double want_mean, want_var;
} check;

/* ZINB: (1 - pi) m and (1 - pi) m (m + theta + pi theta m) / theta. */
static const check checks[] = {
    {"poisson-0.02", QL_LAW_POISSON, 0.02, 0, 0, 0.02, 0.02},
    {"poisson-9.99", QL_LAW_POISSON, 9.99, 0, 0, 9.99, 9.99},
    {"poisson-10", QL_LAW_POISSON, 10, 0, 0, 10, 10},
    {"poisson-37.5", QL_LAW_POISSON, 37.5, 0, 0, 37.5, 37.5},
    {"poisson-12345", QL_LAW_POISSON, 12345, 0, 0, 12345, 12345},
    {"nb-3-0.4", QL_LAW_NB, 3, 0.4, 0, 3, 3 + 9 / 0.4},
    {"nb-50-7", QL_LAW_NB, 50, 7, 0, 50, 50 + 2500 / 7.0},
    {"zinb-6-2-0.3", QL_LAW_ZINB, 6, 2, 0.3, 0.7 * 6, 0.7 * 6 * (6 + 2 + 0.3 * 2 * 6) / 2},
    {"bernoulli-0.3", QL_LAW_BERNOULLI, 0.3, 0, 0, 0.3, 0.21},
    {"normal--2-3", QL_LAW_NORMAL, -2, 3, 0, -2, 9},
    {"gamma-0.05", (ql_law)-1, 0, 0.05, 0, 0.05, 0.05},
    {"gamma-0.7", (ql_law)-1, 0, 0.7, 0, 0.7, 0.7},
    {"gamma-1", (ql_law)-1, 0, 1, 0, 1, 1},
    {"gamma-30", (ql_law)-1, 0, 30, 0, 30, 30},
};
enum { N_CHECKS = sizeof checks / sizeof *checks };

static double draw(const check *c, uint64_t i)
{
    ql_rng r = ql_rng_start(11, QL_RNG_COUNTS, i, 3);
    if (c->law == (ql_law)-1) return ql_rng_gamma(&r, c->theta);
    return ql_draw_count(&r, c->law, c->mean, c->theta, c->pi);
}

static void moments(void **state)
{
    (void)state;
    for (int k = 0; k < N_CHECKS; k++) {
        const check *c = &checks[k];
        double sum = 0, square = 0, fourth = 0;
        for (uint64_t i = 0; i < N; i++) {
            const double d = draw(c, i) - c->want_mean;
            sum += d;
            square += d * d;
            fourth += d * d * d * d;
        }
        const double var = square / N, error = sqrt((fourth / N - var * var) / N);
        if (fabs(sum / N) > 5 * sqrt(c->want_var / N) || fabs(var - c->want_var) > 5 * error)
            fail_msg("%s: mean off by %g, variance %g not %g", c->name, sum / N, var, c->want_var);
    }
}

static void limits(void **state)
{
    (void)state;
    ql_rng r = random_start(1);
    assert_true(ql_draw_count(&r, QL_LAW_POISSON, 0, 0, 0) == 0);
    assert_true(ql_draw_count(&r, QL_LAW_POISSON, NAN, 0, 0) == 0);
    assert_true(ql_draw_count(&r, QL_LAW_POISSON, -1, 0, 0) == 0);
    assert_true(ql_draw_count(&r, QL_LAW_ZINB, 1e9, 1, 1) == 0);
    for (int i = 0; i < 1000; i++) {
        assert_true(ql_draw_count(&r, QL_LAW_POISSON, 1e300, 0, 0) <= QL_COUNT_MOST);
        const double x = ql_draw_count(&r, QL_LAW_NB, 1e6, 1e-4, 0);
        assert_true(x >= 0 && x <= QL_COUNT_MOST);
    }
}

/* What the test in Python reads: a line a law, name and draws. */
static void write_draws(void **state)
{
    (void)state;
    const char *folder = getenv("QUELL_TEST_FILES");
    char path[512];
    if (!folder) skip();
    snprintf(path, sizeof path, "%s/variates.txt", folder);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    for (int k = 0; k < N_CHECKS; k++) {
        fprintf(f, "%s", checks[k].name);
        for (uint64_t i = 0; i < 20000; i++) fprintf(f, " %.17g", draw(&checks[k], i));
        fprintf(f, "\n");
    }
    assert_int_equal(fclose(f), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments),
        cmocka_unit_test(limits),
        cmocka_unit_test(write_draws),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
