/* The number of clusters that samples of the points agree on (Ben-Hur, Elisseeff and Guyon 2002;
 * Lange et al. 2004): k-means of several halves, each carried over to all points by its centres;
 * the largest number at which the labelings agree nearly as well as at any. */
#include <math.h>

#include "kmeans_internal.h"
#include "quell/agreement.h"
#include "quell/alloc.h"
#include "quell/interrupt.h"
#include "quell/kmeans.h"
#include "quell/parallel.h"
#include "quell/spectral.h"
#include "sample.h"

enum {
    HALVES = 5,
    PAIRS = HALVES * (HALVES - 1) / 2,
    HALF_MOST = 500, /* points of one, at most */
    POINTS = 1000,   /* that are labelled, at most */
    STARTS = 10,
    STEPS = 100,
    MOST_K = 64
};
#define NEAR 0.25 /* over k: what dividing one of k groups at random costs, about */

typedef struct {
    const double *x; /* [n, d] */
    int64_t n, d, half;
    const ql_spectral_options *opt;
    double agreement[MOST_K + 1]; /* by number of clusters */
    ql_status fault[MOST_K + 1];
} job;

static void label_all(const job *j, const ql_kmeans *groups, int32_t *label)
{
    for (int64_t i = 0; i < j->n; i++) {
        double nearest = INFINITY;
        for (int64_t c = 0; c < groups->k; c++) {
            const double square =
                ql_squared_distance(j->x + i * j->d, groups->centre + c * j->d, j->d);
            if (square >= nearest) continue;
            nearest = square;
            label[i] = (int32_t)c;
        }
    }
}

/* k-means of one half; the half is the same for every k. */
static ql_status label_by_half(const job *j, int64_t k, int half, double *room, int32_t *label)
{
    const uint64_t purpose = (j->opt->purpose + 1) * 64 + 32 + (uint64_t)half;
    const ql_kmeans_options opt = {.rule = QL_KMEANS_LLOYD,
                                   .k = k,
                                   .starts = STARTS,
                                   .max_steps = STEPS,
                                   .seed = j->opt->seed,
                                   .purpose = purpose,
                                   .threads = 1};
    ql_kmeans groups;
    QL_TRY(ql_sample_rows(j->x, j->n, j->d, j->half, j->opt->seed, purpose, NULL, room, NULL));
    QL_TRY(ql_kmeans_run(room, j->half, j->d, &opt, &groups, NULL));
    label_all(j, &groups, label);
    ql_kmeans_free(&groups);
    return QL_OK;
}

static ql_status try_k(job *j, int64_t k)
{
    double *room = NULL, sum = 0, one;
    int32_t *label = NULL;
    ql_status st;
    QL_GO(QL_NEW(room, j->half * j->d, "a sample of the cells", NULL));
    QL_GO(QL_NEW(label, HALVES * j->n, "a sample of the cells", NULL));
    for (int h = 0; h < HALVES; h++) QL_GO(label_by_half(j, k, h, room, label + h * j->n));
    for (int a = 0; a < HALVES; a++)
        for (int b = 0; b < a; b++) {
            QL_GO(ql_adjusted_rand_of(j->n, label + a * j->n, k, label + b * j->n, k, &one, NULL));
            sum += one;
        }
    j->agreement[k] = sum / PAIRS;
out:
    ql_free(room);
    ql_free(label);
    return st;
}

static void run_k(void *ctx, int64_t at)
{
    job *j = ctx;
    j->fault[at + 2] = try_k(j, at + 2);
}

/* The largest number at which they agree as well as at any, but for chance. */
static int64_t choose(const job *j, int64_t most)
{
    double best = j->agreement[2];
    int64_t k = most;
    for (int64_t i = 3; i <= most; i++) best = fmax(best, j->agreement[i]);
    while (k > 2 && j->agreement[k] < best - NEAR / (double)k) k--;
    return k;
}

static ql_status find(job *j, int64_t most, int64_t *k, ql_err *err)
{
    ql_parallel_for(j->opt->threads, most - 1, run_k, j);
    QL_TRY(ql_interrupt_check(err));
    for (int64_t i = 2; i <= most; i++)
        if (j->fault[i] != QL_OK)
            return ql_fail(err, j->fault[i], "the number of clusters could not be estimated: %s",
                           ql_status_text(j->fault[i]));
    *k = choose(j, most);
    return QL_OK;
}

ql_status ql_stable_k(const double *x, int64_t n, int64_t d, int64_t most,
                      const ql_spectral_options *opt, int64_t *k, ql_err *err)
{
    job j = {.x = x, .n = n, .d = d, .opt = opt};
    double *part = NULL;
    if (n < 4) return ql_fail(err, QL_EDATA, "%lld cells are too few to cluster", (long long)n);
    ql_status st = QL_OK;
    if (n > POINTS) {
        QL_GO(QL_NEW(part, POINTS * d, "a sample of the cells", err));
        QL_GO(ql_sample_rows(x, n, d, POINTS, opt->seed, (opt->purpose + 1) * 64 + 40, NULL, part,
                             err));
        j.x = part;
        j.n = POINTS;
    }
    j.half = j.n / 2 < HALF_MOST ? j.n / 2 : HALF_MOST;
    if (most > MOST_K) most = MOST_K;
    if (most > j.half) most = j.half;
    st = find(&j, most, k, err);
out:
    ql_free(part);
    return st;
}
