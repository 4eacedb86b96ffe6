/* Agreement of labelings and silhouettes, against scikit-learn and R. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "fixture_space_py.h"
#include "fixture_space_r.h"
#include "quell/agreement.h"

static ql_confusion table(int64_t n, const int *a, int64_t n_a, const int *b, int64_t n_b)
{
    ql_confusion c;
    assert_int_equal(ql_confusion_make(n, a, n_a, b, n_b, &c, NULL), QL_OK);
    return c;
}

static void indices_are_those_of_scikit_learn(void **state)
{
    (void)state;
    for (int i = 0; i < PY_LABELINGS; i++) {
        ql_confusion c = table(PY_POINTS, py_labels, 5, py_labels + i * PY_POINTS, 5);
        assert_true(fabs(ql_adjusted_rand(&c) - py_adjusted[i]) < 1e-14);
        assert_true(fabs(ql_mutual_information(&c) - py_mutual[i]) < 1e-12);
        ql_confusion_free(&c);
    }
}

static void adjusted_rand_is_that_of_r(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++) {
        double got;
        assert_int_equal(ql_adjusted_rand_of(R_POINTS, r_kmeans_label[0], 2, r_kmeans_label[i + 1],
                                             12, &got, NULL),
                         QL_OK);
        assert_true(fabs(got - r_adjusted[i]) < 1e-13);
    }
}

/* The table of the whole of two labelings, and the purity of one in the other. */
static void counts(void **state)
{
    const int a[] = {0, 0, 0, 1, 1, 1}, b[] = {0, 0, 1, 1, 1, 2};
    (void)state;
    ql_confusion c = table(6, a, 2, b, 3);
    const int64_t expected[] = {2, 1, 0, 0, 2, 1};
    for (int i = 0; i < 6; i++) assert_int_equal(c.count[i], expected[i]);
    assert_true(fabs(ql_purity(&c) - 5.0 / 6) < 1e-15);
    ql_confusion_free(&c);
}

/* One group on both sides: nothing to disagree about. On one side only: nothing said. */
static void degenerate_labelings(void **state)
{
    const int one[] = {0, 0, 0, 0}, two[] = {0, 1, 0, 1}, each[] = {0, 1, 2, 3};
    (void)state;
    ql_confusion c = table(4, one, 1, one, 1);
    assert_true(ql_adjusted_rand(&c) == 1 && ql_mutual_information(&c) == 1);
    ql_confusion_free(&c);
    c = table(4, one, 1, two, 2);
    assert_true(ql_adjusted_rand(&c) == 0 && ql_mutual_information(&c) == 0);
    ql_confusion_free(&c);
    c = table(4, each, 4, each, 4);
    assert_true(ql_adjusted_rand(&c) == 1 && fabs(ql_mutual_information(&c) - 1) < 1e-15);
    ql_confusion_free(&c);
}

static void silhouettes_are_those_of_scikit_learn(void **state)
{
    double mean, width[PY_POINTS];
    (void)state;
    for (int i = 0; i < PY_LABELINGS; i++)
        for (int threads = 1; threads <= 3; threads += 2) {
            const ql_silhouette_task t = {py_points, PY_POINTS, PY_DIMS, py_labels + i * PY_POINTS,
                                          5,         threads};
            assert_int_equal(ql_silhouette(&t, &mean, width, NULL), QL_OK);
            assert_true(fabs(mean - py_silhouette[i]) < 1e-13);
            for (int p = 0; i == 0 && p < PY_POINTS; p++)
                assert_true(fabs(width[p] - py_width[p]) < 1e-13);
        }
}

static void silhouette_of_one_group_is_none(void **state)
{
    const double x[] = {1, 2, 3};
    const int one[] = {0, 0, -1}, lone[] = {0, 0, 1};
    double mean, width[3];
    (void)state;
    ql_silhouette_task t = {x, 3, 1, one, 2, 1};
    assert_int_equal(ql_silhouette(&t, &mean, width, NULL), QL_OK);
    assert_true(isnan(mean) && isnan(width[0]));
    t.label = lone;
    assert_int_equal(ql_silhouette(&t, &mean, width, NULL), QL_OK);
    assert_true(width[2] == 0 && fabs(width[0] - 0.5) < 1e-15 && fabs(width[1]) < 1e-15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(indices_are_those_of_scikit_learn),
        cmocka_unit_test(adjusted_rand_is_that_of_r),
        cmocka_unit_test(counts),
        cmocka_unit_test(degenerate_labelings),
        cmocka_unit_test(silhouettes_are_those_of_scikit_learn),
        cmocka_unit_test(silhouette_of_one_group_is_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
