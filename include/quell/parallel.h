/* Threads. The only module that knows OpenMP.
 *
 * Work is cut by shape, never by thread count; a thread count may change who computes something,
 * not what is computed. */
#ifndef QUELL_PARALLEL_H
#define QUELL_PARALLEL_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The version of OpenMP the compiler has, as "4.5", or its date where it is a newer one; "" without
 * OpenMP. */
const char *ql_openmp_version(void);

/* Call fn(ctx, item) for each item in [0, n_items), in any order and from any of n_threads threads.
 * Items are handed out one by one. */
void ql_parallel_for(int n_threads, int64_t n_items, void (*fn)(void *ctx, int64_t item),
                     void *ctx);

/* A team of threads that runs one long region with barriers inside. */
typedef struct ql_team ql_team;

/* Run fn(ctx, team, rank) once per thread, rank in [0, n_threads). Returns when all have returned.
 * A system that grants fewer threads runs the region with what it grants. */
void ql_team_run(int n_threads, void (*fn)(void *ctx, ql_team *team, int rank), void *ctx);

int ql_team_size(const ql_team *team);

/* Wait until every thread of the team is here. Spins briefly, then gives the processor away, so
 * that shared cores are not burnt. */
void ql_team_barrier(ql_team *team);

/* Next item of [0, n_items) of the current phase for the thread of this rank, or -1 when none is
 * left. Every thread of the team draws until it gets -1, then meets the others at a barrier; phase
 * is a number that all threads count up alike from 0, one for each such loop. A thread is handed
 * the same part of loops of the same length, as far as it keeps up. */
int64_t ql_team_next(ql_team *team, int rank, int64_t phase, int64_t n_items);

#ifdef __cplusplus
}
#endif
#endif
