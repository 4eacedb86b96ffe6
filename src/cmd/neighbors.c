#include "neighbors.h"

#include "quell/alloc.h"

#define S knn_args
/* clang-format off */
const ql_option ql_knn_rows[] = {
    {.name = "neighbors", .letter = 'k', QL_INT_AT(S, neighbors), .def = "15", .min = 2, .max = 10000,
     .group = "Neighbours", .help = "neighbours of a cell, itself counted",
     .more = "As scanpy counts: 15 are the cell and its 14 nearest."},
    {.name = "metric", QL_CHOICE_AT(S, metric), .def = "euclidean", .choice_at = ql_metric_at,
     .group = "Neighbours", .help = "distance between cells"},
    {.name = NULL},
};
/* clang-format on */
#undef S

static void tell(void *ctx, double share)
{
    const space_job *j = ctx;
    ql_progress p = QL_PROGRESS("neighbours", "%", 100 * share, 100);
    ql_log_progress(j->run->log, &p);
}

ql_status neighbors_find(space_job *j, const knn_args *a, const ql_points *points, ql_knn *out)
{
    ql_err *err = &j->run->err;
    int64_t k = a->neighbors - 1;
    if (points->n < 2) return ql_fail(err, QL_EDATA, "%s: one cell has no neighbours", j->path);
    if (k > points->n - 1) {
        k = points->n - 1;
        ql_log_warn(j->run->log, "there are %lld cells only: all of them are neighbours",
                    (long long)points->n);
    }
    const ql_knn_options opt = {.metric = ql_metric_find(a->metric),
                                .k = (int)k,
                                .threads = j->run->threads,
                                .kern = j->kern,
                                .tell = tell,
                                .ctx = j};
    ql_status st = ql_knn_points(points->x, points->n, points->n_dims, &opt, out, err);
    ql_log_progress_end(j->run->log);
    if (st == QL_EDATA) ql_context(err, "%s: the latent space", j->path);
    return st;
}

/* ---- from the file ---- */

static bool options_given(const space_job *j)
{
    static const char *const names[] = {"use", "neighbors", "metric"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (ql_opts_was_set(j->run->opts, names[i])) return true;
    return false;
}

static void read_use(const space_job *j, ql_str *use)
{
    static const char key[] = "uns/neighbors/params/use_rep";
    ql_part_value v = {0};
    if (!ql_part_has(j->part, key) || ql_part_get(j->part, key, &v, NULL) != QL_OK) return;
    if (v.kind == QL_PART_TEXT) ql_str_puts(use, ql_name(&v.texts, 0));
    ql_part_value_free(&v);
}

/* Cells without a neighbour (set aside by the model) are no nodes. */
static ql_status take_nodes(const ql_csr *all, neighbor_graph *out, ql_err *err)
{
    uint8_t *is_node;
    QL_TRY(QL_NEW(is_node, all->n_rows, "the graph", err));
    for (int64_t i = 0; i < all->n_rows; i++) is_node[i] = all->indptr[i + 1] > all->indptr[i];
    ql_status st = ql_points_of_cells(is_node, all->n_rows, &out->points, err);
    if (st == QL_OK) st = ql_csr_subset(all, is_node, is_node, &out->graph, err);
    if (st == QL_OK && out->points.n == 0) st = ql_fail(err, QL_EDATA, "no cell has a neighbour");
    ql_free(is_node);
    return st;
}

static ql_status take_from_file(space_job *j, neighbor_graph *out)
{
    static const char key[] = "obsp/connectivities";
    ql_err *err = &j->run->err;
    const int64_t shape[2] = {j->n_cells, j->n_cells};
    ql_csr all = {0};
    ql_status st = ql_part_sparse(j->part, key, shape, j->run->threads, &all, err);
    if (st == QL_OK) {
        st = ql_graph_check(&all, err);
        if (st == QL_OK) st = take_nodes(&all, out, err);
        if (st != QL_OK) ql_context(err, "%s: /%s", j->path, key);
    }
    ql_csr_free(&all);
    if (st != QL_OK) return st;
    out->from_file = true;
    read_use(j, &out->use);
    ql_log_info(j->run->log, "%lld cells and their neighbours as the file has them (obsp%s%s)",
                (long long)out->points.n, out->use.len ? ", of " : "", ql_str_text(&out->use));
    return QL_OK;
}

/* ---- anew ---- */

static ql_status make_graph(space_job *j, const knn_args *a, neighbor_graph *out)
{
    ql_knn knn = {0};
    ql_status st;
    QL_GO(space_points(j, j->a->use, &out->points, &out->use));
    QL_GO(neighbors_find(j, a, &out->points, &knn));
    QL_GO(ql_graph_of_knn(&knn, &out->graph, &j->run->err));
    ql_log_info(j->run->log, "%d neighbours of each cell (%s), %lld edges", knn.k + 1, a->metric,
                (long long)ql_csr_nnz(&out->graph) / 2);
out:
    ql_knn_free(&knn);
    return st;
}

ql_status neighbors_graph(space_job *j, const knn_args *a, neighbor_graph *out)
{
    if (!options_given(j) && space_has(j, "obsp/connectivities")) return take_from_file(j, out);
    return make_graph(j, a, out);
}

void neighbor_graph_free(neighbor_graph *g)
{
    ql_points_free(&g->points);
    ql_csr_free(&g->graph);
    ql_str_free(&g->use);
}
