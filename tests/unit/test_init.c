/* How weights start: bounds and variances by the definitions, and what a draw depends on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "quell/init.h"

enum { ROWS = 120, COLS = 90, FAN_IN = 90, FAN_OUT = 120 };

static void fill(ql_params *p, const ql_init *init, uint64_t seed)
{
    *p = (ql_params){0};
    ql_params_add(p, "first/weight", 3, 4, true);
    ql_params_add(p, "weight", ROWS, COLS, true);
    assert_int_equal(ql_params_alloc(p, 0, NULL), QL_OK);
    ql_params_init(p, 1, init, FAN_IN, FAN_OUT, seed);
}

/* Keras' definitions: scale, what it is divided by, and the truncation at two deviations. */
static const struct {
    const char *name;
    double sd, most; /* most 0: unbounded */
} wanted[] = {
    {"glorot_uniform", 0.0975900, 0.1690308}, /* sqrt(2 / 210), sqrt(6 / 210) */
    {"glorot_normal", 0.0975900, 0.2218899},  /* twice the deviation before the truncation */
    {"he_uniform", 0.1490712, 0.2581989},     /* sqrt(2 / 90), sqrt(6 / 90) */
    {"he_normal", 0.1490712, 0.3389452},
    {"lecun_uniform", 0.1054093, 0.1825742}, /* sqrt(1 / 90), sqrt(3 / 90) */
    {"lecun_normal", 0.1054093, 0.2396705},
    {"random_uniform", 0.0288675, 0.05},
    {"random_normal", 0.05, 0},
    {"truncated_normal", 0.0439813, 0.1},
};

static void moments_follow_the_definitions(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof wanted / sizeof *wanted; k++) {
        ql_params p;
        double sum = 0, square = 0, most = 0;
        const ql_init *init = ql_init_find(wanted[k].name);
        assert_non_null(init);
        fill(&p, init, 5);
        for (int i = 0; i < ROWS; i++) {
            for (int j = 0; j < COLS; j++) {
                double x = (double)ql_param(&p, 1)[i * p.tensor[1].ld + j];
                sum += x;
                square += x * x;
                most = fmax(most, fabs(x));
            }
        }
        const double n = ROWS * COLS, sd = sqrt(square / n);
        print_message("%-17s sd %.5f, largest %.5f\n", wanted[k].name, sd, most);
        assert_true(fabs(sd - wanted[k].sd) < 0.03 * wanted[k].sd);
        assert_true(fabs(sum / n) < 4 * wanted[k].sd / sqrt(n));
        if (wanted[k].most > 0) {
            assert_true(most <= wanted[k].most * 1.00001);
            assert_true(most > wanted[k].most * 0.95);
        } else {
            assert_true(most > 3 * wanted[k].sd);
        }
        ql_params_free(&p);
    }
}

static void constants_are_constant(void **state)
{
    (void)state;
    static const char *const names[] = {"zeros", "ones"};
    for (int k = 0; k < 2; k++) {
        ql_params p;
        fill(&p, ql_init_find(names[k]), 5);
        for (int i = 0; i < ROWS; i++)
            for (int j = 0; j < COLS; j++)
                assert_true(ql_param(&p, 1)[i * p.tensor[1].ld + j] == (ql_real)k);
        ql_params_free(&p);
    }
}

static bool differ(const ql_init *a, uint64_t seed_a, const ql_init *b, uint64_t seed_b)
{
    ql_params p, q;
    fill(&p, a, seed_a);
    fill(&q, b, seed_b);
    bool differs = memcmp(p.w, q.w, (size_t)p.size * sizeof *p.w) != 0;
    ql_params_free(&p);
    ql_params_free(&q);
    return differs;
}

static void seeds_and_names_decide(void **state)
{
    (void)state;
    for (int i = 0; ql_inits[i]; i++) {
        const ql_init *init = ql_inits[i];
        assert_ptr_equal(ql_init_find(init->name), init);
        assert_false(differ(init, 5, init, 5));
        assert_int_equal(differ(init, 5, init, 6), init->draw != QL_DRAW_CONSTANT);
        assert_int_equal(differ(init, 5, NULL, 5), strcmp(init->name, "glorot_uniform") != 0);
    }
    assert_null(ql_init_find("glorot"));
}

static void pads_stay_zero(void **state)
{
    (void)state;
    ql_params p;
    fill(&p, ql_init_find("ones"), 1);
    for (int i = 0; i < ROWS; i++)
        for (int64_t j = COLS; j < p.tensor[1].ld; j++)
            assert_true(ql_param(&p, 1)[i * p.tensor[1].ld + j] == 0);
    assert_true(ql_param(&p, 0)[0] == 0);
    ql_params_free(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_follow_the_definitions),
        cmocka_unit_test(constants_are_constant),
        cmocka_unit_test(seeds_and_names_decide),
        cmocka_unit_test(pads_stay_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
