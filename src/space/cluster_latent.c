/* Which way a latent space is clustered, and large ones by a sample and a vote. */
#include "quell/alloc.h"
#include "quell/kmeans.h"
#include "quell/spectral.h"
#include "quell/vote.h"
#include "sample.h"

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

/* Of no more cells than can be clustered directly. */
static ql_status cluster_all(const double *x, int64_t n, int64_t d, int64_t most,
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

static ql_status cluster_sample(const double *x, int64_t n, int64_t d,
                                const ql_spectral_options *opt, int32_t *label, int64_t *found,
                                ql_err *err)
{
    const bool large = n >= QL_SPECTRAL_LARGE;
    const int64_t m = large ? SAMPLE_LARGE : SAMPLE;
    int64_t *which = NULL;
    double *part = NULL;
    int32_t *known = NULL;
    ql_status st;
    QL_GO(QL_NEW(which, m, "a sample of the cells", err));
    QL_GO(QL_NEW(part, m * d, "a sample of the cells", err));
    QL_GO(QL_NEW(known, m, "a sample of the cells", err));
    QL_GO(ql_sample_rows(x, n, d, m, opt->seed, opt->purpose, which, part, err));
    QL_GO(cluster_all(part, m, d, large ? MOST_K_LARGE : MOST_K, opt, known, found, err));
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
    if (n > QL_SPECTRAL_DIRECT) return cluster_sample(x, n, d, opt, label, found, err);
    return cluster_all(x, n, d, MOST_K, opt, label, found, err);
}
