/* Threads. OpenMP starts them; barriers and the handing out of items are our own: OpenMP's barriers
 * spin for as long as the library likes, which made runs up to 16 times slower on shared cores. */
#include "quell/parallel.h"

#include <limits.h>
#include <omp.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#ifdef __linux__
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include "quell/cpu_count.h"

/* The phases of a minibatch last some ten microseconds: waiting is worth that much spinning (a
 * pause is 40 to 140 cycles), and then a few offers of the processor before sleeping. */
enum { N_SPINS = 1000, N_YIELDS = 8 };

/* Counters of the loops in flight. One would do as long as threads meet between loops; four forgive
 * a thread that is late by up to three loops. */
enum { RING = 4, LINE = 64 };

/* A loop's items are cut into as many ranges as there are threads (up to this many): each thread
 * begins with its own, which is the same in every loop of that length, so that what it works on
 * stays in its cache; then it helps with the others'. */
enum { RANGES = 64 };

/* Phase (its low 24 bits) and next item in one word, so that they change together: the first thread
 * that comes with a new phase starts the count anew, and no thread has to reset anything. */
enum { ITEM_BITS = 40 };
#define ITEM_MASK (((uint64_t)1 << ITEM_BITS) - 1)

typedef struct {
    _Alignas(LINE) _Atomic uint64_t value;
} counter;

struct ql_team {
    int size;
    int n_spins;
    _Alignas(LINE) atomic_int arrived;
    _Alignas(LINE) _Atomic uint32_t generation; /* barriers passed; what sleepers wait on */
    atomic_int n_sleeping;
    int n_ranges;
    counter ring[RING][RANGES];
};

int ql_team_size(const ql_team *team)
{
    return team->size;
}

/* ---- the barrier ---- */

static void cpu_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory"); /* yield is a no-op on most cores */
#else
    atomic_signal_fence(memory_order_seq_cst);
#endif
}

static bool has_passed(const ql_team *team, uint32_t generation)
{
    return atomic_load_explicit(&team->generation, memory_order_acquire) != generation;
}

#ifdef __linux__
/* The kernel compares the generation again before it puts the thread to sleep, and n_sleeping is
 * raised before and read after the generation changes: no wake-up is lost. */
static void sleep_until_passed(ql_team *team, uint32_t generation)
{
    atomic_fetch_add(&team->n_sleeping, 1);
    while (!has_passed(team, generation))
        syscall(SYS_futex, &team->generation, FUTEX_WAIT_PRIVATE, generation, NULL, NULL, 0);
    atomic_fetch_sub(&team->n_sleeping, 1);
}

static void wake_sleepers(ql_team *team)
{
    if (atomic_load(&team->n_sleeping) > 0)
        syscall(SYS_futex, &team->generation, FUTEX_WAKE_PRIVATE, INT_MAX, NULL, NULL, 0);
}
#else
static void sleep_until_passed(ql_team *team, uint32_t generation)
{
    while (!has_passed(team, generation)) sched_yield();
}

static void wake_sleepers(ql_team *team)
{
    (void)team;
}
#endif

static void wait_until_passed(ql_team *team, uint32_t generation)
{
    for (int i = 0; i < team->n_spins; i++) {
        if (has_passed(team, generation)) return;
        cpu_relax();
    }
    for (int i = 0; i < N_YIELDS; i++) {
        if (has_passed(team, generation)) return;
        sched_yield();
    }
    sleep_until_passed(team, generation);
}

void ql_team_barrier(ql_team *team)
{
    if (team->size == 1) return;
    uint32_t generation = atomic_load_explicit(&team->generation, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&team->arrived, 1, memory_order_acq_rel) < team->size - 1) {
        wait_until_passed(team, generation);
        return;
    }
    atomic_store_explicit(&team->arrived, 0, memory_order_relaxed);
    atomic_store(&team->generation, generation + 1);
    wake_sleepers(team);
}

