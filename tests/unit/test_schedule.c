/* Plateau and early stopping on scripted validation values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>

#include "../../src/train/schedule.h"

/* Feed the values; `want` says of each: '+' best so far, '.' nothing, '!' patience has run out. */
static void play(ql_patience *p, const double *values, const char *want)
{
    for (int i = 0; want[i]; i++) {
        bool improved = false, fired = ql_patience_step(p, values[i], &improved);
        char got = fired ? '!' : improved ? '+' : '.';
        assert_false(fired && improved);
        if (got != want[i])
            fail_msg("value %d (%g): '%c' instead of '%c'", i, values[i], got, want[i]);
    }
}

static void stops_after_patience(void **state)
{
    (void)state;
    ql_patience p = {.patience = 3};
    const double v[] = {5, 4, 4.5, 4, 3.9, 4, 5, 3.9, 1};
    play(&p, v, "++..+..!+");
    assert_true(p.best == 1);
}

static void counts_anew_after_firing_and_keeps_the_best(void **state)
{
    (void)state;
    ql_patience p = {.patience = 2};
    const double v[] = {1, 2, 2, 2, 2, 1, 1.5, 0.5, 3, 3};
    play(&p, v, "+.!.!.!+.!");
}

/* The plateau rule of the reference: better means by more than min_delta. */
static void small_steps_are_no_progress(void **state)
{
    (void)state;
    ql_patience p = {.patience = 3, .min_delta = 0.5};
    const double v[] = {10, 9.75, 9.5, 9.25, 9, 8.75, 8.8, 8};
    play(&p, v, "+..+..!+");
    ql_patience exactly = {.patience = 1, .min_delta = 0.5};
    const double w[] = {10, 9.5, 9.25};
    play(&exactly, w, "+!+"); /* less than best - min_delta, not equal to it */
}

static void equal_is_no_improvement(void **state)
{
    (void)state;
    ql_patience p = {.patience = 2};
    const double v[] = {1, 1, 1, 0.999};
    play(&p, v, "+.!+");
}

static void what_is_not_finite_is_never_better(void **state)
{
    (void)state;
    ql_patience p = {.patience = 3};
    const double v[] = {NAN, INFINITY, 7, NAN, -INFINITY, INFINITY, 6, NAN};
    play(&p, v, "..+..!+.");
    assert_true(p.best == 6);
    ql_patience none = {.patience = 2};
    const double w[] = {NAN, NAN, NAN, INFINITY};
    play(&none, w, ".!.!");
    assert_false(none.seen);
}

static void negative_values_are_values(void **state)
{
    (void)state;
    ql_patience p = {.patience = 2};
    const double v[] = {-1, -2, -1.5, -2, -3};
    play(&p, v, "++.!+");
}

static void patience_zero_never_fires(void **state)
{
    (void)state;
    ql_patience p = {.patience = 0};
    for (int i = 0; i < 1000; i++) assert_false(ql_patience_step(&p, 1, NULL));
    bool improved = false;
    assert_false(ql_patience_step(&p, 0.5, &improved));
    assert_true(improved);
}

static void patience_one_fires_at_once(void **state)
{
    (void)state;
    ql_patience p = {.patience = 1};
    const double v[] = {2, 3, 1, 1};
    play(&p, v, "+!+!");
}

/* The reference's defaults: rate after 10 epochs without progress, stop after 15. */
static void defaults_of_the_reference(void **state)
{
    (void)state;
    ql_patience rate = {.patience = 10, .min_delta = 1e-4}, stop = {.patience = 15};
    int fell = 0, ended = 0;
    for (int epoch = 1; epoch <= 60 && !ended; epoch++) {
        double v = epoch <= 20 ? 1.0 / epoch : 0.05 - 1e-6 * (epoch == 25);
        if (ql_patience_step(&rate, v, NULL)) fell = epoch;
        if (ql_patience_step(&stop, v, NULL)) ended = epoch;
    }
    assert_int_equal(fell,
                     40); /* the step of 1e-6 in epoch 25 does not count: at 30, again at 40 */
    assert_int_equal(ended, 40); /* it does here: 25 + 15 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stops_after_patience),
        cmocka_unit_test(counts_anew_after_firing_and_keeps_the_best),
        cmocka_unit_test(small_steps_are_no_progress),
        cmocka_unit_test(equal_is_no_improvement),
        cmocka_unit_test(what_is_not_finite_is_never_better),
        cmocka_unit_test(negative_values_are_values),
        cmocka_unit_test(patience_zero_never_fires),
        cmocka_unit_test(patience_one_fires_at_once),
        cmocka_unit_test(defaults_of_the_reference),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
