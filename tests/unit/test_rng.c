/* Philox against its published answers; what is drawn with it against what it should be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "quell/rng.h"

/* Random123's known-answer vectors of philox4x32-10. */
static void philox_gives_the_known_answers(void **state)
{
    (void)state;
    static const struct {
        uint32_t ctr[4], key[2], out[4];
    } kat[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof kat / sizeof kat[0]; i++) {
        ql_rng_block block = ql_philox(kat[i].ctr, kat[i].key);
        assert_memory_equal(block.word, kat[i].out, sizeof kat[i].out);
    }
}

/* Positions that differ in one coordinate, high bits included, give different blocks. */
static void positions_share_no_numbers(void **state)
{
    (void)state;
    const uint64_t top = (uint64_t)1 << 43, word = (uint64_t)1 << 32;
    const ql_rng_block blocks[] = {
        ql_rng_at(7, QL_RNG_SPLIT, 0, 0, 0),    ql_rng_at(7, QL_RNG_SHUFFLE, 0, 0, 0),
        ql_rng_at(7, QL_RNG_SPLIT, 1, 0, 0),    ql_rng_at(7, QL_RNG_SPLIT, 0, 1, 0),
        ql_rng_at(7, QL_RNG_SPLIT, 0, 0, 1),    ql_rng_at(7, QL_RNG_SPLIT, word, 0, 0),
        ql_rng_at(7, QL_RNG_SPLIT, 0, word, 0), ql_rng_at(7, QL_RNG_SPLIT, top, 0, 0),
        ql_rng_at(7, QL_RNG_SPLIT, 0, top, 0),  ql_rng_at(7, QL_RNG_SPLIT, 16 * word, 0, 0),
        ql_rng_at(8, QL_RNG_SPLIT, 0, 0, 0),    ql_rng_at(7 + word, QL_RNG_SPLIT, 0, 0, 0),
    };
    const size_t n = sizeof blocks / sizeof blocks[0];
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            assert_memory_not_equal(&blocks[i], &blocks[k], sizeof blocks[i]);
}

static void a_sequence_walks_the_blocks(void **state)
{
    (void)state;
    ql_rng rng = ql_rng_start(42, QL_RNG_THIN, 3, 1000);
    for (uint32_t i = 0; i < 40; i++)
        assert_int_equal(ql_rng_word(&rng), ql_rng_at(42, QL_RNG_THIN, 3, 1000, i / 4).word[i % 4]);
}

