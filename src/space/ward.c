/* Merges by the formula of Lance and Williams. Each row keeps its nearest later row, so that a
 * merge costs about n, as in Murtagh 1985, "Multidimensional Clustering Algorithms". */
#include "quell/ward.h"

#include <math.h>

#include "quell/alloc.h"

typedef struct {
    int64_t n;
    double *d;       /* [n, n] */
    int32_t *node;   /* [n]: what the row stands for; -1: merged away */
    double *size;    /* [n] */
    int64_t *near;   /* [n]: nearest of the later rows; -1: none */
    double *nearest; /* [n] */
} tree;

static void find_nearest(tree *t, int64_t i)
{
    t->near[i] = -1;
    t->nearest[i] = INFINITY;
    for (int64_t j = i + 1; j < t->n; j++) {
        if (t->node[j] < 0 || t->d[i * t->n + j] >= t->nearest[i]) continue;
        t->near[i] = j;
        t->nearest[i] = t->d[i * t->n + j];
    }
}

/* Row i takes over row j. */
static void join(tree *t, int64_t i, int64_t j)
{
    const double between = t->d[i * t->n + j];
    for (int64_t k = 0; k < t->n; k++) {
        if (t->node[k] < 0 || k == i || k == j) continue;
        double all = t->size[i] + t->size[j] + t->size[k];
        double joined = ((t->size[i] + t->size[k]) * t->d[i * t->n + k] +
                         (t->size[j] + t->size[k]) * t->d[j * t->n + k] - t->size[k] * between) /
                        all;
        t->d[i * t->n + k] = t->d[k * t->n + i] = joined;
    }
    t->size[i] += t->size[j];
    t->node[j] = -1;
}

static int64_t closest_row(const tree *t)
{
    int64_t best = -1;
    for (int64_t i = 0; i < t->n; i++)
        if (t->node[i] >= 0 && t->near[i] >= 0 && (best < 0 || t->nearest[i] < t->nearest[best]))
            best = i;
    return best;
}

static void merge_all(tree *t, ql_merge *merge)
{
    for (int64_t step = 0; step + 1 < t->n; step++) {
        int64_t i = closest_row(t), j = t->near[i];
        int32_t a = t->node[i], b = t->node[j];
        merge[step] = (ql_merge){a < b ? a : b, a < b ? b : a, t->nearest[i]};
        join(t, i, j);
        t->node[i] = (int32_t)(t->n + step);
        for (int64_t k = 0; k < t->n; k++) {
            if (t->node[k] < 0) continue;
            if (k <= i || t->near[k] == i || t->near[k] == j) find_nearest(t, k);
        }
    }
}

ql_status ql_ward(int64_t n, double *distance, ql_merge *merge, ql_err *err)
{
    ql_status st;
    tree t = {.n = n, .d = distance};
    QL_GO(QL_NEW(t.node, n, "a tree of clusters", err));
    QL_GO(QL_NEW(t.size, n, "a tree of clusters", err));
    QL_GO(QL_NEW(t.near, n, "a tree of clusters", err));
    QL_GO(QL_NEW(t.nearest, n, "a tree of clusters", err));
    for (int64_t i = 0; i < n; i++) {
        t.node[i] = (int32_t)i;
        t.size[i] = 1;
    }
    for (int64_t i = 0; i < n; i++) find_nearest(&t, i);
    merge_all(&t, merge);
out:
    ql_free(t.node);
    ql_free(t.size);
    ql_free(t.near);
    ql_free(t.nearest);
    return st;
}

ql_status ql_cut_tree(int64_t n, const ql_merge *merge, int64_t k, int32_t *label, ql_err *err)
{
    int32_t *above, *number, next = 0; /* parent of each node within the kept merges */
    if (k < 1 || k > n)
        return ql_fail(err, QL_EUSAGE, "%lld groups of %lld things", (long long)k, (long long)n);
    QL_TRY(QL_NEW(above, 2 * n, "a tree of clusters", err));
    ql_status st = QL_NEW(number, 2 * n, "a tree of clusters", err);
    if (st == QL_OK) {
        for (int64_t i = 0; i < 2 * n; i++) above[i] = number[i] = -1;
        for (int64_t step = 0; step < n - k; step++)
            above[merge[step].a] = above[merge[step].b] = (int32_t)(n + step);
        for (int64_t i = 0; i < n; i++) {
            int64_t top = i;
            while (above[top] >= 0) top = above[top];
            if (number[top] < 0) number[top] = next++;
            label[i] = number[top];
        }
        ql_free(number);
    }
    ql_free(above);
    return st;
}
