/* quell cluster --method leiden and louvain: communities of the graph of neighbours. */
#include <string.h>

#include "cluster.h"
#include "quell/alloc.h"
#include "quell/community.h"
#include "quell/with_igraph.h"

static const char *const objectives[] = {"modularity", "cpm", NULL};

#define S cluster_graph_args
/* clang-format off */
const ql_option ql_cluster_graph_rows[] = {
    {.name = "resolution", .letter = 'r', QL_DOUBLE_AT(S, resolution), .def = "1", .min = 0, .max = 1e6,
     .group = "Clusters", .help = "leiden, louvain: higher makes more clusters"},
    {.name = "objective", QL_CHOICE_AT(S, objective), .choices = objectives, .def = "modularity",
     .group = "Clusters", .level = QL_OPT_EXPERT, .help = "leiden: what a partition is judged by",
     .more = "modularity: as scanpy does (Reichardt and Bornholdt with --resolution). cpm: the constant "
             "Potts model, which has no resolution limit; --resolution is then a density, such as 0.01."},
    {.name = "iterations", QL_INT_AT(S, iterations), .def = "0", .min = 0, .max = 1000,
     .group = "Clusters", .level = QL_OPT_EXPERT,
     .help = "leiden: at most so many; 0: until none improves"},
    {.name = NULL},
};
/* clang-format on */
#undef S

static ql_community_options options_of(const cluster_args *a)
{
    return (ql_community_options){
        .quality = strcmp(a->graph.objective, "cpm") == 0 ? QL_QUALITY_CPM : QL_QUALITY_MODULARITY,
        .resolution = a->graph.resolution,
        .iterations = a->graph.iterations,
        .seed = (uint64_t)a->seed.seed};
}

typedef ql_status find_fn(const ql_csr *graph, const ql_community_options *opt, int32_t *code,
                          ql_communities *out, ql_err *err);

static ql_status find(cluster_job *j, find_fn *method, ql_labels *out)
{
    ql_err *err = &j->run->err;
    const ql_community_options opt = options_of(j->a);
    ql_communities found = {0};
    int32_t *code = NULL;
    ql_status st;
    QL_GO(QL_NEW(code, j->g.points.n, "clusters", err));
    QL_GO(method(&j->g.graph, &opt, code, &found, err));
    QL_GO(ql_labels_number(code, j->g.points.n, found.n, out, err));
    ql_log_info(j->run->log, "%s at resolution %g (igraph %s): modularity %.4f", j->a->method,
                opt.resolution, ql_igraph_version(), found.modularity);
    ql_summary_double(j->run->summary, "modularity", found.modularity);
    j->modularity = found.modularity;
    QL_GO(space_record_double(&j->space, "modularity", found.modularity));
    QL_GO(space_record_string(&j->space, "igraph", ql_igraph_version()));
out:
    ql_free(code);
    return st;
}

static ql_status run_leiden(cluster_job *j, ql_labels *out)
{
    return find(j, ql_leiden, out);
}

static ql_status run_louvain(cluster_job *j, ql_labels *out)
{
    return find(j, ql_louvain, out);
}

static ql_status check_leiden(const cluster_args *a, ql_run *run)
{
    (void)a;
    return ql_igraph_check("--method leiden", &run->err);
}

static ql_status check_louvain(const cluster_args *a, ql_run *run)
{
    if (strcmp(a->graph.objective, "modularity") != 0)
        return ql_fail(&run->err, QL_EUSAGE, "--method louvain knows --objective modularity only");
    return ql_igraph_check("--method louvain", &run->err);
}

/* uns/KEY/params, as scanpy writes them. */
static ql_status write_params(cluster_job *j)
{
    char key[300];
    ql_h5ad_writer *w = j->space.writer;
    ql_err *err = &j->run->err;
    (void)snprintf(key, sizeof key, "uns/%s/params/resolution", j->key);
    QL_TRY(ql_h5ad_double(w, key, j->a->graph.resolution, err));
    (void)snprintf(key, sizeof key, "uns/%s/params/random_state", j->key);
    QL_TRY(ql_h5ad_int(w, key, j->a->seed.seed, err));
    (void)snprintf(key, sizeof key, "uns/%s/params/n_iterations", j->key);
    return ql_h5ad_int(w, key, j->a->graph.iterations > 0 ? j->a->graph.iterations : -1, err);
}

const cluster_method ql_cluster_leiden = {.name = "leiden",
                                          .of_graph = true,
                                          .check = check_leiden,
                                          .run = run_leiden,
                                          .write = write_params};
const cluster_method ql_cluster_louvain = {.name = "louvain",
                                           .of_graph = true,
                                           .check = check_louvain,
                                           .run = run_louvain,
                                           .write = write_params};
