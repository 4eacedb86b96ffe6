/* quell cluster --method kmeans, spectral and scdha: clusters of coordinates. */
#include <string.h>

#include "cluster.h"
#include "quell/alloc.h"
#include "quell/community.h"
#include "quell/consensus.h"
#include "quell/kmeans.h"
#include "quell/with_igraph.h"
#include "space_ensemble.h"

enum { LLOYD_STEPS = 300, MOST_K = 10, MOST_K_LARGE = 15, MOST_STABLE = 20 };

static const char *const estimates[] = {"stable", "scdha", NULL};
static const char *const ways[] = {"spectral", "louvain", NULL};

#define S cluster_points_args
/* clang-format off */
const ql_option ql_cluster_points_rows[] = {
    {.name = "clusters", .letter = 'n', QL_INT_AT(S, clusters), .min = 1, .max = 10000, .group = "Clusters",
     .unset = "estimated", .help = "kmeans, spectral, scdha: how many",
     },
    {.name = "estimate", QL_CHOICE_AT(S, estimate), .choices = estimates, .def = "stable", .group = "Clusters",
     .help = "kmeans, spectral, scdha: how their number is estimated",
     .more = "stable: the largest, up to 20, at which k-means of halves of the cells agree nearly as well as at "
             "any. scdha: by the rule of scDHA, in each space of an ensemble, up to 10 (15 from 50,000 cells "
             "on), which errs to few."},
    {.name = "starts", QL_INT_AT(S, starts), .def = "20", .min = 1, .max = 100000, .group = "Clusters",
     .level = QL_OPT_EXPERT, .help = "kmeans: runs, of which the best is kept"},
    {.name = "each", QL_CHOICE_AT(S, each), .choices = ways, .def = "spectral", .group = "Clusters",
     .level = QL_OPT_EXPERT, .help = "scdha: how the cells are clustered in each space",
     .more = "spectral: by k-means for fewer than 1000 cells in fewer than 5 clusters, otherwise by spectral "
             "clustering. louvain: communities of the graph of shared neighbours (PhenoGraph), as many as "
             "there are."},
    {.name = "alone", QL_FLAG_AT(S, alone), .group = "Clusters", .level = QL_OPT_EXPERT,
     .help = "scdha: leave the other spaces of an ensemble out"},
    {.name = NULL},
};
/* clang-format on */
#undef S

static uint64_t seed_of(const cluster_job *j)
{
    return (uint64_t)j->a->seed.seed;
}

static ql_status check_cells(const cluster_job *j)
{
    const int64_t n = j->g.points.n;
    if (n >= 4) return QL_OK;
    return ql_fail(&j->run->err, QL_EDATA, "%s: %lld cells are too few to cluster", j->space.path,
                   (long long)n);
}

static bool is_stable(const cluster_job *j)
{
    return strcmp(j->a->points.estimate, "stable") == 0;
}

static ql_status tell_k(cluster_job *j, int64_t k)
{
    ql_log_info(j->run->log, "%lld clusters, estimated (--clusters sets their number)",
                (long long)k);
    return space_record_int(&j->space, "estimated", k);
}

static ql_status stable_k(cluster_job *j, const double *x, int64_t d, int64_t *k)
{
    const ql_spectral_options opt = {.seed = seed_of(j), .threads = j->run->threads};
    QL_TRY(ql_stable_k(x, j->g.points.n, d, MOST_STABLE, &opt, k, &j->run->err));
    return tell_k(j, *k);
}

/* The number asked for, or one estimated from x. */
static ql_status choose_k(cluster_job *j, const space_ensemble *e, int64_t *k)
{
    const int64_t n = j->g.points.n, most = n < QL_SPECTRAL_LARGE ? MOST_K : MOST_K_LARGE;
    const ql_spectral_options opt = {.seed = seed_of(j), .threads = j->run->threads};
    *k = j->a->points.clusters;
    if (*k > 0) return QL_OK;
    if (is_stable(j)) return stable_k(j, e->x[0], e->d[0], k);
    QL_TRY(ql_estimate_k(e->x[0], n, e->d[0], most, &opt, k, &j->run->err));
    return tell_k(j, *k);
}

/* ---- one space ---- */

typedef ql_status one_space(cluster_job *j, const space_ensemble *e, int64_t k, int32_t *label,
                            int64_t *found);

static ql_status in_one_space(cluster_job *j, one_space *method, ql_labels *out)
{
    space_ensemble e = {0};
    int32_t *label = NULL;
    int64_t k, found;
    ql_err *err = &j->run->err;
    ql_status st;
    QL_GO(check_cells(j));
    QL_GO(space_ensemble_read(&j->space, &j->g.points, ql_str_text(&j->g.use), true, &e));
    QL_GO(choose_k(j, &e, &k));
    QL_GO(QL_NEW(label, j->g.points.n, "clusters", err));
    QL_GO(method(j, &e, k, label, &found));
    if (found < k)
        ql_log_warn(j->run->log, "%lld cells differ from each other: no more than %lld clusters",
                    (long long)found, (long long)found);
    QL_GO(ql_labels_number(label, j->g.points.n, found, out, err));
out:
    ql_free(label);
    space_ensemble_free(&e);
    return st;
}

