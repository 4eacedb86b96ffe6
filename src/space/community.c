#include "quell/community.h"

#include "igraph_run.h"
#include "quell/alloc.h"
#include "quell/interrupt.h"
#include "quell/with_igraph.h"

/* ---- modularity ---- */

ql_status ql_modularity(const ql_csr *graph, const int32_t *code, int64_t n, double resolution,
                        double *out, ql_err *err)
{
    double *inside = NULL, *all = NULL, total = 0, sum = 0;
    ql_status st;
    QL_GO(QL_NEW(inside, n, "weights of communities", err));
    QL_GO(QL_NEW(all, n, "weights of communities", err));
    for (int64_t i = 0; i < graph->n_rows; i++)
        for (int64_t e = graph->indptr[i]; e < graph->indptr[i + 1]; e++) {
            const double w = (double)graph->data[e];
            all[code[i]] += w;
            if (code[graph->indices[e]] == code[i]) inside[code[i]] += w;
            total += w;
        }
    for (int64_t c = 0; c < n && total > 0; c++)
        sum += inside[c] / total - resolution * (all[c] / total) * (all[c] / total);
    *out = sum;
out:
    ql_free(inside);
    ql_free(all);
    return st;
}

#ifdef QL_HAVE_IGRAPH

enum { MOST_ROUNDS = 100 };

/* ---- what both share ---- */

typedef struct {
    const ql_csr *matrix;
    const ql_community_options *opt;
    igraph_t graph;
    igraph_vector_t weights;
    igraph_vector_t sizes; /* of nodes: sums of weights, or 1 */
    igraph_vector_int_t member;
    double resolution; /* as igraph wants it */
} work;

static igraph_error_t size_nodes(work *w)
{
    const ql_csr *m = w->matrix;
    double total = 0;
    const bool modularity = w->opt->quality == QL_QUALITY_MODULARITY;
    for (int64_t i = 0; i < m->n_rows; i++) {
        double sum = 0;
        for (int64_t e = m->indptr[i]; e < m->indptr[i + 1]; e++) sum += (double)m->data[e];
        VECTOR(w->sizes)[i] = modularity ? sum : 1;
        total += sum;
    }
    w->resolution = w->opt->resolution / (modularity && total > 0 ? total : 1);
    return IGRAPH_SUCCESS;
}

static igraph_error_t work_begin(work *w)
{
    igraph_error_t code = igraph_run_graph(w->matrix, &w->graph, &w->weights);
    if (code != IGRAPH_SUCCESS) return code;
    code = igraph_vector_init(&w->sizes, w->matrix->n_rows);
    if (code == IGRAPH_SUCCESS) {
        code = igraph_vector_int_init(&w->member, w->matrix->n_rows);
        if (code == IGRAPH_SUCCESS) return size_nodes(w);
        igraph_vector_destroy(&w->sizes);
    }
    igraph_destroy(&w->graph);
    igraph_vector_destroy(&w->weights);
    return code;
}

static void work_end(work *w)
{
    igraph_vector_int_destroy(&w->member);
    igraph_vector_destroy(&w->sizes);
    igraph_destroy(&w->graph);
    igraph_vector_destroy(&w->weights);
}

/* ---- the two ---- */

/* Round by round: igraph 0.10 asks for no interrupts within. A round that gains nothing is the
 * last.
 */
static igraph_error_t leiden(work *w)
{
    double best = -1e300, quality = 0;
    igraph_integer_t n;
    const int most = w->opt->iterations > 0 ? w->opt->iterations : MOST_ROUNDS;
    for (int round = 0; round < most; round++) {
        if (ql_interrupt_check(NULL) != QL_OK) return IGRAPH_INTERRUPTED;
        const igraph_error_t code =
            igraph_community_leiden(&w->graph, &w->weights, &w->sizes, w->resolution, 0.01,
                                    round > 0, 1, &w->member, &n, &quality);
        if (code != IGRAPH_SUCCESS) return code;
        if (!(quality > best)) break;
        best = quality;
    }
    return IGRAPH_SUCCESS;
}

static igraph_error_t louvain(work *w)
{
    return igraph_community_multilevel(&w->graph, &w->weights, w->opt->resolution, &w->member, NULL,
                                       NULL);
}

static int64_t take_members(const work *w, int32_t *code)
{
    int64_t n = 0;
    for (int64_t i = 0; i < w->matrix->n_rows; i++) {
        code[i] = (int32_t)VECTOR(w->member)[i];
        if (code[i] >= n) n = code[i] + 1;
    }
    return n;
}

static ql_status find(const ql_csr *graph, const ql_community_options *opt,
                      igraph_error_t (*method)(work *w), const char *name, int32_t *code,
                      ql_communities *out, ql_err *err)
{
    work w = {.matrix = graph, .opt = opt};
    igraph_run run;
    QL_TRY(igraph_run_room(graph, err));
    igraph_run_begin(&run, opt->seed);
    igraph_error_t failure = work_begin(&w);
    if (failure == IGRAPH_SUCCESS) {
        failure = method(&w);
        if (failure == IGRAPH_SUCCESS) out->n = take_members(&w, code);
        work_end(&w);
    }
    QL_TRY(igraph_run_end(&run, failure, name, err));
    const double resolution = opt->quality == QL_QUALITY_CPM ? 1 : opt->resolution;
    return ql_modularity(graph, code, out->n, resolution, &out->modularity, err);
}

ql_status ql_leiden(const ql_csr *graph, const ql_community_options *opt, int32_t *code,
                    ql_communities *out, ql_err *err)
{
    return find(graph, opt, leiden, "Leiden", code, out, err);
}

ql_status ql_louvain(const ql_csr *graph, const ql_community_options *opt, int32_t *code,
                     ql_communities *out, ql_err *err)
{
    return find(graph, opt, louvain, "Louvain", code, out, err);
}

#else

ql_status ql_leiden(const ql_csr *graph, const ql_community_options *opt, int32_t *code,
                    ql_communities *out, ql_err *err)
{
    (void)graph, (void)opt, (void)code, (void)out;
    return ql_igraph_check("Leiden", err);
}

ql_status ql_louvain(const ql_csr *graph, const ql_community_options *opt, int32_t *code,
                     ql_communities *out, ql_err *err)
{
    (void)graph, (void)opt, (void)code, (void)out;
    return ql_igraph_check("Louvain", err);
}

#endif
