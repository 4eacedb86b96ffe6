/* quell layout: cells in the plane, to look at. */
#include "quell/alloc.h"
#include "quell/layout.h"
#include "space/neighbors.h"

typedef struct {
    ql_common_args common;
    ql_seed_args seed;
    space_args space;
    knn_args knn;
    const char *key;
    double min_dist, spread, rate;
    int epochs, negatives;
} layout_args;

#define S layout_args
/* clang-format off */
static const ql_option layout_rows[] = {
    {.name = "min-dist", QL_DOUBLE_AT(S, min_dist), .def = "0.5", .min = 0, .max = 100, .group = "Layout",
     .help = "how close cells may lie: small values pack clusters"},
    {.name = "spread", QL_DOUBLE_AT(S, spread), .def = "1", .min = 0.01, .max = 100, .group = "Layout",
     .help = "scale of the layout; not below --min-dist"},
    {.name = "epochs", QL_INT_AT(S, epochs), .unset = "500; 200 beyond 10000 cells", .min = 1,
     .max = 100000, .group = "Layout", .help = "passes over the edges"},
    {.name = "negatives", QL_INT_AT(S, negatives), .def = "5", .min = 0, .max = 100, .group = "Layout",
     .level = QL_OPT_EXPERT, .help = "cells that push for each neighbour that pulls"},
    {.name = "rate", QL_DOUBLE_AT(S, rate), .def = "1", .min = 0.001, .max = 10, .group = "Layout",
     .level = QL_OPT_EXPERT, .help = "size of the first moves"},
    {.name = "key", QL_STRING_AT(S, key), .def = "X_umap", .unit = "KEY", .group = "Output",
     .help = "obsm key of the layout"},
    {.name = NULL},
};
/* clang-format on */
#undef S

enum { MANY_CELLS = 10000, EPOCHS = 500, EPOCHS_OF_MANY = 200 };

typedef struct {
    const layout_args *a;
    space_job space;
    neighbor_graph g;
    ql_points points; /* with coordinates, where the graph's have none */
    int epochs;
    float *xy;
} job;

static void tell(void *ctx, int epoch)
{
    const job *j = ctx;
    ql_progress p = QL_PROGRESS("layout", "epochs", epoch, j->epochs);
    ql_log_progress(j->space.run->log, &p);
}

/* The start lies in a latent space: the graph's own, or the one that is there. */
static ql_status start(job *j)
{
    ql_err *err = &j->space.run->err;
    const ql_points *nodes = &j->g.points, *p = nodes;
    if (!nodes->x) {
        char key[300];
        (void)snprintf(key, sizeof key, "obsm/%s", ql_str_text(&j->g.use));
        const bool has = j->g.use.len && space_has(&j->space, key);
        QL_TRY(space_points(&j->space, has ? ql_str_text(&j->g.use) : NULL, &j->points, NULL));
        p = &j->points;
    }
    bool same = p->n == nodes->n;
    for (int64_t i = 0; same && i < p->n; i++) same = p->cell[i] == nodes->cell[i];
    if (!same) {
        ql_fail(err, QL_EDATA, "%s: other cells have neighbours than have a place in the space",
                j->space.path);
        return ql_hint(err, QL_EDATA, "--use KEY finds the neighbours anew");
    }
    QL_TRY(QL_NEW(j->xy, 2 * p->n, "a layout", err));
    return ql_layout_start(p->x, p->n, p->n_dims, (uint64_t)j->a->seed.seed, j->xy, err);
}