static ql_status by_kmeans(cluster_job *j, const space_ensemble *e, int64_t k, int32_t *label,
                           int64_t *found)
{
    ql_kmeans groups;
    const ql_kmeans_options opt = {.rule = QL_KMEANS_LLOYD,
                                   .k = k,
                                   .starts = j->a->points.starts,
                                   .max_steps = LLOYD_STEPS,
                                   .seed = seed_of(j),
                                   .threads = j->run->threads};
    QL_TRY(ql_kmeans_run(e->x[0], j->g.points.n, e->d[0], &opt, &groups, &j->run->err));
    memcpy(label, groups.label, (size_t)j->g.points.n * sizeof *label);
    *found = groups.k;
    ql_log_info(j->run->log, "%.2f %% of the sum of squares lies within the clusters",
                groups.total > 0 ? 100 * groups.within / groups.total : 0);
    ql_status st = space_record_double(&j->space, "within", groups.within);
    if (st == QL_OK) st = space_record_double(&j->space, "total", groups.total);
    ql_kmeans_free(&groups);
    return st;
}

static ql_status by_spectrum(cluster_job *j, const space_ensemble *e, int64_t k, int32_t *label,
                             int64_t *found)
{
    double residual;
    const ql_spectral_options opt = {.k = k, .seed = seed_of(j), .threads = j->run->threads};
    QL_TRY(
        ql_spectral(e->x[0], j->g.points.n, e->d[0], &opt, label, found, &residual, &j->run->err));
    if (residual > 1e-6)
        ql_log_warn(j->run->log, "the eigenvectors are not exact: |Lv - lv| is %.1e", residual);
    return space_record_double(&j->space, "residual", residual);
}

static ql_status run_kmeans(cluster_job *j, ql_labels *out)
{
    return in_one_space(j, by_kmeans, out);
}

static ql_status run_spectral(cluster_job *j, ql_labels *out)
{
    return in_one_space(j, by_spectrum, out);
}

/* ---- an ensemble ---- */

static ql_status record_consensus(cluster_job *j, const space_ensemble *e, const space_groups *g,
                                  const ql_consensus *c)
{
    space_job *s = &j->space;
    char key[300];
    ql_str text = {0};
    double groups[SPACE_MEMBERS_MOST];
    for (int m = 0; m < e->n; m++) {
        groups[m] = (double)g->groups[m];
        ql_str_printf(&text, "%s%lld", m ? ", " : "", (long long)g->groups[m]);
    }
    if (e->n > 1)
        ql_log_info(j->run->log,
                    "clusters in each space: %s; space %d agrees most with the consensus (%.3f)",
                    ql_str_text(&text), c->best + 1, c->agreement[c->best]);
    else if (j->a->points.clusters == 0)
        ql_log_info(j->run->log, "%s clusters, estimated", ql_str_text(&text));
    ql_str_free(&text);
    (void)snprintf(key, sizeof key, "%s/groups", s->record.text);
    QL_TRY(ql_h5ad_doubles(s->writer, key, groups, e->n, &j->run->err));
    (void)snprintf(key, sizeof key, "%s/agreement", s->record.text);
    QL_TRY(ql_h5ad_doubles(s->writer, key, c->agreement, e->n, &j->run->err));
    return space_record_int(s, "best_space", c->best + 1);
}

/* One number for every space: that of the space they belong to. */
static ql_status stable_k_of_all(cluster_job *j, int64_t *k)
{
    const ql_points *p = &j->g.points;
    double *x;
    QL_TRY(QL_NEW(x, p->n * p->n_dims, "a latent space", &j->run->err));
    for (int64_t i = 0; i < p->n * p->n_dims; i++) x[i] = (double)p->x[i];
    ql_status st = stable_k(j, x, p->n_dims, k);
    ql_free(x);
    return st;
}

static ql_status agree(cluster_job *j, const space_ensemble *e, ql_labels *out)
{
    ql_err *err = &j->run->err;
    space_groups g = {0};
    ql_consensus c = {0};
    ql_status st;
    space_way way = {.louvain = strcmp(j->a->points.each, "louvain") == 0,
                     .k = j->a->points.clusters,
                     .seed = seed_of(j)};
    if (!way.louvain && way.k == 0 && is_stable(j)) QL_GO(stable_k_of_all(j, &way.k));
    QL_GO(space_ensemble_cluster(&j->space, e, &way, &g));
    const ql_consensus_task task = {j->g.points.n, e->n,       g.label,
                                    g.groups,      seed_of(j), j->run->threads};
    QL_GO(ql_consensus_make(&task, &c, err));
    QL_GO(record_consensus(j, e, &g, &c));
    QL_GO(ql_labels_number(c.label, j->g.points.n, c.k, out, err));
out:
    space_groups_free(&g);
    ql_consensus_free(&c);
    return st;
}

static ql_status run_scdha(cluster_job *j, ql_labels *out)
{
    space_ensemble e = {0};
    QL_TRY(check_cells(j));
    ql_status st = space_ensemble_read(&j->space, &j->g.points, ql_str_text(&j->g.use),
                                       j->a->points.alone, &e);
    if (st == QL_OK) st = agree(j, &e, out);
    space_ensemble_free(&e);
    return st;
}

const cluster_method ql_cluster_kmeans = {.name = "kmeans", .run = run_kmeans};
const cluster_method ql_cluster_spectral = {.name = "spectral", .run = run_spectral};
static ql_status check_scdha(const cluster_args *a, ql_run *run)
{
    if (strcmp(a->points.each, "louvain") != 0) return QL_OK;
    if (a->points.clusters > 0)
        return ql_fail(&run->err, QL_EUSAGE, "--clusters is of no use with --each louvain");
    return ql_igraph_check("--each louvain", &run->err);
}

const cluster_method ql_cluster_scdha = {.name = "scdha", .check = check_scdha, .run = run_scdha};
