/* Teams of plain POSIX threads in the place of OpenMP's, for the thread sanitizer: it does not know
 * how OpenMP's runtime starts and joins threads, and would report what is none. Barriers and the
 * handing out of items are those of the program. */
#include <pthread.h>
#include <stdlib.h>

#define ql_team_run ql_team_run_openmp
#include "../../src/base/parallel.c"
#undef ql_team_run

/* for the function that is not called */
int omp_get_num_threads(void)
{
    return 1;
}

int omp_get_thread_num(void)
{
    return 0;
}

enum { MAX_MEMBERS = 64 };

typedef struct {
    void (*fn)(void *ctx, ql_team *team, int rank);
    void *ctx;
    ql_team *team;
    int rank;
} member;

static void *enter(void *arg)
{
    const member *m = arg;
    m->fn(m->ctx, m->team, m->rank);
    return NULL;
}

void ql_team_run(int n_threads, void (*fn)(void *ctx, ql_team *team, int rank), void *ctx)
{
    int n = n_threads < 1 ? 1 : n_threads < MAX_MEMBERS ? n_threads : MAX_MEMBERS;
    ql_team team = {.size = n, .n_spins = 50, .n_ranges = n < RANGES ? n : RANGES};
    pthread_t thread[MAX_MEMBERS];
    member members[MAX_MEMBERS];
    for (int rank = 0; rank < n; rank++) members[rank] = (member){fn, ctx, &team, rank};
    for (int rank = 1; rank < n; rank++)
        if (pthread_create(&thread[rank], NULL, enter, &members[rank])) abort();
    enter(&members[0]);
    for (int rank = 1; rank < n; rank++) pthread_join(thread[rank], NULL);
}
