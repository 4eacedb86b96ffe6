/* The number of clusters, from how well k-means divides the spectral coordinates of samples: the
 * mean, over ten samples, of the number with the largest explained share and of the number at which
 * what is left rises most. */
#include <math.h>

#include "quell/alloc.h"
#include "quell/interrupt.h"
#include "quell/kmeans.h"
#include "quell/parallel.h"
#include "quell/rng.h"
#include "sample.h"
#include "spectral_embedding.h"

/* The reference's: ten samples of 500 cells (Tran et al. 2021). */
enum { SAMPLES = 10, SAMPLE_SIZE = 500, MOST_K = 64 };

typedef struct {
    const double *x;
    int64_t n, d, most;
    const ql_spectral_options *opt;
    int64_t vote[SAMPLES][2];
    ql_status fault[SAMPLES];
} job;

/* One sample on its way. */
typedef struct {
    const job *j;
    ql_spectral_options opt;
    int64_t n;
    double *x; /* [n, d] */
    ql_knn near;
    double *vector; /* [n, most], of the graph with `neighbours` neighbours */
    double *unit;   /* [n, most] */
    int64_t neighbours;
    double share[MOST_K + 1], left[MOST_K + 1]; /* by number of clusters */
} trial;

static ql_status try_k(trial *t, int64_t k)
{
    ql_kmeans groups;
    int64_t neighbours;
    const ql_kmeans_options opt = {.rule = QL_KMEANS_WONG,
                                   .k = k,
                                   .starts = QL_SPECTRAL_STARTS,
                                   .max_steps = QL_SPECTRAL_STEPS,
                                   .seed = t->opt.seed,
                                   .purpose = t->opt.purpose,
                                   .threads = 1};
    QL_TRY(ql_connected_at(&t->near, QL_SPECTRAL_NEIGHBOURS, k, &neighbours, NULL));
    if (neighbours != t->neighbours)
        QL_TRY(ql_graph_vectors(&t->near, neighbours, t->j->most, &t->opt, t->vector, NULL, NULL));
    t->neighbours = neighbours;
    ql_unit_rows(t->vector, t->n, t->j->most, k, t->unit);
    QL_TRY(ql_kmeans_run(t->unit, t->n, k, &opt, &groups, NULL));
    t->left[k] = groups.within;
    t->share[k] = groups.total > 0 ? 1 - groups.within / groups.total : 0;
    ql_kmeans_free(&groups);
    return QL_OK;
}

/* What is left is compared from 3 clusters on, against 2. Parts below rounding count as no part:
 * otherwise coordinates that k-means divides exactly would vote by noise. */
static void vote(const trial *t, int64_t out[2])
{
    double rise[MOST_K + 1] = {0};
    const double least = 1e-12 * (double)t->n;
    out[0] = out[1] = 1;
    for (int64_t k = 3; k <= t->j->most; k++) {
        double before = fmax(t->left[k - 1], least);
        rise[k] = (fmax(t->left[k], least) - before) / before;
    }
    for (int64_t k = 1; k <= t->j->most; k++) {
        if (t->share[k] > t->share[out[0]]) out[0] = k;
        if (rise[k] > rise[out[1]]) out[1] = k;
    }
}

static ql_status run_trial(trial *t, int64_t out[2])
{
    const job *j = t->j;
    t->n = j->n < SAMPLE_SIZE ? j->n : SAMPLE_SIZE;
    QL_TRY(QL_NEW(t->x, t->n * j->d, "a sample of the cells", NULL));
    QL_TRY(ql_sample_rows(j->x, j->n, j->d, t->n, t->opt.seed, t->opt.purpose, NULL, t->x, NULL));
    QL_TRY(ql_near_lists_make(t->x, t->n, j->d, QL_SPECTRAL_KEPT, 1, &t->near, NULL));
    QL_TRY(QL_NEW(t->vector, t->n * j->most, "eigenvectors", NULL));
    QL_TRY(QL_NEW(t->unit, t->n * j->most, "eigenvectors", NULL));
    for (int64_t k = 2; k <= j->most; k++) QL_TRY(try_k(t, k));
    vote(t, out);
    return QL_OK;
}

static void run_sample(void *ctx, int64_t at)
{
    job *j = ctx;
    trial t = {.j = j, .opt = *j->opt};
    t.opt.purpose = (j->opt->purpose + 1) * 64 + (uint64_t)at; /* apart from that of the caller */
    j->fault[at] = run_trial(&t, j->vote[at]);
    ql_free(t.x);
    ql_free(t.vector);
    ql_free(t.unit);
    ql_knn_free(&t.near);
}

ql_status ql_estimate_k(const double *x, int64_t n, int64_t d, int64_t most,
                        const ql_spectral_options *opt, int64_t *k, ql_err *err)
{
    job j = {.x = x, .n = n, .d = d, .most = most < MOST_K ? most : MOST_K, .opt = opt};
    double sum = 0;
    if (n < 4) return ql_fail(err, QL_EDATA, "%lld cells are too few to cluster", (long long)n);
    if (j.most > n - 2) j.most = n - 2;
    ql_parallel_for(opt->threads, SAMPLES, run_sample, &j);
    QL_TRY(ql_interrupt_check(err));
    for (int i = 0; i < SAMPLES; i++) {
        if (j.fault[i] != QL_OK)
            return ql_fail(err, j.fault[i], "the number of clusters could not be estimated: %s",
                           ql_status_text(j.fault[i]));
        sum += (double)(j.vote[i][0] + j.vote[i][1]);
    }
    *k = (int64_t)floor(sum / (2 * SAMPLES) + 0.5);
    if (*k < 2) *k = 2;
    return QL_OK;
}