/* ---- handing out items ---- */

/* Next item of a range of n, or -1. */
static int64_t next_of_range(_Atomic uint64_t *value, int64_t phase, int64_t n, bool alone)
{
    const uint64_t begin = (uint64_t)phase << ITEM_BITS;
    uint64_t now = atomic_load_explicit(value, memory_order_relaxed);

    if (n <= 0) return -1;
    while ((now & ~ITEM_MASK) != begin)
        if (atomic_compare_exchange_weak(value, &now, begin + 1)) return 0;
    if ((int64_t)(now & ITEM_MASK) >= n) return -1;
    if (alone) {
        atomic_store_explicit(value, now + 1, memory_order_relaxed);
    } else {
        now = atomic_fetch_add_explicit(value, 1, memory_order_relaxed);
    }
    int64_t item = (int64_t)(now & ITEM_MASK);
    return item < n ? item : -1;
}

int64_t ql_team_next(ql_team *team, int rank, int64_t phase, int64_t n_items)
{
    const int64_t n_ranges = team->n_ranges, own = (int64_t)rank * n_ranges / team->size;
    for (int64_t k = 0; k < n_ranges; k++) {
        int64_t range = own + k < n_ranges ? own + k : own + k - n_ranges;
        int64_t first = range * n_items / n_ranges, end = (range + 1) * n_items / n_ranges;
        int64_t item = next_of_range(&team->ring[phase % RING][range].value, phase, end - first,
                                     team->size == 1);
        if (item >= 0) return first + item;
    }
    return -1;
}

/* ---- regions ---- */

/* Spinning only makes sense when those waited for can run meanwhile. */
static int spins_for(int n_threads)
{
    static atomic_int cpus; /* asked once: a few system calls and files */
    int n = atomic_load_explicit(&cpus, memory_order_relaxed);
    if (n == 0) {
        n = ql_cpus_usable();
        atomic_store_explicit(&cpus, n, memory_order_relaxed);
    }
    return n_threads <= n ? N_SPINS : 0;
}

void ql_team_run(int n_threads, void (*fn)(void *ctx, ql_team *team, int rank), void *ctx)
{
    ql_team team = {.size = 1, .n_ranges = 1};
    if (n_threads <= 1) {
        fn(ctx, &team, 0);
        return;
    }
#pragma omp parallel num_threads(n_threads)
    {
#pragma omp single
        {
            team.size = omp_get_num_threads();
            team.n_spins = spins_for(team.size);
            team.n_ranges = team.size < RANGES ? team.size : RANGES;
        }
        fn(ctx, &team, omp_get_thread_num());
    }
}

typedef struct {
    int64_t n_items;
    void (*fn)(void *ctx, int64_t item);
    void *ctx;
} loop;

static void run_loop(void *ctx, ql_team *team, int rank)
{
    const loop *l = ctx;
    for (int64_t i; (i = ql_team_next(team, rank, 0, l->n_items)) >= 0;) l->fn(l->ctx, i);
}

void ql_parallel_for(int n_threads, int64_t n_items, void (*fn)(void *ctx, int64_t item), void *ctx)
{
    loop l = {n_items, fn, ctx};
    ql_team_run(n_threads < n_items ? n_threads : (int)n_items, run_loop, &l);
}

/* ---- what OpenMP it is ---- */

#ifndef _OPENMP
#define _OPENMP 0
#endif
#define TEXT_OF_(x) #x
#define TEXT_OF(x)  TEXT_OF_(x)

const char *ql_openmp_version(void)
{
    static const struct {
        int date;
        const char *version;
    } known[] = {{0, ""},         {201107, "3.1"}, {201307, "4.0"}, {201511, "4.5"},
                 {201811, "5.0"}, {202011, "5.1"}, {202111, "5.2"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].date == _OPENMP) return known[i].version;
    return TEXT_OF(_OPENMP);
}
