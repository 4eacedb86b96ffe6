/* Factors and solutions against products that are known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "quell/cholesky.h"

enum { N = 4 };
static const double root[N * N] = {2, 0, 0, 0, 1, 3, 0, 0, -1, 0.5, 1.5, 0, 4, -2, 1, 0.25};

static void product(double *a)
{
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++) {
            a[i * N + j] = j > i ? NAN : 0; /* above the diagonal nothing is looked at */
            for (int k = 0; k < N && j <= i; k++) a[i * N + j] += root[i * N + k] * root[j * N + k];
        }
}

static void factors_and_solutions(void **state)
{
    (void)state;
    static const double x[N] = {1, -2, 0.5, 3};
    double a[N * N], lower[N] = {0}, upper[N] = {0};
    product(a);
    assert_true(ql_cholesky(a, N, 0));
    for (int i = 0; i < N; i++)
        for (int j = 0; j <= i; j++) {
            assert_true(fabs(a[i * N + j] - root[i * N + j]) < 1e-12);
            lower[i] += root[i * N + j] * x[j];
            upper[j] += root[i * N + j] * x[i];
        }
    ql_solve_lower(a, N, lower);
    ql_solve_upper(a, N, upper);
    for (int i = 0; i < N; i++)
        assert_true(fabs(lower[i] - x[i]) < 1e-11 && fabs(upper[i] - x[i]) < 1e-11);
}

static void matrices_that_have_none(void **state)
{
    (void)state;
    double a[] = {1, 0, 2, 3}, b[] = {INFINITY, 0, 0, 1}, c[] = {1, 0, 2, 3};
    assert_false(ql_cholesky(a, 2, 0));
    assert_false(ql_cholesky(b, 2, 0));
    assert_true(ql_cholesky(c, 2, 0.25)); /* 3 - 4 is raised to 1 / 4 */
    assert_true(c[0] == 1 && c[2] == 2 && c[3] == 0.5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(factors_and_solutions),
        cmocka_unit_test(matrices_that_have_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
