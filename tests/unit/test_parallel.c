/* Threads, barriers, handing out of items. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "quell/cpu_count.h"
#include "quell/parallel.h"

enum { N_ITEMS = 1000 };

static void mark(void *ctx, int64_t item)
{
    atomic_int *seen = ctx;
    atomic_fetch_add(&seen[item], 1);
}

static void every_item_is_done_once(void **state)
{
    (void)state;
    for (int n_threads = 0; n_threads <= 9; n_threads += 3) {
        atomic_int seen[N_ITEMS];
        memset(seen, 0, sizeof seen);
        ql_parallel_for(n_threads, N_ITEMS, mark, seen);
        for (int i = 0; i < N_ITEMS; i++) assert_int_equal(atomic_load(&seen[i]), 1);
    }
    ql_parallel_for(4, 0, mark, NULL);
    ql_parallel_for(4, -1, mark, NULL);
}

/* What the threads of a region saw; they must not use the test library's asserts themselves. */
typedef struct {
    atomic_int ranks[64], wrong, size;
    atomic_int step, drawn[N_ITEMS];
    int said[64]; /* by rank; plain, because a barrier must make plain writes seen */
    int n_rounds;
} record;

static record *new_record(int n_rounds)
{
    record *r = calloc(1, sizeof *r);
    assert_non_null(r);
    r->n_rounds = n_rounds;
    return r;
}

static void note_rank(void *ctx, ql_team *team, int rank)
{
    record *r = ctx;
    atomic_store(&r->size, ql_team_size(team));
    atomic_fetch_add(&r->ranks[rank], 1);
}

static void ranks_are_numbered_from_zero(void **state)
{
    (void)state;
    for (int n = 0; n <= 8; n++) {
        record *r = new_record(0);
        ql_team_run(n, note_rank, r);
        int size = atomic_load(&r->size);
        assert_in_range(size, 1, n > 1 ? n : 1);
        for (int i = 0; i < 64; i++) assert_int_equal(atomic_load(&r->ranks[i]), i < size);
        free(r);
    }
}

/* Between two barriers every thread counts once and says the round; nobody may see another one. */
static void count_rounds(void *ctx, ql_team *team, int rank)
{
    record *r = ctx;
    int size = ql_team_size(team);
    for (int round = 0; round < r->n_rounds; round++) {
        atomic_fetch_add(&r->step, 1);
        r->said[rank] = round;
        ql_team_barrier(team);
        if (atomic_load(&r->step) != size * (round + 1)) atomic_fetch_add(&r->wrong, 1);
        for (int i = 0; i < size; i++)
            if (r->said[i] != round) atomic_fetch_add(&r->wrong, 1);
        ql_team_barrier(team);
    }
}

/* More threads than processors as well: then the barrier sleeps. */
static void barriers_hold(void **state)
{
    (void)state;
    for (int n = 1; n <= 7; n += 2) {
        record *r = new_record(n == 7 ? 300 : 3000);
        ql_team_run(n, count_rounds, r);
        assert_int_equal(atomic_load(&r->wrong), 0);
        free(r);
    }
}

/* Loops of different lengths, empty ones among them. */
static int64_t length_of(int phase)
{
    return phase * 37 % 90;
}

static void draw_all(void *ctx, ql_team *team, int rank)
{
    record *r = ctx;
    for (int phase = 0; phase < r->n_rounds; phase++) {
        int64_t n = length_of(phase);
        for (int64_t i; (i = ql_team_next(team, rank, phase, n)) >= 0;) {
            if (i >= n) atomic_fetch_add(&r->wrong, 1);
            atomic_fetch_add(&r->drawn[i], 1);
        }
        ql_team_barrier(team);
    }
}

static void each_phase_hands_out_each_item_once(void **state)
{
    (void)state;
    const int n_rounds = 2000;
    for (int n = 1; n <= 5; n++) {
        record *r = new_record(n_rounds);
        int expected[N_ITEMS] = {0};
        for (int phase = 0; phase < n_rounds; phase++)
            for (int64_t i = 0; i < length_of(phase); i++) expected[i]++;
        ql_team_run(n, draw_all, r);
        assert_int_equal(atomic_load(&r->wrong), 0);
        for (int i = 0; i < N_ITEMS; i++) assert_int_equal(atomic_load(&r->drawn[i]), expected[i]);
        free(r);
    }
}

static void run_inner(void *ctx, ql_team *team, int rank)
{
    (void)team;
    (void)rank;
    ql_parallel_for(3, N_ITEMS, mark, ((record *)ctx)->drawn);
}

static void regions_may_nest(void **state)
{
    (void)state;
    record *r = new_record(0);
    ql_team_run(3, run_inner, r);
    int first = atomic_load(&r->drawn[0]);
    assert_in_range(first, 1, 3);
    for (int i = 0; i < N_ITEMS; i++) assert_int_equal(atomic_load(&r->drawn[i]), first);
    free(r);
}

static void the_environment_bounds_the_default(void **state)
{
    (void)state;
    const char *why = NULL;
    unsetenv("SLURM_CPUS_PER_TASK");
    unsetenv("OMP_NUM_THREADS");
    int all = ql_threads_default(&why);
    assert_true(all >= 1);
    assert_non_null(why);

    setenv("SLURM_CPUS_PER_TASK", "1", 1);
    assert_int_equal(ql_threads_default(&why), 1);
    assert_string_equal(why, "SLURM_CPUS_PER_TASK");
    setenv("SLURM_CPUS_PER_TASK", "100000", 1);
    assert_int_equal(ql_threads_default(NULL), all);
    setenv("OMP_NUM_THREADS", "1,4", 1);
    assert_int_equal(ql_threads_default(&why), 1);
    assert_string_equal(why, "OMP_NUM_THREADS");
    static const char *const bad[] = {"", "0", "-3", "many", "2x", "99999999999999999999"};
    unsetenv("SLURM_CPUS_PER_TASK");
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        setenv("OMP_NUM_THREADS", bad[i], 1);
        assert_int_equal(ql_threads_default(NULL), all);
    }
    unsetenv("OMP_NUM_THREADS");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_item_is_done_once),
        cmocka_unit_test(ranks_are_numbered_from_zero),
        cmocka_unit_test(barriers_hold),
        cmocka_unit_test(each_phase_hands_out_each_item_once),
        cmocka_unit_test(regions_may_nest),
        cmocka_unit_test(the_environment_bounds_the_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
