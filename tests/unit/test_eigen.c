/* Eigenvalues of small symmetric matrices: known ones, and what defines them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "quell/eigen.h"

#include "fixture_random.h"

enum { MOST = 90 };

static double a[MOST * MOST], used[MOST * MOST], z[MOST * MOST], value[MOST], work[2 * MOST];

/* Vectors are orthonormal, values descend, and a = sum of value z z'. */
static void check(int64_t n)
{
    double size = 0;
    memcpy(used, a, sizeof a);
    assert_int_equal(ql_eigen_symmetric(n, used, z, value, work, NULL), QL_OK);
    for (int64_t i = 0; i < n * n; i++) size = fmax(size, fabs(a[i]));
    for (int64_t i = 0; i < n; i++) {
        assert_true(i == 0 || value[i] <= value[i - 1]);
        for (int64_t j = 0; j < n; j++) {
            double dot = 0, sum = 0;
            for (int64_t k = 0; k < n; k++) {
                dot += z[i * n + k] * z[j * n + k];
                sum += value[k] * z[k * n + i] * z[k * n + j];
            }
            assert_true(fabs(dot - (i == j)) < 1e-13 * (double)(n + 1));
            assert_true(fabs(sum - a[i * n + j]) <= 1e-13 * size * (double)(n + 1));
        }
    }
}

static void random_matrices(void **state)
{
    (void)state;
    static const int64_t sizes[] = {1, 2, 3, 4, 7, 16, 33, MOST};
    ql_rng r = random_start(8);
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        const int64_t n = sizes[s];
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j <= i; j++) a[i * n + j] = a[j * n + i] = random_normal(&r);
        check(n);
    }
}

/* 2 on the diagonal, -1 beside it: 2 - 2 cos(pi k / (n + 1)). */
static void second_differences(void **state)
{
    (void)state;
    const int64_t n = 40;
    memset(a, 0, sizeof a);
    for (int64_t i = 0; i < n; i++) {
        a[i * n + i] = 2;
        if (i > 0) a[i * n + i - 1] = a[(i - 1) * n + i] = -1;
    }
    check(n);
    for (int64_t k = 1; k <= n; k++)
        assert_true(fabs(value[n - k] - 2 + 2 * cos(acos(-1) * (double)k / (double)(n + 1))) <
                    1e-13);
}

/* Equal eigenvalues, low rank, numbers of very different size, nothing at all. */
static void awkward_matrices(void **state)
{
    (void)state;
    const int64_t n = 30;
    memset(a, 0, sizeof a);
    check(n);
    for (int64_t i = 0; i < n; i++) a[i * n + i] = 3;
    check(n);
    for (int64_t i = 0; i < n * n; i++) a[i] = 1;
    check(n);
    assert_true(fabs(value[0] - (double)n) < 1e-12 && fabs(value[1]) < 1e-12);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) a[i * n + j] = pow(10, -(double)(i + j) / 2);
    check(n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_matrices),
        cmocka_unit_test(second_differences),
        cmocka_unit_test(awkward_matrices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
