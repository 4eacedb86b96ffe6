/* A call of igraph: its generator, its errors, its interrupts are ours meanwhile. Private to
 * src/space.
 *
 *     igraph_run r;
 *     igraph_run_begin(&r, seed);
 *     int code = igraph_...(...);
 *     st = igraph_run_end(&r, code, "Leiden", err);
 *
 * igraph keeps these settings in globals, so one run at a time, on one thread. */
#ifndef QL_IGRAPH_RUN_H
#define QL_IGRAPH_RUN_H

#ifdef QL_HAVE_IGRAPH
#include <igraph.h>

#include "quell/csr.h"
#include "quell/rng.h"

typedef struct {
    ql_rng rng;
    igraph_rng_t ours, *before;
    igraph_error_handler_t *errors;
    igraph_interruption_handler_t *interrupts;
} igraph_run;

void igraph_run_begin(igraph_run *r, uint64_t seed);
QL_MUST_USE ql_status igraph_run_end(igraph_run *r, igraph_error_t code, const char *what,
                                     ql_err *err);

/* Edges i < j of a symmetric matrix as an undirected graph, and their weights. Within a run; on
 * failure nothing is left to destroy. QL_EMEMORY before igraph asks for more than there is. */
QL_MUST_USE ql_status igraph_run_room(const ql_csr *m, ql_err *err);
igraph_error_t igraph_run_graph(const ql_csr *m, igraph_t *graph, igraph_vector_t *weights);

#endif
#endif
