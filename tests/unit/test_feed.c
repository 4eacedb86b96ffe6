/* Work fetched by one thread and done by all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "quell/feed.h"

enum { N_ITEMS = 2000, N_THREADS = 9 };

typedef struct {
    pthread_t caller;
    int64_t next, refuse; /* item to come next; the one that does not come, -1: all come */
    int64_t in_slot[QL_FEED_SLOTS];
    atomic_int busy[QL_FEED_SLOTS], done[N_ITEMS], wrong;
} record;

static bool fetch(void *ctx, int64_t item, int slot)
{
    record *r = ctx;
    if (!pthread_equal(pthread_self(), r->caller)) atomic_fetch_add(&r->wrong, 1);
    if (item != r->next++) atomic_fetch_add(&r->wrong, 1);
    if (item == r->refuse) return false;
    if (atomic_exchange(&r->busy[slot], 1)) atomic_fetch_add(&r->wrong, 1);
    r->in_slot[slot] = item;
    return true;
}

static void work(void *ctx, int64_t item, int slot, int rank)
{
    record *r = ctx;
    if (rank < 0 || rank >= N_THREADS || r->in_slot[slot] != item) atomic_fetch_add(&r->wrong, 1);
    atomic_fetch_add(&r->done[item], 1);
    atomic_store(&r->busy[slot], 0);
}

static void run(int threads, int n_slots, int64_t n_items, int64_t refuse)
{
    static record r;
    memset(&r, 0, sizeof r);
    r.caller = pthread_self();
    r.refuse = refuse;
    const ql_feed feed = {n_items, n_slots, fetch, work, &r};
    ql_feed_run(threads, &feed);
    int64_t end = refuse >= 0 && refuse < n_items ? refuse : n_items;
    for (int64_t i = 0; i < N_ITEMS; i++) assert_int_equal(atomic_load(&r.done[i]), i < end);
    assert_int_equal(r.next, end < n_items ? end + 1 : n_items);
    assert_int_equal(atomic_load(&r.wrong), 0);
}

static void all_items_are_done_once(void **state)
{
    (void)state;
    for (int threads = 0; threads <= N_THREADS; threads++) {
        run(threads, ql_feed_slots(threads, INT64_MAX), N_ITEMS, -1);
        run(threads, ql_feed_slots(threads, 0), N_ITEMS, -1);
        run(threads, 1, 50, -1);
        run(threads, QL_FEED_SLOTS, 3, -1);
        run(threads, 4, 0, -1);
    }
}

static void those_before_a_refused_one_are_done(void **state)
{
    (void)state;
    for (int threads = 1; threads <= N_THREADS; threads += 2)
        for (int64_t refuse = 0; refuse < N_ITEMS; refuse += 399)
            run(threads, ql_feed_slots(threads, 7), N_ITEMS, refuse);
}

static void slots_suffice_and_are_bounded(void **state)
{
    (void)state;
    assert_int_equal(ql_feed_slots(0, 100), 4);
    assert_int_equal(ql_feed_slots(2, 100), 8);
    assert_int_equal(ql_feed_slots(2, 5), 5);
    assert_int_equal(ql_feed_slots(6, 1), 6);
    assert_in_range(ql_feed_slots(100000, INT64_MAX), 1, QL_FEED_SLOTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_items_are_done_once),
        cmocka_unit_test(those_before_a_refused_one_are_done),
        cmocka_unit_test(slots_suffice_and_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
