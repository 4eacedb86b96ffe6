#include "quell/pseudotime.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "correlation.h"
#include "quell/alloc.h"
#include "quell/interrupt.h"
#include "quell/order.h"
#include "quell/parallel.h"
#include "quell/quantile.h"
#include "sample.h"

enum { SAMPLE = 4900, VOTERS = 3 };

/* ---- groups drawn in ---- */

/* sorted [n]: scratch. */
static void draw_in(int64_t n, const int32_t *group, int32_t which, double *time, double *sorted)
{
    int64_t m = 0;
    for (int64_t i = 0; i < n; i++)
        if (group[i] == which) sorted[m++] = time[i];
    if (m == 0) return;
    qsort(sorted, (size_t)m, sizeof *sorted, ql_by_value);
    const double low = sorted[0], span = sorted[m - 1] - low;
    const double first = ql_quantile_sorted(sorted, m, 0.25);
    const double third = ql_quantile_sorted(sorted, m, 0.75);
    if (!(span > 0)) return;
    for (int64_t i = 0; i < n; i++)
        if (group[i] == which) time[i] = (third - first) * (time[i] - low) / span + first;
}

ql_status ql_draw_in_quartiles(int64_t n, const int32_t *group, int64_t n_groups, double *time,
                               ql_err *err)
{
    double *sorted;
    QL_TRY(QL_NEW(sorted, n, "pseudotime", err));
    for (int32_t g = 0; g < n_groups; g++) draw_in(n, group, g, time, sorted);
    ql_free(sorted);
    return QL_OK;
}

/* ---- the cells in the trees ---- */

typedef struct {
    const ql_pseudotime_task *t;
    int64_t n, start; /* in the trees */
    int64_t *cell;    /* [n]: of all; NULL: they are all cells */
    double *time;     /* [members, n] */
    ql_status *fault; /* [members] */
} job;

/* The start is put in place of the last one drawn if it was not drawn itself. */
static ql_status choose_cells(job *j, ql_err *err)
{
    j->n = j->t->n;
    j->start = j->t->start;
    if (j->t->n <= QL_PSEUDOTIME_DIRECT) return QL_OK;
    QL_TRY(QL_NEW(j->cell, SAMPLE + 1, "a sample of the cells", err));
    QL_TRY(ql_sample_draw(j->t->n, SAMPLE, j->t->seed, (uint64_t)1 << 41, j->cell, err));
    j->n = SAMPLE;
    bool drawn = false;
    for (int64_t i = 0; i < SAMPLE; i++) drawn |= j->cell[i] == j->t->start;
    if (!drawn) j->cell[j->n++] = j->t->start;
    qsort(j->cell, (size_t)j->n, sizeof *j->cell, ql_by_int64);
    for (int64_t i = 0; i < j->n; i++)
        if (j->cell[i] == j->t->start) j->start = i;
    return QL_OK;
}

static ql_status time_of_member(job *j, int64_t m)
{
    const ql_pseudotime_member *p = &j->t->member[m];
    double *x = NULL, *time = j->time + m * j->n;
    int32_t *group = NULL;
    ql_status st;
    QL_GO(QL_NEW(x, j->n * p->d, "pseudotime", NULL));
    QL_GO(QL_NEW(group, j->n, "pseudotime", NULL));
    for (int64_t i = 0; i < j->n; i++) {
        int64_t cell = j->cell ? j->cell[i] : i;
        memcpy(x + i * p->d, p->x + cell * p->d, (size_t)p->d * sizeof *x);
        group[i] = p->group ? p->group[cell] : 0;
    }
    QL_GO(ql_tree_lengths(x, j->n, p->d, j->start, time, NULL, NULL));
    if (p->group) QL_GO(ql_draw_in_quartiles(j->n, group, p->n_groups, time, NULL));
out:
    ql_free(x);
    ql_free(group);
    return st;
}

static void run_member(void *ctx, int64_t m)
{
    job *j = ctx;
    j->fault[m] = time_of_member(j, m);
}

/* ---- the others ---- */

