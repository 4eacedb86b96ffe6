/* quell neighbors: the nearest cells of each cell, where scanpy puts them. */
#include <stdio.h>
#include <string.h>

#include "quell/alloc.h"
#include "space/neighbors.h"

typedef struct {
    ql_common_args common;
    space_args space;
    knn_args knn;
    const char *key;
} neighbors_args;

#define S neighbors_args
/* clang-format off */
static const ql_option neighbors_rows[] = {
    {.name = "key", QL_STRING_AT(S, key), .def = NEIGHBORS_KEY, .unit = "KEY", .group = "Output",
     .help = "name of the graph, for several in one file",
     .more = "As scanpy's key_added: uns/KEY, obsp/KEY_distances, obsp/KEY_connectivities; without it "
             "uns/neighbors, obsp/distances, obsp/connectivities. quell cluster and quell layout take it with "
             "--neighbors-key."},
    {.name = NULL},
};
/* clang-format on */
#undef S

enum { KEY = 300 };

/* Where the results go, as scanpy names them. */
typedef struct {
    char uns[KEY], record[KEY];
    char distances[KEY], connectivities[KEY]; /* "obsp/pca_distances" */
} graph_keys;

typedef struct {
    const neighbors_args *a;
    space_job space;
    graph_keys keys;
    ql_points points;
    ql_str use;
    ql_knn knn;
    ql_csr graph;
} job;

/* ---- matrices of all cells ---- */

/* indptr [n_cells + 1] of rows of points, and columns of points as columns of cells. */
static void widen(const ql_points *p, const int64_t *indptr, int64_t *wide, int32_t *column)
{
    int64_t at = 0;
    for (int64_t i = 0; i < p->n_cells; i++) {
        wide[i] = indptr[at];
        if (at < p->n && p->cell[at] == i) at++;
    }
    wide[p->n_cells] = indptr[p->n];
    for (int64_t e = 0; e < indptr[p->n]; e++) column[e] = (int32_t)p->cell[column[e]];
}

/* Write a matrix of points; column is changed. */
static ql_status write_matrix(job *j, const char *key, const int64_t *indptr, int32_t *column,
                              const float *values, const double *doubles)
{
    ql_err *err = &j->space.run->err;
    const int64_t n = j->points.n_cells;
    int64_t *wide;
    QL_TRY(QL_NEW(wide, n + 1, "a graph", err));
    widen(&j->points, indptr, wide, column);
    const ql_sparse_out m = {n, n, wide, column, values, doubles};
    ql_status st = ql_h5ad_sparse(j->space.writer, key, &m, err);
    ql_free(wide);
    space_wrote(&j->space, key);
    return st;
}

/* The neighbours as a matrix: columns in order within a row. */
static ql_status write_distances(job *j)
{
    ql_err *err = &j->space.run->err;
    const ql_knn *knn = &j->knn;
    int64_t *indptr = NULL;
    int32_t *column = NULL;
    double *value = NULL;
    ql_status st;
    QL_GO(QL_NEW(indptr, knn->n + 1, "distances", err));
    QL_GO(QL_NEW(column, knn->n * knn->k, "distances", err));
    QL_GO(QL_NEW(value, knn->n * knn->k, "distances", err));
    for (int64_t i = 0; i < knn->n; i++) {
        const int64_t row = i * knn->k;
        for (int e = 0; e < knn->k; e++)
            ql_graph_insert(column + row, value + row, e, knn->index[row + e],
                            knn->distance[row + e]);
        indptr[i + 1] = row + knn->k;
    }
    QL_GO(write_matrix(j, j->keys.distances, indptr, column, NULL, value));
out:
    ql_free(indptr);
    ql_free(column);
    ql_free(value);
    return st;
}

static ql_status put_text(job *j, const char *name, const char *value)
{
    char key[2 * KEY];
    (void)snprintf(key, sizeof key, "%s/%s", j->keys.uns, name);
    return ql_h5ad_string(j->space.writer, key, value, &j->space.run->err);
}

static ql_status put_int(job *j, const char *name, int64_t value)
{
    char key[2 * KEY];
    (void)snprintf(key, sizeof key, "%s/%s", j->keys.uns, name);
    return ql_h5ad_int(j->space.writer, key, value, &j->space.run->err);
}

