#include "neighbors.h"

#include <stdio.h>
#include <string.h>

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

const ql_option ql_graph_rows[] = {
    {.name = "neighbors-key", QL_STRING_AT(S, graph), .unit = "KEY", .group = "Neighbours",
     .unset = "neighbors, where it is there", .help = "take this graph of the file",
     .more = "What quell neighbors --key or scanpy's key_added called it: a member of uns. Not together "
             "with --use, --neighbors or --metric, which make a new one."},
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
    if (st == QL_EDATA) ql_context(err, st, "%s: the latent space", j->path);
    return st;
}

/* ---- from the file ---- */

/* The option of a new graph that was given; NULL: none. */
static const char *option_given(const space_job *j)
{
    static const char *const names[] = {"use", "neighbors", "metric"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (ql_opts_was_set(j->run->opts, names[i])) return names[i];
    return NULL;
}

/* Appends the text at uns/<graph>/<name>, if it is one. */
static void read_text(const space_job *j, const char *graph, const char *name, ql_str *out)
{
    char key[400];
    ql_part_value v = {0};
    (void)snprintf(key, sizeof key, "uns/%s/%s", graph, name);
    if (!ql_part_has(j->part, key) || ql_part_get(j->part, key, &v, NULL) != QL_OK) return;
    if (v.kind == QL_PART_TEXT) ql_str_puts(out, ql_name(&v.texts, 0));
    ql_part_value_free(&v);
}

/* "obsp/connectivities": where a graph is. Nothing where the file has none of this name. */
static void find_graph(const space_job *j, const char *graph, ql_str *key)
{
    ql_str name = {0};
    read_text(j, graph, "connectivities_key", &name);
    const char *at = name.len ? ql_str_text(&name) : "connectivities";
    ql_str_clear(key);
    if (name.len || strcmp(graph, NEIGHBORS_KEY) == 0) ql_str_printf(key, "obsp/%s", at);
    if (key->len && !space_has(j, ql_str_text(key))) ql_str_clear(key);
    ql_str_free(&name);
}

/* The names of those that are there, for the message. */
static ql_status fail_no_graph(space_job *j, const char *graph)
{
    ql_names has = {0};
    ql_str list = {0}, key = {0};
    QL_TRY(ql_part_members(j->part, "uns", &has, &j->run->err));
    for (int64_t i = 0; i < has.n; i++) {
        find_graph(j, ql_name(&has, i), &key);
        if (!key.len) continue;
        ql_str_puts(&list, list.len ? ", " : "");
        ql_str_escape(&list, ql_name(&has, i), strlen(ql_name(&has, i)));
    }
    ql_fail(&j->run->err, QL_EDATA, "%s: has no graph of neighbours named %s (it has: %s)", j->path,
            graph, list.len ? ql_str_text(&list) : "none");
    ql_names_free(&has);
    ql_str_free(&list);
    ql_str_free(&key);
    return ql_hint(&j->run->err, QL_EDATA, "quell neighbors --key %s makes one", graph);
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

static ql_status take_from_file(space_job *j, const char *graph, const char *key,
                                neighbor_graph *out)
{
    ql_err *err = &j->run->err;
    const int64_t shape[2] = {j->n_cells, j->n_cells};
    ql_csr all = {0};
    ql_status st = ql_part_sparse(j->part, key, shape, j->run->threads, &all, err);
    if (st == QL_OK) {
        st = ql_graph_check(&all, err);
        if (st == QL_OK) st = take_nodes(&all, out, err);
        if (st != QL_OK) ql_context(err, st, "%s: /%s", j->path, key);
    }
    ql_csr_free(&all);
    if (st != QL_OK) return st;
    out->from_file = true;
    read_text(j, graph, "params/use_rep", &out->use);
    ql_log_info(j->run->log, "%lld cells and their neighbours as the file has them (%s%s%s)",
                (long long)out->points.n, key, out->use.len ? ", of " : "", ql_str_text(&out->use));
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

static ql_status check_options(const space_job *j, const knn_args *a)
{
    const char *other = option_given(j);
    if (!a->graph || !other) return QL_OK;
    return ql_fail(
        &j->run->err, QL_EUSAGE,
        "--neighbors-key takes a graph of the file, --%s makes a new one: give one of them", other);
}

ql_status neighbors_graph(space_job *j, const knn_args *a, neighbor_graph *out)
{
    const char *graph = a->graph ? a->graph : NEIGHBORS_KEY;
    ql_str key = {0};
    ql_status st;
    QL_GO(check_options(j, a));
    if (a->graph) QL_GO(space_check_key("--neighbors-key", a->graph, j->run));
    find_graph(j, graph, &key);
    if (a->graph && !key.len) QL_GO(fail_no_graph(j, graph));
    const bool take = key.len && !option_given(j);
    QL_GO(take ? take_from_file(j, graph, ql_str_text(&key), out) : make_graph(j, a, out));
out:
    ql_str_free(&key);
    return st;
}

void neighbor_graph_free(neighbor_graph *g)
{
    ql_points_free(&g->points);
    ql_csr_free(&g->graph);
    ql_str_free(&g->use);
}
