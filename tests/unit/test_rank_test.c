/* Wilcoxon's test with ties against scipy.stats.mannwhitneyu(method="asymptotic",
 * use_continuity=False) 1.17, and van Elteren's against its definition. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "quell/rank_test.h"

#include "fixture_random.h"

enum { N = 12 };
static const float x[N] = {0, 0, 1, 3, 2, 0, 0, 5, 1, 1, 2, 7};
static const uint8_t in[N] = {1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0};

/* Ranks of x [n], n at most N. */
static void ranks_of(const float *values, int64_t n, double *rank)
{
    ql_ranked list[N];
    for (int64_t i = 0; i < n; i++) list[i] = (ql_ranked){(double)values[i], i};
    ql_midranks(list, n, rank);
}

static void ranks_of_ties_are_their_mean(void **state)
{
    (void)state;
    static const double want[N] = {2.5, 2.5, 6, 10, 8.5, 2.5, 2.5, 11, 6, 6, 8.5, 12};
    double rank[N];
    ranks_of(x, N, rank);
    for (int i = 0; i < N; i++) assert_true(rank[i] == want[i]);
}

static ql_rank_sum sum_of(const float *values, const uint8_t *members, int64_t n)
{
    double rank[N];
    ql_rank_sum s = {0, 0};
    ranks_of(values, n, rank);
    ql_rank_sum_add(&s, rank, members, n);
    return s;
}

static void one_stratum_is_scipys_test(void **state)
{
    (void)state;
    const ql_rank_sum s = sum_of(x, in, N);
    assert_true(fabs(ql_two_sided(s.sum / sqrt(s.variance)) - 0.61672267588104446) < 1e-12);
}

/* z of the weighted sum over strata, each with the variance that permutation gives it. */
static void strata_add_up(void **state)
{
    (void)state;
    const ql_rank_sum a = sum_of(x, in, 7), b = sum_of(x + 7, in + 3, 5);
    ql_rank_sum both = {0, 0};
    double rank[N];
    ranks_of(x, 7, rank);
    ql_rank_sum_add(&both, rank, in, 7);
    ranks_of(x + 7, 5, rank);
    ql_rank_sum_add(&both, rank, in + 3, 5);
    assert_true(fabs(both.sum - a.sum - b.sum) < 1e-12);
    assert_true(fabs(both.variance - a.variance - b.variance) < 1e-12);
}

/* The variance is that over all choices of the group: 3 of 6. */
static void variance_is_that_of_all_choices(void **state)
{
    (void)state;
    static const float v[6] = {1, 1, 4, 2, 2, 2};
    double sum = 0, square = 0, variance = 0;
    int n = 0;
    for (int bits = 0; bits < 64; bits++) {
        uint8_t members[6];
        int size = 0;
        for (int i = 0; i < 6; i++) size += members[i] = (uint8_t)(bits >> i & 1);
        if (size != 3) continue;
        const ql_rank_sum s = sum_of(v, members, 6);
        sum += s.sum;
        square += s.sum * s.sum;
        variance = s.variance;
        n++;
    }
    assert_true(fabs(sum) < 1e-12 && n == 20);
    assert_true(fabs(square / n - variance) < 1e-12);
}

/* Among groups drawn at random, 5 % are called at 5 %. */
static void null_tests_are_called_as_often_as_they_say(void **state)
{
    (void)state;
    enum { TESTS = 20000, CELLS = 12 };
    ql_rng r = random_start(2);
    int called = 0;
    for (int t = 0; t < TESTS; t++) {
        ql_rank_sum s = {0, 0};
        for (int stratum = 0; stratum < 8; stratum++) {
            float v[CELLS];
            uint8_t members[CELLS];
            double rank[CELLS];
            for (int i = 0; i < CELLS; i++) {
                v[i] = (float)ql_rng_below(&r, 4);
                members[i] = (uint8_t)ql_rng_below(&r, 2);
            }
            ranks_of(v, CELLS, rank);
            ql_rank_sum_add(&s, rank, members, CELLS);
        }
        called += ql_two_sided(s.sum / sqrt(s.variance)) < 0.05;
    }
    assert_true(fabs((double)called / TESTS - 0.05) < 0.006);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranks_of_ties_are_their_mean),
        cmocka_unit_test(one_stratum_is_scipys_test),
        cmocka_unit_test(strata_add_up),
        cmocka_unit_test(variance_is_that_of_all_choices),
        cmocka_unit_test(null_tests_are_called_as_often_as_they_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