/* What a seed means may never change: these words are part of every published result. */
static void a_seed_means_the_same_forever(void **state)
{
    (void)state;
    ql_rng_block block = ql_rng_at(1, QL_RNG_INIT, 2, 3, 4);
    const uint32_t ctr[4] = {4, 3, 2, QL_RNG_INIT}, key[2] = {1, 0};
    ql_rng_block raw = ql_philox(ctr, key);
    assert_memory_equal(&block, &raw, sizeof raw);

    ql_rng rng = ql_rng_start(1, QL_RNG_SHUFFLE, 0, 0);
    int64_t order[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    const int64_t shuffled[8] = {5, 4, 3, 0, 6, 7, 2, 1};
    ql_rng_shuffle(&rng, order, 8);
    assert_memory_equal(order, shuffled, sizeof shuffled);

    const uint32_t drawn[6] = {4, 35, 191, 1542, 12233, 98425};
    for (uint32_t i = 0; i < 6; i++) {
        rng = ql_rng_start(1, QL_RNG_THIN, 0, i);
        assert_int_equal(ql_rng_binomial(&rng, 10u << 3 * i, 0.3), drawn[i]);
    }
}

static void units_are_below_one(void **state)
{
    (void)state;
    assert_true(ql_rng_unit(0) == 0.0f);
    assert_true(ql_rng_unit(UINT32_MAX) < 1.0f);
    assert_true(ql_rng_unit(0x80000000u) == 0.5f);
}

static void below_is_uniform(void **state)
{
    (void)state;
    enum { N = 7, DRAWS = 70000 };
    ql_rng rng = ql_rng_start(1, QL_RNG_SPLIT, 0, 0);
    int count[N] = {0};
    for (int i = 0; i < DRAWS; i++) {
        uint32_t x = ql_rng_below(&rng, N);
        assert_true(x < N);
        count[x]++;
    }
    double chi2 = 0;
    for (int i = 0; i < N; i++) chi2 += pow(count[i] - DRAWS / N, 2) / (DRAWS / N);
    assert_true(chi2 < 22.5); /* p = 0.001 at 6 degrees of freedom */

    assert_int_equal(ql_rng_below(&rng, 1), 0);
    /* 2/3 of all words: without rejection every even number would come twice as often. */
    int even = 0;
    for (int i = 0; i < 30000; i++) even += ql_rng_below(&rng, 0xaaaaaaabu) % 2 == 0;
    assert_in_range(even, 14650, 15350);
}

static void shuffles_are_fair_permutations(void **state)
{
    (void)state;
    enum { N = 5, TRIALS = 20000 };
    int at[N][N] = {{0}};
    for (int t = 0; t < TRIALS; t++) {
        ql_rng rng = ql_rng_start(1, QL_RNG_SHUFFLE, (uint64_t)t, 0);
        int64_t items[N] = {0, 1, 2, 3, 4};
        ql_rng_shuffle(&rng, items, N);
        int seen = 0;
        for (int i = 0; i < N; i++) {
            seen |= 1 << items[i];
            at[items[i]][i]++;
        }
        assert_int_equal(seen, (1 << N) - 1);
    }
    for (int i = 0; i < N; i++)
        for (int k = 0; k < N; k++) assert_in_range(at[i][k], TRIALS / N - 250, TRIALS / N + 250);
}

/* Mean, variance and third moment of many draws within 4.5 standard errors. */
static void check_binomial(uint32_t n, double p)
{
    enum { DRAWS = 20000 };
    double mean = n * p, var = n * p * (1 - p), m1 = 0, m2 = 0;
    for (uint64_t i = 0; i < DRAWS; i++) {
        ql_rng rng = ql_rng_start(11, QL_RNG_THIN, n, i);
        uint32_t x = ql_rng_binomial(&rng, n, p);
        assert_true(x <= n);
        m1 += x - mean;
        m2 += (x - mean) * (x - mean);
    }
    m1 /= DRAWS;
    m2 /= DRAWS;
    double fourth =
        var * (1 + 3 * var * (n > 2 ? (double)(n - 2) / n : 0)); /* upper bound enough */
    assert_true(fabs(m1) <= 4.5 * sqrt(var / DRAWS));
    assert_true(fabs(m2 - var) <= 4.5 * sqrt((fourth + var) / DRAWS));
}

static void binomials_have_the_right_moments(void **state)
{
    (void)state;
    const uint32_t n[] = {1, 2, 5, 31, 32, 33, 64, 100, 1000};
    const double p[] = {0.01, 0.1, 0.25, 0.5, 0.8, 0.9999};
    for (size_t i = 0; i < sizeof n / sizeof n[0]; i++)
        for (size_t k = 0; k < sizeof p / sizeof p[0]; k++) check_binomial(n[i], p[k]);
}

/* All outcomes of a small case against their exact probabilities. */
static void binomials_follow_the_distribution(void **state)
{
    (void)state;
    enum { N = 4, DRAWS = 100000 };
    const double p = 0.3;
    const double prob[N + 1] = {0.2401, 0.4116, 0.2646, 0.0756, 0.0081};
    int count[N + 1] = {0};
    ql_rng rng = ql_rng_start(3, QL_RNG_MCV, 0, 0);
    for (int i = 0; i < DRAWS; i++) count[ql_rng_binomial(&rng, N, p)]++;
    double chi2 = 0;
    for (int i = 0; i <= N; i++) {
        double expected = prob[i] * DRAWS;
        chi2 += (count[i] - expected) * (count[i] - expected) / expected;
    }
    assert_true(chi2 < 18.5); /* p = 0.001 at 4 degrees of freedom */
}

static void binomial_limits(void **state)
{
    (void)state;
    ql_rng rng = ql_rng_start(1, QL_RNG_THIN, 0, 0);
    assert_int_equal(ql_rng_binomial(&rng, 100, 0), 0);
    assert_int_equal(ql_rng_binomial(&rng, 100, -1), 0);
    assert_int_equal(ql_rng_binomial(&rng, 100, (double)NAN), 0);
    assert_int_equal(ql_rng_binomial(&rng, 100, 1), 100);
    assert_int_equal(ql_rng_binomial(&rng, 100, 2), 100);
    assert_int_equal(ql_rng_binomial(&rng, 0, 0.5), 0);
    assert_int_equal(rng.next, 0);
    uint32_t x = ql_rng_binomial(&rng, UINT32_MAX / 64, 0.5);
    assert_in_range(x, 33554432 - 25000, 33554432 + 25000);
    assert_int_equal(ql_rng_binomial(&rng, 1000, 1e-300), 0);
    assert_int_equal(ql_rng_binomial(&rng, 1000, 1 - 0x1p-53), 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(philox_gives_the_known_answers),
        cmocka_unit_test(positions_share_no_numbers),
        cmocka_unit_test(a_sequence_walks_the_blocks),
        cmocka_unit_test(a_seed_means_the_same_forever),
        cmocka_unit_test(units_are_below_one),
        cmocka_unit_test(below_is_uniform),
        cmocka_unit_test(shuffles_are_fair_permutations),
        cmocka_unit_test(binomials_have_the_right_moments),
        cmocka_unit_test(binomials_follow_the_distribution),
        cmocka_unit_test(binomial_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
