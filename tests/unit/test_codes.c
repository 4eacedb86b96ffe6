/* Binary codes and the search among them (src/space). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "quell/codes.h"
#include "quell/rng.h"

#define assert_ok(call)                                                                            \
    do {                                                                                           \
        if ((call) != QL_OK) fail_msg("%s: %s", #call, err.msg);                                   \
    } while (0)

enum { N = 500, BITS = 70, K = 9, QUERIES = 20 };

static void search_is_that_of_all_pairs(void **state)
{
    ql_err err = {0};
    ql_codes points, queries;
    float *x = malloc(N * BITS * sizeof *x), half[BITS];
    int32_t index[QUERIES * K], bits[QUERIES * K], again[QUERIES * K];
    (void)state;
    for (int d = 0; d < BITS; d++) half[d] = 0.5f;
    for (int i = 0; i < N * BITS; i++)
        x[i] = ql_rng_unit(ql_rng_at(1, QL_RNG_PCA, (uint64_t)i, 0, 0).word[0]);
    for (int d = 0; d < BITS; d++) x[40 * BITS + d] = x[17 * BITS + d] = x[3 * BITS + d];
    assert_ok(ql_codes_of(x, N, BITS, half, &points, &err));
    assert_ok(ql_codes_of(x, QUERIES, BITS, half, &queries, &err));
    assert_ok(ql_codes_search(&points, &queries, K, 1, index, bits, &err));
    for (int q = 0; q < QUERIES; q++) {
        char taken[N] = {0};
        for (int e = 0; e < K; e++) { /* the nearest that is left, the first of equals */
            int best = -1, least = BITS + 1;
            for (int i = 0; i < N; i++) {
                int differ = 0;
                for (int d = 0; d < BITS; d++)
                    differ += (x[i * BITS + d] > 0.5f) != (x[q * BITS + d] > 0.5f);
                if (taken[i] || differ >= least) continue;
                least = differ;
                best = i;
            }
            taken[best] = 1;
            assert_int_equal(index[q * K + e], best);
            assert_int_equal(bits[q * K + e], least);
        }
    }
    assert_int_equal(index[3 * K + 1], 17);
    assert_int_equal(index[3 * K + 2], 40);
    assert_ok(ql_codes_search(&points, &queries, K, 3, again, bits, &err));
    assert_memory_equal(index, again, sizeof index);
    int64_t different;
    double alone;
    assert_ok(ql_codes_count(&points, &different, &alone, &err));
    assert_int_equal(different, N - 2);
    assert_true(fabs(alone - (N - 3.0) / N) < 1e-12);
    ql_codes_free(&points);
    ql_codes_free(&queries);
    free(x);
}

static void thresholds_fit_the_values(void **state)
{
    const float sigmoid[] = {0, 0.95f, 1, 0.5f, 0.02f, 0.2f}, linear[] = {-3, 1, 0, 5, 7, 2};
    float t[2];
    int medians;
    double saturated;
    ql_err err = {0};
    (void)state;
    assert_ok(ql_codes_threshold(sigmoid, 3, 2, t, &medians, &saturated, &err));
    assert_true(!medians && t[0] == 0.5f && t[1] == 0.5f && fabs(saturated - 4.0 / 6) < 1e-12);
    assert_ok(ql_codes_threshold(linear, 3, 2, t, &medians, &saturated, &err));
    assert_true(medians && t[0] == 0 && t[1] == 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(search_is_that_of_all_pairs),
        cmocka_unit_test(thresholds_fit_the_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
