/* Silhouette widths from all pairs of distances, a block of points at a time. */
#include <math.h>
#include <string.h>

#include "quell/agreement.h"
#include "quell/alloc.h"
#include "quell/interrupt.h"
#include "quell/parallel.h"
#include "sample.h"

enum { BLOCK = 64, TILE = 256 }; /* points that are scored together; points they are held against */

typedef struct {
    const ql_silhouette_task *t;
    int64_t *size;    /* [n_groups] */
    double *width;    /* [n] */
    ql_status *fault; /* [blocks] */
} job;

/* Squares of differences: no digits are lost for close points, as they would be by |x|^2 + |y|^2 -
 * 2 x y. */
static void add_tile(const job *j, const double *point, int64_t from, int64_t to, double *sum)
{
    const ql_silhouette_task *t = j->t;
    for (int64_t i = from; i < to; i++) {
        const double *other = t->x + i * t->d;
        double square = 0;
        if (t->label[i] < 0) continue;
        for (int64_t k = 0; k < t->d; k++) square += (point[k] - other[k]) * (point[k] - other[k]);
        sum[t->label[i]] += sqrt(square);
    }
}

static double width_of(const job *j, int32_t own, const double *sum)
{
    double nearest = INFINITY;
    if (j->size[own] < 2) return 0;
    for (int64_t g = 0; g < j->t->n_groups; g++)
        if (g != own && j->size[g] > 0) nearest = fmin(nearest, sum[g] / (double)j->size[g]);
    double within = sum[own] / (double)(j->size[own] - 1);
    double larger = fmax(within, nearest);
    return larger > 0 ? (nearest - within) / larger : 0;
}

static void score_block(void *ctx, int64_t block)
{
    const job *j = ctx;
    const ql_silhouette_task *t = j->t;
    if (ql_interrupt_check(NULL) != QL_OK) return;
    int64_t first = block * BLOCK, last = first + BLOCK < t->n ? first + BLOCK : t->n;
    double *sum; /* [BLOCK, n_groups]: distances of a point to each group */
    j->fault[block] = QL_NEW(sum, BLOCK * t->n_groups, "silhouette widths", NULL);
    if (j->fault[block] != QL_OK) return;
    for (int64_t from = 0; from < t->n; from += TILE)
        for (int64_t i = first; i < last; i++)
            if (t->label[i] >= 0)
                add_tile(j, t->x + i * t->d, from, from + TILE < t->n ? from + TILE : t->n,
                         sum + (i - first) * t->n_groups);
    for (int64_t i = first; i < last; i++)
        j->width[i] =
            t->label[i] < 0 ? NAN : width_of(j, t->label[i], sum + (i - first) * t->n_groups);
    ql_free(sum);
}

static ql_status first_fault(const job *j, int64_t blocks, ql_err *err)
{
    QL_TRY(ql_interrupt_check(err));
    for (int64_t b = 0; b < blocks; b++)
        if (j->fault[b] != QL_OK)
            return ql_fail(err, j->fault[b], "no memory for silhouette widths in %lld groups",
                           (long long)j->t->n_groups);
    return QL_OK;
}

static double mean_of(const double *width, int64_t n)
{
    double sum = 0;
    int64_t counted = 0;
    for (int64_t i = 0; i < n; i++) {
        if (isnan(width[i])) continue;
        sum += width[i];
        counted++;
    }
    return counted > 0 ? sum / (double)counted : NAN;
}

ql_status ql_silhouette(const ql_silhouette_task *task, double *mean, double *width, ql_err *err)
{
    ql_status st;
    job j = {.t = task, .width = width};
    int64_t blocks = (task->n + BLOCK - 1) / BLOCK, filled = 0;
    *mean = NAN;
    QL_GO(QL_NEW(j.size, task->n_groups, "silhouette widths", err));
    QL_GO(QL_NEW(j.fault, blocks, "silhouette widths", err));
    if (!width) QL_GO(QL_NEW(j.width, task->n, "silhouette widths", err));
    for (int64_t i = 0; i < task->n; i++) {
        j.width[i] = NAN;
        if (task->label[i] >= 0) j.size[task->label[i]]++;
    }
    for (int64_t g = 0; g < task->n_groups; g++) filled += j.size[g] > 0;
    if (filled >= 2) {
        ql_parallel_for(task->threads, blocks, score_block, &j);
        QL_GO(first_fault(&j, blocks, err));
        *mean = mean_of(j.width, task->n);
    }
out:
    if (!width) ql_free(j.width);
    ql_free(j.size);
    ql_free(j.fault);
    return st;
}

/* The points of which there is a label, as a list: which [n]. */
static int64_t list_labelled(const ql_silhouette_task *t, int64_t *which)
{
    int64_t n = 0;
    for (int64_t i = 0; i < t->n; i++)
        if (t->label[i] >= 0) which[n++] = i;
    return n;
}

ql_status ql_silhouette_sampled(const ql_silhouette_task *task, int64_t most, uint64_t seed,
                                double *mean, int64_t *used, ql_err *err)
{
    int64_t *which = NULL, *drawn = NULL;
    double *x = NULL;
    int32_t *label = NULL;
    ql_status st;
    QL_GO(QL_NEW(which, task->n, "silhouette widths", err));
    *used = list_labelled(task, which);
    if (*used <= most) {
        QL_GO(ql_silhouette(task, mean, NULL, err));
        goto out;
    }
    QL_GO(QL_NEW(drawn, most, "silhouette widths", err));
    QL_GO(QL_NEW(x, most * task->d, "silhouette widths", err));
    QL_GO(QL_NEW(label, most, "silhouette widths", err));
    QL_GO(ql_sample_draw(*used, most, seed, (uint64_t)1 << 42, drawn, err));
    for (int64_t i = 0; i < most; i++) {
        int64_t from = which[drawn[i]];
        memcpy(x + i * task->d, task->x + from * task->d, (size_t)task->d * sizeof *x);
        label[i] = task->label[from];
    }
    const ql_silhouette_task part = {x, most, task->d, label, task->n_groups, task->threads};
    *used = most;
    QL_GO(ql_silhouette(&part, mean, NULL, err));
out:
    ql_free(which);
    ql_free(drawn);
    ql_free(x);
    ql_free(label);
    return st;
}