/* What sc.tl.leiden and sc.tl.umap look for. */
static ql_status write_params(job *j)
{
    const char *distances = strchr(j->keys.distances, '/') + 1;
    const char *connectivities = strchr(j->keys.connectivities, '/') + 1;
    QL_TRY(put_text(j, "connectivities_key", connectivities));
    QL_TRY(put_text(j, "distances_key", distances));
    QL_TRY(put_text(j, "params/method", "umap"));
    QL_TRY(put_text(j, "params/metric", j->a->knn.metric));
    QL_TRY(put_int(j, "params/n_neighbors", j->knn.k + 1));
    QL_TRY(put_int(j, "params/random_state", 0));
    space_wrote(&j->space, j->keys.uns);
    return put_text(j, "params/use_rep", ql_str_text(&j->use));
}

/* ---- the command ---- */

static ql_status find(job *j)
{
    ql_run *run = j->space.run;
    QL_TRY(neighbors_find(&j->space, &j->a->knn, &j->points, &j->knn));
    QL_TRY(ql_graph_of_knn(&j->knn, &j->graph, &run->err));
    const int64_t edges = ql_csr_nnz(&j->graph) / 2;
    ql_log_info(run->log, "%d neighbours of each cell (%s), %lld edges", j->knn.k + 1,
                j->a->knn.metric, (long long)edges);
    ql_summary_int(run->summary, "neighbors", j->knn.k + 1);
    ql_summary_int(run->summary, "edges", edges);
    return QL_OK;
}

/* The default name gives names without it, as in scanpy. */
static void name_keys(const char *key, graph_keys *k)
{
    const bool plain = strcmp(key, NEIGHBORS_KEY) == 0;
    (void)snprintf(k->uns, KEY, "uns/%s", key);
    (void)snprintf(k->record, KEY, plain ? "%s" : NEIGHBORS_KEY "_%s", key);
    (void)snprintf(k->distances, KEY, plain ? "obsp/distances" : "obsp/%s_distances", key);
    (void)snprintf(k->connectivities, KEY, plain ? "obsp/connectivities" : "obsp/%s_connectivities",
                   key);
}

static ql_status work(job *j, ql_run *run)
{
    const graph_keys *k = &j->keys;
    const char *const claims[] = {k->distances, k->connectivities, k->uns, NULL};
    space_job *s = &j->space;
    QL_TRY(space_check_key("--key", j->a->key, run));
    name_keys(j->a->key, &j->keys);
    QL_TRY(space_open(s, &j->a->space, run->args[0], run));
    QL_TRY(space_points(s, j->a->space.use, &j->points, &j->use));
    QL_TRY(space_begin(s, k->record, claims));
    QL_TRY(find(j));
    QL_TRY(write_distances(j));
    QL_TRY(
        write_matrix(j, k->connectivities, j->graph.indptr, j->graph.indices, j->graph.data, NULL));
    QL_TRY(write_params(j));
    QL_TRY(space_write_record(s, ql_str_text(&j->use)));
    return space_commit(s);
}

static ql_status neighbors_run(const void *args, ql_run *run)
{
    job j = {.a = args};
    ql_status st = work(&j, run);
    ql_csr_free(&j.graph);
    ql_knn_free(&j.knn);
    ql_str_free(&j.use);
    ql_points_free(&j.points);
    space_close(&j.space);
    return st;
}

static const ql_opt_table neighbors_tables[] = {{neighbors_rows, 0},
                                                SPACE_TABLES(neighbors_args, space),
                                                {ql_knn_rows, offsetof(neighbors_args, knn)},
                                                {NULL, 0}};

static const ql_positional neighbors_positionals[] = {
    {"INPUT", "an h5ad with a latent space in obsm, of quell embed or any other program"},
    {NULL, NULL},
};

const ql_command ql_cmd_neighbors = {
    .name = "neighbors",
    .group = "After an embedding",
    .summary = "the nearest cells of each cell, and a graph of them",
    .positionals = neighbors_positionals,
    .examples = {{"quell neighbors pbmc.dca.h5ad -o pbmc.h5ad",
                  "obsp/distances, obsp/connectivities, uns/neighbors, as sc.pp.neighbors"},
                 {"quell neighbors pbmc.h5ad -o graph.h5ad --use X_pca --key pca --metric cosine",
                  "a second graph in the file, by the angle between principal components"}},
    .tables = neighbors_tables,
    QL_ARGS(neighbors_args),
    .run = neighbors_run,
};