static ql_status spread(const job *j, const double *mean, double *time, ql_err *err)
{
    const ql_pseudotime_member *p = &j->t->member[j->t->voter];
    ql_knn near = {0};
    double *x = NULL;
    ql_status st;
    QL_GO(QL_NEW(x, j->n * p->d, "pseudotime", err));
    for (int64_t i = 0; i < j->n; i++)
        memcpy(x + i * p->d, p->x + j->cell[i] * p->d, (size_t)p->d * sizeof *x);
    QL_GO(ql_nearest_directions(x, j->n, p->x, j->t->n, p->d, VOTERS, j->t->threads, &near, err));
    for (int64_t i = 0; i < j->t->n; i++) {
        double sum = 0;
        for (int v = 0; v < VOTERS; v++) sum += mean[near.index[i * VOTERS + v]];
        time[i] = sum / VOTERS;
    }
    for (int64_t i = 0; i < j->n; i++) time[j->cell[i]] = mean[i];
out:
    ql_free(x);
    ql_knn_free(&near);
    return st;
}

static ql_status run(job *j, double *time, ql_err *err)
{
    const int members = j->t->members;
    QL_TRY(choose_cells(j, err));
    QL_TRY(QL_NEW(j->time, j->n * members, "pseudotime", err));
    QL_TRY(QL_NEW(j->fault, members, "pseudotime", err));
    ql_parallel_for(j->t->threads, members, run_member, j);
    QL_TRY(ql_interrupt_check(err));
    for (int m = 0; m < members; m++)
        if (j->fault[m] != QL_OK)
            return ql_fail(err, j->fault[m], "no memory for pseudotime in %d spaces", members);
    for (int64_t i = 0; i < j->n; i++) {
        double sum = 0;
        for (int m = 0; m < members; m++) sum += j->time[m * j->n + i];
        j->time[i] = sum / members; /* entry i of the first member is not needed any more */
    }
    if (j->cell) return spread(j, j->time, time, err);
    memcpy(time, j->time, (size_t)j->n * sizeof *time);
    return QL_OK;
}

ql_status ql_pseudotime(const ql_pseudotime_task *task, double *time, ql_err *err)
{
    job j = {.t = task};
    ql_status st = run(&j, time, err);
    ql_free(j.cell);
    ql_free(j.time);
    ql_free(j.fault);
    return st;
}

/* ---- where to start, how good it is ---- */

ql_status ql_central_cell(const double *x, int64_t n, int64_t d, const uint8_t *in, int64_t *cell,
                          ql_err *err)
{
    ql_directions v = {0};
    double *mean = NULL, most = -INFINITY;
    ql_status st;
    *cell = -1;
    QL_GO(QL_NEW(mean, d, "the central cell", err));
    QL_GO(ql_directions_make(x, n, d, &v, err));
    for (int64_t k = 0; k < d; k++)
        for (int64_t i = 0; i < n; i++)
            if (in[i]) mean[k] += v.turned[k * n + i];
    for (int64_t i = 0; i < n; i++) {
        double dot = 0;
        for (int64_t k = 0; k < d; k++) dot += mean[k] * v.turned[k * n + i];
        if (!in[i] || dot <= most) continue;
        most = dot;
        *cell = i;
    }
out:
    ql_free(mean);
    ql_directions_free(&v);
    return st;
}

double ql_r_squared(const double *a, const double *b, int64_t n)
{
    double mean_a = 0, mean_b = 0, aa = 0, bb = 0, ab = 0;
    int64_t m = 0;
    for (int64_t i = 0; i < n; i++) {
        if (isnan(a[i]) || isnan(b[i])) continue;
        mean_a += a[i];
        mean_b += b[i];
        m++;
    }
    mean_a /= (double)m;
    mean_b /= (double)m;
    for (int64_t i = 0; i < n; i++) {
        if (isnan(a[i]) || isnan(b[i])) continue;
        aa += (a[i] - mean_a) * (a[i] - mean_a);
        bb += (b[i] - mean_b) * (b[i] - mean_b);
        ab += (a[i] - mean_a) * (b[i] - mean_b);
    }
    return aa > 0 && bb > 0 ? ab * ab / (aa * bb) : NAN;
}
