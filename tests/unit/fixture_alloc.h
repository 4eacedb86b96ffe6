/* Lack of memory: every allocation of a piece of work fails once, one after the other. */
#ifndef FIXTURE_ALLOC_H
#define FIXTURE_ALLOC_H

#include "quell/alloc.h"
#include "quell/status.h"

/* What some work can do without (a note, what a guess is made from, the quick way to a list of
 * names) may fail and the work succeed. */
enum { SUCCESSES_AT_THE_END = 40 };

/* Call work(ctx, err) with its first allocation failing, its second and so on, until all are behind
 * the end; before each call ready(ctx), where there is one, with none failing. work releases all
 * that both made. Each failure must be QL_EMEMORY with a message and leave nothing in memory.
 * Returns how many calls failed. */
static inline int fail_each_allocation(void (*ready)(void *ctx),
                                       ql_status (*work)(void *ctx, ql_err *err), void *ctx)
{
    const int64_t held = ql_alloc_bytes();
    int failed = 0;
    for (int n = 1, successes = 0; successes < SUCCESSES_AT_THE_END; n++) {
        ql_err err = {0};
        if (ready) ready(ctx);
        ql_alloc_fail_after(n);
        ql_status st = work(ctx, &err);
        ql_alloc_fail_after(0);
        assert_int_equal(ql_alloc_bytes(), held);
        successes = st == QL_OK ? successes + 1 : 0;
        if (st == QL_OK) continue;
        if (st != QL_EMEMORY || !err.msg[0]) print_error("allocation %d: %s\n", n, err.msg);
        assert_int_equal(st, QL_EMEMORY);
        assert_true(err.msg[0] != '\0');
        assert_true(++failed < 4000);
    }
    return failed;
}

#endif