static ql_status move(job *j)
{
    const layout_args *a = j->a;
    ql_run *run = j->space.run;
    j->epochs = a->epochs;
    if (!ql_opts_was_set(run->opts, "epochs"))
        j->epochs = j->g.points.n > MANY_CELLS ? EPOCHS_OF_MANY : EPOCHS;
    const ql_layout_options opt = {.min_dist = a->min_dist,
                                   .spread = a->spread,
                                   .epochs = j->epochs,
                                   .negatives = a->negatives,
                                   .rate = a->rate,
                                   .seed = (uint64_t)a->seed.seed,
                                   .threads = run->threads,
                                   .tell = tell,
                                   .ctx = j};
    ql_status st = ql_layout_umap(&j->g.graph, &opt, j->xy, &run->err);
    ql_log_progress_end(run->log);
    return st;
}

/* As scanpy has them. */
static ql_status write_params(job *j)
{
    double curve_a, curve_b;
    ql_h5ad_writer *w = j->space.writer;
    ql_err *err = &j->space.run->err;
    ql_layout_curve(j->a->min_dist, j->a->spread, &curve_a, &curve_b);
    QL_TRY(ql_h5ad_double(w, "uns/umap/params/a", curve_a, err));
    QL_TRY(ql_h5ad_double(w, "uns/umap/params/b", curve_b, err));
    QL_TRY(ql_h5ad_int(w, "uns/umap/params/random_state", j->a->seed.seed, err));
    space_wrote(&j->space, "uns/umap");
    return space_record_int(&j->space, "epochs", j->epochs);
}

static ql_status begin(job *j)
{
    char record[300], key[300];
    const char *const claims[] = {key, "uns/umap", NULL};
    (void)snprintf(record, sizeof record, "layout/%s", j->a->key);
    (void)snprintf(key, sizeof key, "obsm/%s", j->a->key);
    return space_begin(&j->space, record, claims);
}

static ql_status work(job *j, ql_run *run)
{
    char key[300];
    space_job *s = &j->space;
    if (j->a->spread < j->a->min_dist)
        return ql_fail(&run->err, QL_EUSAGE, "--spread %g is below --min-dist %g", j->a->spread,
                       j->a->min_dist);
    QL_TRY(space_open(s, &j->a->space, run->args[0], run));
    QL_TRY(begin(j));
    QL_TRY(neighbors_graph(s, &j->a->knn, &j->g));
    QL_TRY(start(j));
    QL_TRY(move(j));
    (void)snprintf(key, sizeof key, "obsm/%s", j->a->key);
    QL_TRY(space_write_matrix(s, key, j->xy, 2, &j->g.points));
    QL_TRY(write_params(j));
    QL_TRY(space_write_record(s, j->g.use.len ? ql_str_text(&j->g.use) : NULL));
    return space_commit(s);
}

static ql_status layout_run(const void *args, ql_run *run)
{
    job j = {.a = args};
    ql_status st = work(&j, run);
    ql_free(j.xy);
    ql_points_free(&j.points);
    neighbor_graph_free(&j.g);
    space_close(&j.space);
    return st;
}

static const ql_opt_table layout_tables[] = {{layout_rows, 0},
                                             {ql_seed_rows, offsetof(layout_args, seed)},
                                             {ql_knn_rows, offsetof(layout_args, knn)},
                                             {ql_graph_rows, offsetof(layout_args, knn)},
                                             SPACE_TABLES(layout_args, space),
                                             {NULL, 0}};

static const ql_positional layout_positionals[] = {
    {"INPUT", "an h5ad with a latent space in obsm, of quell embed or any other program"},
    {NULL, NULL},
};

const ql_command ql_cmd_layout = {
    .name = "layout",
    .group = "After an embedding",
    .summary = "cells in the plane, to look at (UMAP)",
    .positionals = layout_positionals,
    .examples = {{"quell layout pbmc.dca.h5ad -o pbmc.h5ad",
                  "UMAP of 15 neighbours of each cell: obsm/X_umap"},
                 {"quell layout pbmc.h5ad -o tight.h5ad --use X_pca --min-dist 0.1 --key X_tight",
                  "tighter clusters, of another space, under another name"}},
    .tables = layout_tables,
    QL_ARGS(layout_args),
    .run = layout_run,
};
