#include "check_tests.h"

#include <math.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/parallel.h"
#include "quell/rank_test.h"
#include "quell/special.h"

#define Z_5_PERCENT 1.959963984540054

/* ---- tests ---- */

ql_status check_tests_new(const check_design *d, check_tests *t, ql_err *err)
{
    const int64_t n = 2 * d->n_null * d->n_groups;
    ql_status st;
    *t = (check_tests){0};
    QL_GO(QL_NEW(t->sum, n, "tests", err));
    QL_GO(QL_NEW(t->square, n, "tests", err));
    QL_GO(QL_NEW(t->variance, n, "tests", err));
out:
    if (st != QL_OK) check_tests_free(t);
    return st;
}

void check_tests_free(check_tests *t)
{
    ql_free(t->sum);
    ql_free(t->square);
    ql_free(t->variance);
    *t = (check_tests){0};
}

typedef struct {
    const check_design *d;
    const float *values;
    check_tests *t;
    int64_t largest; /* cells of a stratum */
    bool failed;     /* no memory; set by any thread */
} test_job;

/* One stratum of one gene, for every group. */
static void add_stratum(const test_job *j, int64_t gene, int64_t s, ql_ranked *work, double *rank,
                        ql_rank_sum *sums)
{
    const check_design *d = j->d;
    const int64_t *cell = d->strata->cell + d->strata->start[s];
    const int64_t n = d->strata->start[s + 1] - d->strata->start[s];
    uint8_t *in = (uint8_t *)(rank + j->largest);
    for (int64_t i = 0; i < n; i++)
        work[i] = (ql_ranked){(double)j->values[cell[i] * 2 * d->n_null + gene], i};
    ql_midranks(work, n, rank);
    for (int64_t g = 0; g < d->n_groups; g++) {
        for (int64_t i = 0; i < n; i++) in[i] = d->group[cell[i]] == g;
        ql_rank_sum_add(&sums[g], rank, in, n);
    }
}

static void test_gene(void *ctx, int64_t gene)
{
    test_job *j = ctx;
    const check_design *d = j->d;
    ql_ranked *work = NULL;
    double *rank = NULL;
    ql_rank_sum *sums = NULL;
    ql_err err = {0};
    ql_status st;
    QL_GO(QL_NEW(work, j->largest, "ranks", &err));
    QL_GO(QL_NEW(rank, 2 * j->largest, "ranks", &err)); /* ranks, members */
    QL_GO(QL_NEW(sums, d->n_groups, "ranks", &err));
    for (int64_t s = 0; s < d->strata->n; s++) add_stratum(j, gene, s, work, rank, sums);
    for (int64_t g = 0; g < d->n_groups; g++) {
        const int64_t at = gene * d->n_groups + g;
        j->t->sum[at] += sums[g].sum;
        j->t->square[at] += sums[g].sum * sums[g].sum;
        j->t->variance[at] += sums[g].variance;
    }
out:
    if (st != QL_OK) j->failed = true;
    ql_free(work);
    ql_free(rank);
    ql_free(sums);
}

ql_status check_tests_add(const check_design *d, const float *values, check_tests *t, ql_err *err)
{
    test_job j = {.d = d, .values = values, .t = t};
    for (int64_t s = 0; s < d->strata->n; s++) {
        const int64_t n = d->strata->start[s + 1] - d->strata->start[s];
        if (n > j.largest) j.largest = n;
    }
    ql_parallel_for(d->threads, 2 * d->n_null, test_gene, &j);
    t->n_draws++;
    return j.failed ? ql_fail(err, QL_EMEMORY, "no memory for ranks") : QL_OK;
}

/* z of one gene and group; 0 where nothing varies. */
static double pooled_z(const check_tests *t, int64_t at)
{
    const double m = t->n_draws, mean = t->sum[at] / m;
    double variance = t->variance[at] / m;
    if (m > 1) variance += (1 + 1 / m) * (t->square[at] - m * mean * mean) / (m - 1);
    return variance > 0 ? mean / sqrt(variance) : 0;
}

check_called check_tests_called(const check_design *d, const check_tests *t, double level)
{
    const int64_t n = d->n_null * d->n_groups;
    double called[2] = {0};
    for (int real = 0; real < 2; real++)
        for (int64_t k = 0; k < n; k++)
            called[real] += ql_two_sided(pooled_z(t, real * n + k)) < level;
    return (check_called){called[0] / (double)n, called[1] / (double)n};
}

/* ---- correlations ---- */

typedef struct {
    const check_design *d;
    const float *values;
    double *unit; /* [null genes, cells of the strata] of length 1 */
    double *size; /* [null genes]: sum of |r| with the genes after it */
    double *called;
    double limit;
} pair_job;

static void unit_gene(void *ctx, int64_t gene)
{
    const pair_job *j = ctx;
    const depth_strata *s = j->d->strata;
    double *v = j->unit + gene * s->n_cells, square = 0;
    for (int64_t i = 0; i < s->n_cells; i++)
        v[i] = ql_log1p((double)j->values[s->cell[i] * 2 * j->d->n_null + gene]);
    for (int64_t k = 0; k < s->n; k++) {
        double sum = 0;
        for (int64_t i = s->start[k]; i < s->start[k + 1]; i++) sum += v[i];
        sum /= (double)(s->start[k + 1] - s->start[k]);
        for (int64_t i = s->start[k]; i < s->start[k + 1]; i++) v[i] -= sum;
    }
    for (int64_t i = 0; i < s->n_cells; i++) square += v[i] * v[i];
    for (int64_t i = 0; i < s->n_cells; i++) v[i] *= square > 0 ? 1 / sqrt(square) : 0;
}

static void pair_gene(void *ctx, int64_t gene)
{
    const pair_job *j = ctx;
    const int64_t n = j->d->strata->n_cells;
    const double *a = j->unit + gene * n;
    for (int64_t other = gene + 1; other < j->d->n_null; other++) {
        const double *b = j->unit + other * n;
        double r = 0;
        for (int64_t i = 0; i < n; i++) r += a[i] * b[i];
        j->size[gene] += fabs(r);
        j->called[gene] += fabs(r) > j->limit;
    }
}

ql_status check_correlations(const check_design *d, const float *values, check_pairs *out,
                             ql_err *err)
{
    const int64_t n = d->strata->n_cells, m = d->n_null;
    const double pairs = 0.5 * (double)m * (double)(m - 1);
    pair_job j = {.d = d, .values = values};
    ql_status st;
    *out = (check_pairs){NAN, NAN};
    QL_GO(QL_NEW(j.unit, m * n, "correlations", err));
    QL_GO(QL_NEW(j.size, m, "correlations", err));
    QL_GO(QL_NEW(j.called, m, "correlations", err));
    j.limit = Z_5_PERCENT / sqrt((double)(n - d->strata->n) + Z_5_PERCENT * Z_5_PERCENT);
    ql_parallel_for(d->threads, m, unit_gene, &j);
    ql_parallel_for(d->threads, m, pair_gene, &j);
    double size = 0, called = 0;
    for (int64_t g = 0; g < m; g++) {
        size += j.size[g];
        called += j.called[g];
    }
    if (pairs > 0) *out = (check_pairs){size / pairs, called / pairs};
out:
    ql_free(j.unit);
    ql_free(j.size);
    ql_free(j.called);
    return st;
}
