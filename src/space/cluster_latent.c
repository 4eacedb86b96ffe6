/* Which way a latent space is clustered, and large ones by a sample and a vote. */
#include "quell/alloc.h"
#include "quell/community.h"
#include "quell/kmeans.h"
#include "quell/spectral.h"
#include "quell/vote.h"
#include "sample.h"
#include "shared_graph.h"

#include <stdbool.h>
#include <string.h>

enum {
    FEW_CELLS = 1000, /* below: k-means on the latent itself ... */
    FEW_CLUSTERS = 5, /* ... where there are fewer than these */
    STARTS = 1000,
    STEPS = 1000,
    MOST_K = 10,
    MOST_K_LARGE = 15, /* from QL_SPECTRAL_LARGE cells on */
    SAMPLE = 2000,
    SAMPLE_LARGE = 5000,
    LOUVAIN_DIRECT = 10000, /* by communities: cells up to which all are clustered */
    SAMPLE_LOUVAIN = 9900,
    SHARED_NEIGHBOURS = 30,
    SHARED_MORE = 10,
    VOTERS = 10
};

static ql_status by_kmeans(const double *x, int64_t n, int64_t d, const ql_spectral_options *opt,
                           int32_t *label, int64_t *found, ql_err *err)
{
    ql_kmeans groups;
    const ql_kmeans_options kmeans = {.rule = QL_KMEANS_WONG,
                                      .k = opt->k,
                                      .starts = STARTS,
                                      .max_steps = STEPS,
                                      .seed = opt->seed,
                                      .purpose = opt->purpose,
                                      .threads = opt->threads};
    QL_TRY(ql_kmeans_run(x, n, d, &kmeans, &groups, err));
    memcpy(label, groups.label, (size_t)n * sizeof *label);
    *found = groups.k;
    ql_kmeans_free(&groups);
    return QL_OK;
}

/* A way to cluster no more cells than it can take directly, in up to `most` clusters. */
typedef ql_status direct_way(const double *x, int64_t n, int64_t d, int64_t most,
                             const ql_spectral_options *opt, int32_t *label, int64_t *found,
                             ql_err *err);

static ql_status by_spectrum(const double *x, int64_t n, int64_t d, int64_t most,
                             const ql_spectral_options *opt, int32_t *label, int64_t *found,
                             ql_err *err)
{
    ql_spectral_options own = *opt;
    if (own.k == 0) QL_TRY(ql_estimate_k(x, n, d, most, opt, &own.k, err));
    if (n < FEW_CELLS && own.k < FEW_CLUSTERS) return by_kmeans(x, n, d, &own, label, found, err);
    return ql_spectral(x, n, d, &own, label, found, NULL, err);
}

/* Labels of the sample as labels of all: those of the sampled cells are their own. */
static ql_status vote_rest(const double *x, int64_t n, int64_t d, const ql_vote_task *sample,
                           const int64_t *which, int32_t *label, ql_err *err)
{
    const int64_t m = sample->n_known;
    ql_vote_task t = *sample;
    t.asked = x;
    t.n_asked = n;
    t.d = d;
    QL_TRY(ql_vote(&t, label, err));
    for (int64_t i = 0; i < m; i++) label[which[i]] = sample->label[i];
    return QL_OK;
}

/* m of the cells directly, the others by their vote. */
static ql_status by_sample(direct_way *direct, int64_t m, const double *x, int64_t n, int64_t d,
                           const ql_spectral_options *opt, int32_t *label, int64_t *found,
                           ql_err *err)
{
    const int64_t most = n < QL_SPECTRAL_LARGE ? MOST_K : MOST_K_LARGE;
    int64_t *which = NULL;
    double *part = NULL;
    int32_t *known = NULL;
    ql_status st;
    QL_GO(QL_NEW(which, m, "a sample of the cells", err));
    QL_GO(QL_NEW(part, m * d, "a sample of the cells", err));
    QL_GO(QL_NEW(known, m, "a sample of the cells", err));
    QL_GO(ql_sample_rows(x, n, d, m, opt->seed, opt->purpose, which, part, err));
    QL_GO(direct(part, m, d, most, opt, known, found, err));
    const ql_vote_task vote = {.known = part,
                               .n_known = m,
                               .label = known,
                               .n_labels = *found,
                               .neighbours = VOTERS,
                               .threads = opt->threads};
    QL_GO(vote_rest(x, n, d, &vote, which, label, err));
out:
    ql_free(which);
    ql_free(part);
    ql_free(known);
    return st;
}

ql_status ql_cluster_latent(const double *x, int64_t n, int64_t d, const ql_spectral_options *opt,
                            int32_t *label, int64_t *found, ql_err *err)
{
    const int64_t sample = n < QL_SPECTRAL_LARGE ? SAMPLE : SAMPLE_LARGE;
    if (n > QL_SPECTRAL_DIRECT)
        return by_sample(by_spectrum, sample, x, n, d, opt, label, found, err);
    return by_spectrum(x, n, d, MOST_K, opt, label, found, err);
}

/* ---- communities ---- */

static bool has_lone_node(const ql_csr *graph)
{
    for (int64_t i = 0; i < graph->n_rows; i++)
        if (graph->indptr[i] == graph->indptr[i + 1]) return true;
    return false;
}

/* More neighbours until each cell shares one with another. */
static ql_status shared_graph(const float *x, int64_t n, int64_t d, int threads, ql_csr *graph,
                              ql_err *err)
{
    ql_knn_options opt = {.metric = ql_metric_find("euclidean"), .threads = threads};
    ql_status st = ql_kern_select(&opt.kern, err);
    for (int64_t k = SHARED_NEIGHBOURS; st == QL_OK; k += SHARED_MORE) {
        ql_knn near = {0};
        opt.k = (int)(k < n - 1 ? k : n - 1);
        ql_csr_free(graph);
        st = ql_knn_points(x, n, d, &opt, &near, err);
        if (st == QL_OK) st = ql_graph_of_shared(&near, graph, err);
        ql_knn_free(&near);
        if (k >= n - 1 || (st == QL_OK && !has_lone_node(graph))) break;
    }
    return st;
}

static ql_status by_louvain(const double *x, int64_t n, int64_t d, int64_t most,
                            const ql_spectral_options *opt, int32_t *label, int64_t *found,
                            ql_err *err)
{
    const ql_community_options how = {.resolution = 1, .seed = opt->seed + opt->purpose};
    ql_communities c;
    ql_csr graph = {0};
    float *points;
    (void)most;
    QL_TRY(QL_NEW(points, n * d, "a latent space", err));
    for (int64_t i = 0; i < n * d; i++) points[i] = (float)x[i];
    ql_status st = shared_graph(points, n, d, opt->threads, &graph, err);
    if (st == QL_OK) st = ql_louvain(&graph, &how, label, &c, err);
    if (st == QL_OK) *found = c.n;
    ql_csr_free(&graph);
    ql_free(points);
    return st;
}

ql_status ql_cluster_shared(const double *x, int64_t n, int64_t d, const ql_spectral_options *opt,
                            int32_t *label, int64_t *found, ql_err *err)
{
    if (n > LOUVAIN_DIRECT)
        return by_sample(by_louvain, SAMPLE_LOUVAIN, x, n, d, opt, label, found, err);
    return by_louvain(x, n, d, 0, opt, label, found, err);
}
