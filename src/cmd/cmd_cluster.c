/* quell cluster: groups of cells that are alike, by one of several methods. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "quell/alloc.h"
#include "space/cluster.h"

/* The registry, in the order of the help. */
static const cluster_method *const methods[] = {&ql_cluster_leiden, &ql_cluster_louvain,
                                                &ql_cluster_kmeans, &ql_cluster_spectral,
                                                &ql_cluster_scdha};
enum { N_METHODS = sizeof methods / sizeof *methods };

static const char *method_at(int i)
{
    return i < N_METHODS ? methods[i]->name : NULL;
}

#define S cluster_args
/* clang-format off */
static const ql_option cluster_rows[] = {
    {.name = "method", .letter = 'm', QL_CHOICE_AT(S, method), .def = "leiden", .choice_at = method_at,
     .group = "Clusters", .help = "how clusters are found",
     .more = "leiden, louvain: communities of the graph of neighbours, by igraph. That graph is the "
             "file's (quell neighbors, sc.pp.neighbors) unless --use, --neighbors or --metric ask for "
             "another. kmeans, spectral: of the coordinates, --clusters of them. scdha: the way of scDHA "
             "(Tran et al. 2021): the number of clusters is estimated, k-means or spectral clustering in each "
             "space of an ensemble, a consensus of these, and for large sets a sample and a vote."},
    {.name = "key", QL_STRING_AT(S, key), .unit = "KEY", .unset = "the method's name",
     .group = "Output", .help = "column of obs for the clusters"},
    {.name = NULL},
};
/* clang-format on */
#undef S

static const cluster_method *find_method(const char *name)
{
    for (int i = 0; i < N_METHODS; i++)
        if (strcmp(methods[i]->name, name) == 0) return methods[i];
    return NULL;
}

static ql_status read_input(cluster_job *j, const cluster_method *m)
{
    if (m->of_graph) return neighbors_graph(&j->space, &j->a->knn, &j->g);
    return space_points(&j->space, j->a->space.use, &j->g.points, &j->g.use);
}

static ql_status begin(cluster_job *j)
{
    char record[300], column[300], uns[300];
    const char *const claims[] = {column, uns, NULL};
    (void)snprintf(record, sizeof record, "cluster/%s", j->key);
    (void)snprintf(column, sizeof column, "obs/%s", j->key);
    (void)snprintf(uns, sizeof uns, "uns/%s", j->key);
    return space_begin(&j->space, record, claims);
}

static ql_status tell_sizes(const cluster_job *j, const ql_labels *l)
{
    enum { SHOWN = 12 };
    int64_t *size;
    ql_str text = {0};
    QL_TRY(QL_NEW(size, l->names.n, "sizes of clusters", &j->run->err));
    ql_labels_sizes(l, size);
    for (int64_t k = 0; k < l->names.n && k < SHOWN; k++)
        ql_str_printf(&text, "%s%lld", k ? ", " : "", (long long)size[k]);
    ql_log_info(j->run->log, "%lld clusters, of %s%s cells", (long long)l->names.n,
                ql_str_text(&text), l->names.n > SHOWN ? ", ..." : "");
    ql_summary_int(j->run->summary, "clusters", l->names.n);
    ql_str_free(&text);
    ql_free(size);
    return QL_OK;
}

static ql_status work(cluster_job *j, const cluster_method *m)
{
    ql_labels found = {0};
    ql_status st;
    if (m->check) QL_TRY(m->check(j->a, j->run));
    QL_TRY(mqc_check(&j->a->mqc, j->run));
    QL_TRY(space_open(&j->space, &j->a->space, j->run->args[0], j->run));
    QL_TRY(begin(j));
    QL_TRY(read_input(j, m));
    QL_GO(m->run(j, &found));
    QL_GO(tell_sizes(j, &found));
    QL_GO(space_write_labels(&j->space, j->key, &found, &j->g.points));
    if (m->write) QL_GO(m->write(j));
    QL_GO(space_record_string(&j->space, "method", m->name));
    QL_GO(space_write_record(&j->space, j->g.use.len ? ql_str_text(&j->g.use) : NULL));
    QL_GO(space_commit(&j->space));
    QL_GO(cluster_mqc(j, &found));
out:
    ql_labels_free(&found);
    return st;
}

static ql_status cluster_run(const void *args, ql_run *run)
{
    const cluster_args *a = args;
    const cluster_method *m = find_method(a->method);
    if (!m) return ql_fail(&run->err, QL_EINTERNAL, "--method %s is not in the table", a->method);
    if (!m->of_graph && a->knn.graph)
        return ql_fail(&run->err, QL_EUSAGE,
                       "--method %s clusters coordinates, not a graph: "
                       "--neighbors-key is of no use",
                       m->name);
    cluster_job j = {.a = a, .run = run, .key = a->key ? a->key : m->name, .modularity = NAN};
    ql_status st = work(&j, m);
    neighbor_graph_free(&j.g);
    space_close(&j.space);
    return st;
}

static const char *const like_scdha[] = {"method=scdha", "estimate=scdha", NULL};

static const ql_preset cluster_presets[] = {
    {"scdha", "the settings of scDHA 1.2.2, for reproducing its results", like_scdha, NULL},
    {NULL, NULL, NULL, NULL},
};

static const ql_opt_table cluster_tables[] = {
    {cluster_rows, 0},
    {ql_cluster_graph_rows, offsetof(cluster_args, graph)},
    {ql_cluster_points_rows, offsetof(cluster_args, points)},
    {ql_seed_rows, offsetof(cluster_args, seed)},
    {ql_knn_rows, offsetof(cluster_args, knn)},
    {ql_graph_rows, offsetof(cluster_args, knn)},
    {mqc_rows, offsetof(cluster_args, mqc)},
    SPACE_TABLES(cluster_args, space),
    {NULL, 0}};

static const ql_positional cluster_positionals[] = {
    {"INPUT", "an h5ad with a latent space in obsm, of quell embed or any other program"},
    {NULL, NULL},
};

const ql_command ql_cmd_cluster = {
    .name = "cluster",
    .group = "After an embedding",
    .summary = "groups of cells that are alike",
    .positionals = cluster_positionals,
    .examples = {{"quell cluster pbmc.dca.h5ad -o pbmc.h5ad",
                  "Leiden on 15 neighbours of each cell: obs/leiden"},
                 {"quell cluster pbmc.h5ad -o fine.h5ad --use X_pca -r 2 --key leiden_r2",
                  "smaller clusters, in another space, under another name"}},
    .tables = cluster_tables,
    .presets = cluster_presets,
    QL_ARGS(cluster_args),
    .run = cluster_run,
};
