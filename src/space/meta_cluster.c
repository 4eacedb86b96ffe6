/* Weighted meta-clustering: a cluster of a labeling is a node; nodes are as similar as the weight
 * of the cells they share is large, and are grouped by Ward's rule. */
#include "meta_cluster.h"

#include <stdbool.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/parallel.h"
#include "quell/ward.h"

typedef struct {
    const ql_meta_task *t;
    int64_t nodes;
    int64_t *base;    /* [members]: node of a member's cluster 0 */
    double *weight;   /* [n] */
    double *mass;     /* [nodes]: weight of a node's rows */
    double *distance; /* [nodes, nodes]: shared weight, then 1 - similarity */
    ql_merge *merge;
    int32_t *meta; /* [nodes] */
    int32_t *tally;
} job;

/* How undecided the members are about a row: 4 / n times the sum over rows of a (1 - a), a the
 * share of members that put the two together. Whole numbers, so the order of the sum is of no
 * matter. */
static void weigh_row(void *ctx, int64_t i)
{
    const job *j = ctx;
    const int m = j->t->members;
    const int32_t *own = j->t->label + i * m, *row = j->t->label;
    int64_t sum = 0;
    for (int64_t r = 0; r < j->t->n; r++, row += m) {
        int64_t same = 0;
        for (int c = 0; c < m; c++) same += own[c] == row[c];
        sum += same * (m - same);
    }
    double spread = 4.0 * (double)sum / ((double)m * m * (double)j->t->n);
    j->weight[i] = (spread + 0.01) / 1.01;
}

static void share_weights(job *j)
{
    const int m = j->t->members;
    for (int64_t i = 0; i < j->t->n; i++) {
        const int32_t *row = j->t->label + i * m;
        for (int a = 0; a < m; a++) {
            int64_t node = j->base[a] + row[a];
            j->mass[node] += j->weight[i];
            for (int b = 0; b < m; b++)
                j->distance[node * j->nodes + j->base[b] + row[b]] += j->weight[i];
        }
    }
    for (int64_t a = 0; a < j->nodes; a++)
        for (int64_t b = 0; b < j->nodes; b++) {
            double *d = &j->distance[a * j->nodes + b];
            double all = j->mass[a] + j->mass[b] - *d;
            *d = a == b ? 0 : 1 - (all > 0 ? *d / all : 0);
        }
}

/* The most frequent meta-cluster of a row's nodes, the lowest of equally frequent ones; skip: one
 * that does not count (-1: none). -1 if none is left. */
static int32_t choose(const job *j, int64_t i, int64_t k, int32_t skip)
{
    const int m = j->t->members;
    const int32_t *row = j->t->label + i * m;
    int32_t best = -1;
    memset(j->tally, 0, (size_t)k * sizeof *j->tally);
    for (int c = 0; c < m; c++) j->tally[j->meta[j->base[c] + row[c]]]++;
    for (int32_t g = 0; g < k; g++)
        if (g != skip && j->tally[g] > 0 && (best < 0 || j->tally[g] > j->tally[best])) best = g;
    return best;
}

/* If all rows choose the same, the second choice is taken where there is one. */
static void label_rows(const job *j, int64_t k, int32_t *out)
{
    bool several = false;
    for (int64_t i = 0; i < j->t->n; i++) {
        out[i] = choose(j, i, k, -1);
        several |= out[i] != out[0];
    }
    if (several) return;
    const int32_t only = out[0];
    for (int64_t i = 0; i < j->t->n; i++) {
        int32_t second = choose(j, i, k, only);
        if (second >= 0) out[i] = second;
    }
}

static ql_status new_job(job *j, ql_err *err)
{
    QL_TRY(QL_NEW(j->base, j->t->members, "a consensus", err));
    for (int c = 0; c < j->t->members; c++) {
        j->base[c] = j->nodes;
        j->nodes += j->t->groups[c];
    }
    QL_TRY(QL_NEW(j->weight, j->t->n, "a consensus", err));
    QL_TRY(QL_NEW(j->mass, j->nodes, "a consensus", err));
    QL_TRY(QL_NEW(j->distance, j->nodes * j->nodes, "a consensus", err));
    QL_TRY(QL_NEW(j->merge, j->nodes, "a consensus", err));
    QL_TRY(QL_NEW(j->meta, j->nodes, "a consensus", err));
    return QL_NEW(j->tally, j->nodes, "a consensus", err);
}

ql_status ql_meta_cluster(const ql_meta_task *task, int32_t *out, ql_err *err)
{
    job j = {.t = task};
    ql_status st;
    QL_GO(new_job(&j, err));
    const int64_t k = task->k < j.nodes ? task->k : j.nodes;
    ql_parallel_for(task->threads, task->n, weigh_row, &j);
    share_weights(&j);
    QL_GO(ql_ward(j.nodes, j.distance, j.merge, err));
    QL_GO(ql_cut_tree(j.nodes, j.merge, k, j.meta, err));
    label_rows(&j, k, out);
out:
    ql_free(j.base);
    ql_free(j.weight);
    ql_free(j.mass);
    ql_free(j.distance);
    ql_free(j.merge);
    ql_free(j.meta);
    ql_free(j.tally);
    return st;
}
