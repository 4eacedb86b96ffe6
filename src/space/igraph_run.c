#include "igraph_run.h"

#ifdef QL_HAVE_IGRAPH
#include "quell/alloc.h"
#include "quell/interrupt.h"

/* What an edge takes in igraph and in the algorithms' own lists, at most, in bytes. */
enum { EDGE_BYTES = 250 };

/* ---- the generator ---- */

/* The default is set before igraph seeds or makes one; a run's state is that of igraph_run. */
static igraph_error_t rng_init(void **state)
{
    *state = NULL;
    return IGRAPH_SUCCESS;
}

static void rng_destroy(void *state)
{
    (void)state;
}

static igraph_error_t rng_seed(void *state, igraph_uint_t seed)
{
    ql_rng *rng = state;
    *rng = ql_rng_start(seed, QL_RNG_GRAPH, 0, 0);
    return IGRAPH_SUCCESS;
}

static igraph_uint_t rng_get(void *state)
{
    ql_rng *rng = state;
    const uint32_t word = ql_rng_word(rng);
    if (rng->next == UINT32_MAX) *rng = ql_rng_start(rng->seed, rng->stream, rng->a, rng->b + 1);
    return word;
}

/* The rest is NULL: igraph makes numbers of other kinds from words. */
static const igraph_rng_type_t philox = {.name = "Philox4x32-10",
                                         .bits = 32,
                                         .init = rng_init,
                                         .destroy = rng_destroy,
                                         .seed = rng_seed,
                                         .get = rng_get};

/* ---- a run ---- */

static igraph_error_t on_interrupt(void *data)
{
    (void)data;
    if (ql_interrupt_check(NULL) == QL_OK) return IGRAPH_SUCCESS;
    IGRAPH_FINALLY_FREE();
    return IGRAPH_INTERRUPTED;
}

void igraph_run_begin(igraph_run *r, uint64_t seed)
{
    r->rng = ql_rng_start(seed, QL_RNG_GRAPH, 0, 0);
    r->ours = (igraph_rng_t){.type = &philox, .state = &r->rng, .is_seeded = true};
    r->before = igraph_rng_default();
    igraph_rng_set_default(&r->ours);
    r->errors = igraph_set_error_handler(igraph_error_handler_ignore);
    r->interrupts = igraph_set_interruption_handler(on_interrupt);
}

ql_status igraph_run_end(igraph_run *r, igraph_error_t code, const char *what, ql_err *err)
{
    igraph_set_interruption_handler(r->interrupts);
    igraph_set_error_handler(r->errors);
    igraph_rng_set_default(r->before);
    if (code == IGRAPH_SUCCESS) return QL_OK;
    if (code == IGRAPH_INTERRUPTED) {
        const ql_status st = ql_interrupt_check(err);
        if (st != QL_OK) return st;
    }
    if (code == IGRAPH_ENOMEM) return ql_fail(err, QL_EMEMORY, "no memory for %s", what);
    return ql_fail(err, QL_EINTERNAL, "%s: igraph: %s", what, igraph_strerror(code));
}

/* ---- the graph ---- */

ql_status igraph_run_room(const ql_csr *m, ql_err *err)
{
    const int64_t edges = ql_csr_nnz(m) / 2;
    if (edges < ql_alloc_room() / EDGE_BYTES) return QL_OK;
    ql_fail(err, QL_EMEMORY, "a graph of %lld edges takes up to %lld MiB in igraph",
            (long long)edges, (long long)(edges / 1024 * EDGE_BYTES / 1024));
    return ql_hint(err, QL_EMEMORY, "--memory allows more, fewer --neighbors need less");
}

static void list_edges(const ql_csr *m, igraph_vector_int_t *ends, igraph_vector_t *weights)
{
    igraph_integer_t e = 0;
    for (int64_t i = 0; i < m->n_rows; i++)
        for (int64_t k = m->indptr[i]; k < m->indptr[i + 1]; k++) {
            if (m->indices[k] <= i) continue;
            VECTOR(*ends)[2 * e] = i;
            VECTOR(*ends)[2 * e + 1] = m->indices[k];
            VECTOR(*weights)[e++] = (double)m->data[k];
        }
}

static igraph_integer_t count_edges(const ql_csr *m)
{
    igraph_integer_t n = 0;
    for (int64_t i = 0; i < m->n_rows; i++)
        for (int64_t k = m->indptr[i]; k < m->indptr[i + 1]; k++) n += m->indices[k] > i;
    return n;
}

igraph_error_t igraph_run_graph(const ql_csr *m, igraph_t *graph, igraph_vector_t *weights)
{
    igraph_vector_int_t ends;
    const igraph_integer_t edges = count_edges(m);
    igraph_error_t code = igraph_vector_init(weights, edges);
    if (code != IGRAPH_SUCCESS) return code;
    code = igraph_vector_int_init(&ends, 2 * edges);
    if (code == IGRAPH_SUCCESS) {
        list_edges(m, &ends, weights);
        code = igraph_create(graph, &ends, m->n_rows, IGRAPH_UNDIRECTED);
        igraph_vector_int_destroy(&ends);
    }
    if (code != IGRAPH_SUCCESS) igraph_vector_destroy(weights);
    return code;
}

#endif
