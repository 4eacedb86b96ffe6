/* Accounted allocation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "quell/alloc.h"
#include "quell/parallel.h"

static void blocks_are_aligned_and_zero(void **state)
{
    (void)state;
    for (int64_t n = 0; n < 300; n += 7) {
        unsigned char *block = ql_alloc(n, 1);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % 64, 0);
        for (int64_t i = 0; i < n; i++) assert_int_equal(block[i], 0);
        memset(block, 0xff, (size_t)n);
        ql_free(block);
    }
    ql_free(NULL);
}

static void realloc_keeps_contents_and_zeroes_the_rest(void **state)
{
    (void)state;
    int64_t n = 10;
    int64_t *block = ql_realloc(NULL, n, sizeof *block);
    for (int64_t i = 0; i < n; i++) block[i] = i;
    for (int step = 0; step < 12; step++) {
        block = ql_realloc(block, 3 * n, sizeof *block);
        assert_int_equal((uintptr_t)block % 64, 0);
        for (int64_t i = 0; i < 3 * n; i++) assert_int_equal(block[i], i < n ? i : 0);
        for (int64_t i = n; i < 3 * n; i++) block[i] = i;
        n *= 3;
    }
    block = ql_realloc(block, 5, sizeof *block);
    for (int64_t i = 0; i < 5; i++) assert_int_equal(block[i], i);
    ql_free(block);
}

/* Those that the system may give huge pages are moved and cut like others. */
static void large_blocks_grow_and_shrink(void **state)
{
    (void)state;
    const int64_t mib = 1 << 20;
    unsigned char *block = ql_alloc(20 * mib + 5, 1);
    assert_non_null(block);
    for (int64_t i = 0; i < 20 * mib + 5; i += 4093) assert_int_equal(block[i], 0);
    memset(block, 7, (size_t)(20 * mib + 5));
    block = ql_realloc(block, 90 * mib + 3, 1);
    assert_non_null(block);
    for (int64_t i = 0; i < 90 * mib + 3; i += 1021)
        assert_int_equal(block[i], i < 20 * mib + 5 ? 7 : 0);
    block = ql_realloc(block, mib, 1);
    for (int64_t i = 0; i < mib; i++) assert_int_equal(block[i], 7);
    ql_free(block);
}

static void bytes_are_accounted_for(void **state)
{
    (void)state;
    int64_t before = ql_alloc_bytes(), count = ql_alloc_count();
    char *a = ql_alloc(1000, 10);
    assert_in_range(ql_alloc_bytes() - before, 10000, 10256);
    a = ql_realloc(a, 20000, 1);
    assert_in_range(ql_alloc_bytes() - before, 20000, 20256);
    assert_true(ql_alloc_peak() >= before + 20000);
    a = ql_realloc(a, 10, 1);
    assert_in_range(ql_alloc_bytes() - before, 10, 266);
    ql_free(a);
    assert_int_equal(ql_alloc_bytes(), before);
    assert_int_equal(ql_alloc_count() - count, 3);
}

static void sizes_that_overflow_are_refused(void **state)
{
    (void)state;
    ql_err err;
    float *block = NULL;
    assert_null(ql_alloc(-1, 1));
    assert_null(ql_alloc(INT64_MAX, 8));
    assert_null(ql_alloc(INT64_MAX, 1));
    assert_null(ql_alloc(2, SIZE_MAX / 2));
    assert_int_equal(QL_NEW(block, INT64_MAX / 2, "the tiles", &err), QL_EMEMORY);
    assert_null(block);
    assert_non_null(strstr(err.msg, "the tiles"));
}

static void the_cap_holds(void **state)
{
    (void)state;
    ql_err err;
    char *a = NULL, *b = NULL;
    int64_t before = ql_alloc_bytes();
    ql_alloc_set_cap(before + 100000);
    assert_int_equal(ql_alloc_room(), 100000);
    assert_int_equal(QL_NEW(a, 60000, "a", &err), QL_OK);
    assert_in_range(ql_alloc_room(), 30000, 40000);
    assert_int_equal(QL_NEW(b, 60000, "b", &err), QL_EMEMORY);
    assert_null(b);
    assert_true(err.hint[0] != '\0');
    a[0] = 'x';
    assert_null(ql_realloc(a, 200000, 1));
    assert_int_equal(a[0], 'x');
    ql_free(a);
    assert_int_equal(QL_NEW(b, 60000, "b", &err), QL_OK);
    ql_free(b);
    ql_alloc_set_cap(0);
    assert_true(ql_alloc_room() == INT64_MAX);
    assert_int_equal(ql_alloc_bytes(), before);
}

static void the_nth_allocation_fails_once(void **state)
{
    (void)state;
    int64_t before = ql_alloc_bytes();
    ql_alloc_fail_after(2);
    char *a = ql_alloc(1, 1), *b = ql_alloc(1, 1), *c = ql_alloc(1, 1);
    assert_non_null(a);
    assert_null(b);
    assert_non_null(c);
    ql_alloc_fail_after(1);
    assert_null(ql_realloc(a, 100, 1));
    ql_free(a);
    ql_free(c);
    assert_int_equal(ql_alloc_bytes(), before);
}

static void churn(void *ctx, int64_t item)
{
    (void)ctx;
    char *block = ql_alloc(item % 1000, 3);
    block = ql_realloc(block, item % 2000, 3);
    ql_free(block);
}

static void threads_may_allocate(void **state)
{
    (void)state;
    int64_t before = ql_alloc_bytes(), count = ql_alloc_count();
    ql_parallel_for(4, 20000, churn, NULL);
    assert_int_equal(ql_alloc_bytes(), before);
    assert_int_equal(ql_alloc_count() - count, 40000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_aligned_and_zero),
        cmocka_unit_test(realloc_keeps_contents_and_zeroes_the_rest),
        cmocka_unit_test(large_blocks_grow_and_shrink),
        cmocka_unit_test(bytes_are_accounted_for),
        cmocka_unit_test(sizes_that_overflow_are_refused),
        cmocka_unit_test(the_cap_holds),
        cmocka_unit_test(the_nth_allocation_fails_once),
        cmocka_unit_test(threads_may_allocate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
