/* The progress line and its pace, with times given by hand. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "quell/progress.h"

static void check_line(const ql_progress *p, double elapsed, const char *wanted)
{
    ql_str out = {0};
    ql_progress_line(p, elapsed, &out);
    assert_string_equal(ql_str_text(&out), wanted);
    ql_str_free(&out);
}

static void lines(void **state)
{
    (void)state;
    ql_progress p = QL_PROGRESS("train", "epoch", 11.4, 300);
    check_line(&p, 0, "train: epoch 12/300, 0:00 left");
    p.loss = 0.81234;
    p.validation = 0.83;
    p.cells = 2500000;
    p.may_stop = true;
    check_line(
        &p, 20,
        "train: epoch 12/300, loss 0.8123, validation 0.8300, 125k cells/s, under 8:27 left");
    p.done = 300;
    check_line(&p, 20, "train: epoch 300/300, loss 0.8123, validation 0.8300, 125k cells/s");
    p = QL_PROGRESS("read", "cells", 1500.7, 0);
    check_line(&p, 3, "read: 1500 cells");
    p = QL_PROGRESS("write", "rows", 10, 100000);
    check_line(&p, 1, "write: 10/100000 rows, 2:46:39 left");
    p = QL_PROGRESS("train", "epoch", 60, 100);
    p.before = 50; /* ten epochs took the time, not sixty */
    check_line(&p, 20, "train: epoch 60/100, 1:20 left");
    p.before = 60;
    check_line(&p, 20, "train: epoch 60/100");
}

static void rates(void **state)
{
    static const struct {
        int64_t cells;
        const char *text;
    } cases[] = {{7, "7 cells/s"},           {999, "999 cells/s"},     {1000, "1.00k cells/s"},
                 {12345, "12.3k cells/s"},   {999400, "999k cells/s"}, {999600, "1.00M cells/s"},
                 {125000000, "125M cells/s"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ql_str out = {0};
        ql_progress p = QL_PROGRESS("s", "epoch", 0, 0);
        p.cells = cases[i].cells;
        ql_progress_line(&p, 1, &out);
        assert_string_equal(ql_str_text(&out) + strlen("s: epoch 0, "), cases[i].text);
        ql_str_free(&out);
    }
}

static void fractions(void **state)
{
    (void)state;
    ql_progress p = QL_PROGRESS("s", "u", 5, 10);
    assert_true(ql_progress_fraction(&p) == 0.5);
    p.done = 11;
    assert_true(ql_progress_fraction(&p) == 1);
    p.done = NAN;
    assert_true(ql_progress_fraction(&p) == 0);
    p.total = 0;
    assert_true(ql_progress_fraction(&p) == 0);
}

/* 20 s at 100 events a second: nothing in the first second, then 10 times a second. */
static void terminal_pace(void **state)
{
    ql_progress_pace pace = {0};
    int drawn = 0, early = 0;
    (void)state;
    for (int i = 0; i < 2000; i++) {
        double now = 5 + i * 0.01;
        ql_progress p = QL_PROGRESS("train", "epoch", i, 2000);
        ql_progress_tick(&pace, &p, now);
        bool due = ql_progress_due_terminal(&pace, now);
        drawn += due;
        early += due && i < 100;
    }
    assert_int_equal(early, 0);
    assert_in_range(drawn, 165, 192);
}

/* 100 s: a line at each tenth. */
static void tenths(void **state)
{
    ql_progress_pace pace = {0};
    int printed = 0;
    (void)state;
    for (int i = 0; i <= 1000; i++) {
        ql_progress p = QL_PROGRESS("train", "epoch", i, 1000);
        ql_progress_tick(&pace, &p, i * 0.1);
        printed += ql_progress_due_line(&pace, &p, i * 0.1);
    }
    assert_int_equal(printed, 10);
}

/* Slow work: a line every 30 s. Fast work: none. */
static void slow_and_fast(void **state)
{
    ql_progress_pace slow = {0}, fast = {0};
    int n_slow = 0, n_fast = 0;
    (void)state;
    for (int i = 0; i <= 300; i++) {
        ql_progress p = QL_PROGRESS("train", "epoch", i, 1e6);
        ql_progress_tick(&slow, &p, i);
        n_slow += ql_progress_due_line(&slow, &p, i);
        p.total = 300;
        ql_progress_tick(&fast, &p, i * 0.001);
        n_fast += ql_progress_due_line(&fast, &p, i * 0.001);
    }
    assert_int_equal(n_slow, 10);
    assert_int_equal(n_fast, 0);
}

static void new_stage_new_clock(void **state)
{
    ql_progress_pace pace = {0};
    (void)state;
    ql_progress a = QL_PROGRESS("read", "cells", 1, 10), b = QL_PROGRESS("train", "epoch", 1, 10);
    assert_true(ql_progress_tick(&pace, &a, 10) == 0);
    assert_true(ql_progress_tick(&pace, &a, 14) == 4);
    assert_true(ql_progress_tick(&pace, &b, 15) == 0);
    assert_true(ql_progress_tick(&pace, &b, 16) == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),
        cmocka_unit_test(rates),
        cmocka_unit_test(fractions),
        cmocka_unit_test(terminal_pace),
        cmocka_unit_test(tenths),
        cmocka_unit_test(slow_and_fast),
        cmocka_unit_test(new_stage_new_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
