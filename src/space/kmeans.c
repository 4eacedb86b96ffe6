/* Many starts of k-means, side by side; the best is kept. */
#include "quell/kmeans.h"

#include <string.h>

#include "distinct.h"
#include "kmeans_internal.h"
#include "quell/alloc.h"
#include "quell/interrupt.h"
#include "quell/parallel.h"

typedef struct {
    const double *x;
    int64_t n, d, k;
    const ql_kmeans_options *opt;
    int64_t *distinct; /* [n_distinct]: points of which no two are equal, ascending */
    int64_t n_distinct;
    double *within;   /* [starts] */
    ql_status *fault; /* [starts] */
} job;

/* ---- one start ---- */

/* k of the distinct points, by the first steps of a shuffle (of a list of its own). */
static void draw_centres(const job *j, ql_rng *rng, int64_t *list, double *centre)
{
    memcpy(list, j->distinct, (size_t)j->n_distinct * sizeof *list);
    for (int64_t l = 0; l < j->k; l++) {
        int64_t at = l + ql_rng_below(rng, (uint32_t)(j->n_distinct - l)), chosen = list[at];
        list[at] = list[l];
        list[l] = chosen;
        memcpy(centre + l * j->d, j->x + chosen * j->d, (size_t)j->d * sizeof *centre);
    }
}

/* label [n] and centre [k, d] take the result. */
static ql_status run_start(const job *j, int64_t at, int32_t *label, double *centre, double *within,
                           bool *converged, ql_err *err)
{
    ql_status st;
    double *nearest = NULL;
    int64_t *list = NULL;
    ql_kmeans_start s = {j->x, j->n, j->d, j->k, j->opt->max_steps, centre, label, 0, false};
    ql_rng rng = ql_rng_start(j->opt->seed, QL_RNG_KMEANS, j->opt->purpose, (uint64_t)at);
    if (j->opt->rule == QL_KMEANS_LLOYD || j->k < 2 || j->k >= j->n) {
        QL_GO(QL_NEW(nearest, j->n, "k-means", err));
        ql_kmeans_plus_plus(&s, &rng, nearest);
        QL_GO(ql_kmeans_lloyd(&s, err));
    } else {
        QL_GO(QL_NEW(list, j->n_distinct, "k-means", err));
        draw_centres(j, &rng, list, centre);
        QL_GO(ql_kmeans_wong(&s, err));
    }
    *within = s.within;
    *converged = s.converged;
out:
    ql_free(nearest);
    ql_free(list);
    return st;
}

/* Only the sum of squares is kept: the best start is made once more, which costs less than holding
 * the labels of all. */
static void try_start(void *ctx, int64_t at)
{
    job *j = ctx;
    bool converged;
    int32_t *label = NULL;
    double *centre = NULL;
    ql_status st;
    QL_GO(ql_interrupt_check(NULL));
    QL_GO(QL_NEW(label, j->n, "k-means", NULL));
    QL_GO(QL_NEW(centre, j->k * j->d, "k-means", NULL));
    QL_GO(run_start(j, at, label, centre, &j->within[at], &converged, NULL));
out:
    j->fault[at] = st;
    ql_free(label);
    ql_free(centre);
}

static ql_status choose_start(job *j, int *best, ql_err *err)
{
    const int starts = j->opt->starts > 1 ? j->opt->starts : 1;
    *best = 0;
    if (starts == 1) return QL_OK;
    QL_TRY(QL_NEW(j->within, starts, "k-means", err));
    QL_TRY(QL_NEW(j->fault, starts, "k-means", err));
    ql_parallel_for(j->opt->threads, starts, try_start, j);
    QL_TRY(ql_interrupt_check(err));
    for (int i = 0; i < starts; i++) {
        if (j->fault[i] != QL_OK)
            return ql_fail(err, j->fault[i], "no memory for %d runs of k-means", starts);
        if (j->within[i] < j->within[*best]) *best = i;
    }
    return QL_OK;
}

static ql_status total_squares(const job *j, double *total, ql_err *err)
{
    double *mean;
    QL_TRY(QL_NEW(mean, j->d, "k-means", err));
    for (int64_t i = 0; i < j->n; i++)
        for (int64_t c = 0; c < j->d; c++) mean[c] += j->x[i * j->d + c];
    for (int64_t c = 0; c < j->d; c++) mean[c] /= (double)j->n;
    *total = 0;
    for (int64_t i = 0; i < j->n; i++) *total += ql_squared_distance(j->x + i * j->d, mean, j->d);
    ql_free(mean);
    return QL_OK;
}

static ql_status run_best(job *j, ql_kmeans *out, ql_err *err)
{
    QL_TRY(QL_NEW(j->distinct, j->n, "k-means", err));
    QL_TRY(ql_distinct_rows(j->x, j->n, j->d, j->distinct, &j->n_distinct, NULL, err));
    j->k = j->opt->k < j->n_distinct ? j->opt->k : j->n_distinct;
    out->k = j->k;
    QL_TRY(QL_NEW(out->label, j->n, "k-means", err));
    QL_TRY(QL_NEW(out->centre, j->k * j->d, "k-means", err));
    QL_TRY(choose_start(j, &out->best_start, err));
    QL_TRY(
        run_start(j, out->best_start, out->label, out->centre, &out->within, &out->converged, err));
    QL_TRY(ql_interrupt_check(err));
    return total_squares(j, &out->total, err);
}

ql_status ql_kmeans_run(const double *x, int64_t n, int64_t d, const ql_kmeans_options *opt,
                        ql_kmeans *out, ql_err *err)
{
    job j = {.x = x, .n = n, .d = d, .opt = opt};
    *out = (ql_kmeans){0};
    if (opt->k < 1 || n < 1)
        return ql_fail(err, QL_EUSAGE, "k-means of %lld points into %lld groups", (long long)n,
                       (long long)opt->k);
    ql_status st = run_best(&j, out, err);
    if (st != QL_OK) ql_kmeans_free(out);
    ql_free(j.distinct);
    ql_free(j.within);
    ql_free(j.fault);
    return st;
}

void ql_kmeans_free(ql_kmeans *k)
{
    ql_free(k->label);
    ql_free(k->centre);
    *k = (ql_kmeans){0};
}
