/* quell neighbors: the nearest cells of each cell, where scanpy puts them. */
#include "neighbors.h"
#include "quell/alloc.h"

typedef struct {
    ql_common_args common;
    space_args space;
    knn_args knn;
} neighbors_args;

typedef struct {
    const neighbors_args *a;
    space_job space;
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

static void insert(int32_t *column, double *value, int n, int32_t c, double v)
{
    for (; n > 0 && column[n - 1] > c; n--) {
        column[n] = column[n - 1];
        value[n] = value[n - 1];
    }
    column[n] = c;
    value[n] = v;
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
            insert(column + row, value + row, e, knn->index[row + e], knn->distance[row + e]);
        indptr[i + 1] = row + knn->k;
    }
    QL_GO(write_matrix(j, "obsp/distances", indptr, column, NULL, value));
out:
    ql_free(indptr);
    ql_free(column);
    ql_free(value);
    return st;
}

/* What sc.tl.leiden and sc.tl.umap look for. */
static ql_status write_params(job *j)
{
    ql_h5ad_writer *w = j->space.writer;
    ql_err *err = &j->space.run->err;
    QL_TRY(ql_h5ad_string(w, "uns/neighbors/connectivities_key", "connectivities", err));
    QL_TRY(ql_h5ad_string(w, "uns/neighbors/distances_key", "distances", err));
    QL_TRY(ql_h5ad_string(w, "uns/neighbors/params/method", "umap", err));
    QL_TRY(ql_h5ad_string(w, "uns/neighbors/params/metric", j->a->knn.metric, err));
    QL_TRY(ql_h5ad_int(w, "uns/neighbors/params/n_neighbors", j->knn.k + 1, err));
    QL_TRY(ql_h5ad_int(w, "uns/neighbors/params/random_state", 0, err));
    space_wrote(&j->space, "uns/neighbors");
    return ql_h5ad_string(w, "uns/neighbors/params/use_rep", ql_str_text(&j->use), err);
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

static ql_status work(job *j, ql_run *run)
{
    static const char *const claims[] = {"obsp/distances", "obsp/connectivities", "uns/neighbors",
                                         NULL};
    space_job *s = &j->space;
    QL_TRY(space_open(s, &j->a->space, run->args[0], run));
    QL_TRY(space_points(s, j->a->space.use, &j->points, &j->use));
    QL_TRY(space_begin(s, "neighbors", claims));
    QL_TRY(find(j));
    QL_TRY(write_distances(j));
    QL_TRY(write_matrix(j, "obsp/connectivities", j->graph.indptr, j->graph.indices, j->graph.data,
                        NULL));
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

static const ql_opt_table neighbors_tables[] = {
    SPACE_TABLES(neighbors_args, space), {ql_knn_rows, offsetof(neighbors_args, knn)}, {NULL, 0}};

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
                 {"quell neighbors pbmc.h5ad -o graph.h5ad --use X_pca -k 30 --metric cosine",
                  "30 neighbours by the angle between principal components"}},
    .tables = neighbors_tables,
    QL_ARGS(neighbors_args),
    .run = neighbors_run,
};
