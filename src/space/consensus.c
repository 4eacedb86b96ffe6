#include "quell/consensus.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "meta_cluster.h"
#include "quell/agreement.h"
#include "quell/alloc.h"
#include "quell/kmeans.h"
#include "quell/rng.h"

enum {
    ROWS_LEAST = 1000, /* rows of the meta-clustering: fewer are filled up by drawn ones */
    STARTS = 100,
    STEPS = 10 /* of k-means on so few points */
};
#define ALIKE  0.7 /* members that agree less are looked at in two groups at once */
#define ACCEPT 0.8 /* mean agreement within the group that is believed */

typedef struct {
    const ql_consensus_task *t;
    ql_consensus *out;
    double *pair;   /* [members, members]: adjusted Rand indices */
    int32_t *row;   /* [n_rows, members]: distinct rows of labels, then drawn ones */
    int64_t n_rows; /* of which n_distinct are distinct */
    int64_t n_distinct;
    int64_t *kind; /* [n]: distinct row of a cell */
    int32_t *meta; /* [n_rows] */
} job;

/* ---- how many clusters ---- */

/* The diagonal is the mean of the rest of the column. *least: the smallest. */
static ql_status compare_members(job *j, double *least, ql_err *err)
{
    const ql_consensus_task *t = j->t;
    const int m = t->members;
    *least = 1;
    for (int a = 0; a < m; a++)
        for (int b = a + 1; b < m; b++) {
            double *ab = &j->pair[a * m + b];
            QL_TRY(ql_adjusted_rand_of(t->n, t->label + a * t->n, t->groups[a], t->label + b * t->n,
                                       t->groups[b], ab, err));
            j->pair[b * m + a] = *ab;
            *least = fmin(*least, *ab);
        }
    for (int a = 0; a < m; a++) {
        double sum = 0;
        for (int b = 0; b < m; b++)
            if (b != a) sum += j->pair[b * m + a];
        j->pair[a * m + a] = m > 1 ? sum / (m - 1) : 1;
        *least = fmin(*least, j->pair[a * m + a]);
    }
    return QL_OK;
}

/* Mean of the block of `pair` of one group of members; -INFINITY for a group of one. */
static double block_mean(const job *j, const int32_t *group, int32_t which)
{
    const int m = j->t->members;
    double sum = 0;
    int size = 0;
    for (int a = 0; a < m; a++) {
        if (group[a] != which) continue;
        size++;
        for (int b = 0; b < m; b++)
            if (group[b] == which) sum += j->pair[a * m + b];
    }
    return size > 1 ? sum / (size * size) : -INFINITY;
}

/* Members in g groups: the one that agrees most with itself, and how much. */
static ql_status best_group(const job *j, int64_t g, int32_t *group, int32_t *best, double *mean,
                            ql_err *err)
{
    const int m = j->t->members;
    ql_kmeans k;
    const ql_kmeans_options opt = {.rule = QL_KMEANS_WONG,
                                   .k = g,
                                   .starts = STARTS,
                                   .max_steps = STEPS,
                                   .seed = j->t->seed,
                                   .purpose = (uint64_t)1 << 40,
                                   .threads = 1};
    QL_TRY(ql_kmeans_run(j->pair, m, m, &opt, &k, err));
    memcpy(group, k.label, (size_t)m * sizeof *group);
    *best = 0;
    *mean = -INFINITY;
    for (int32_t i = 0; i < k.k; i++) {
        double inside = block_mean(j, group, i);
        if (inside <= *mean) continue;
        *mean = inside;
        *best = i;
    }
    ql_kmeans_free(&k);
    return QL_OK;
}

/* The mean number of clusters of the members that agree with each other. */
static ql_status choose_k(job *j, ql_err *err)
{
    const int m = j->t->members;
    double least, mean = 0, sum = 0;
    int32_t *group, best = 0;
    QL_TRY(compare_members(j, &least, err));
    QL_TRY(QL_NEW(group, m, "a consensus", err));
    ql_status st = QL_OK;
    for (int64_t g = least < ALIKE ? 2 : 1; st == QL_OK && g <= m; g++) {
        st = best_group(j, g, group, &best, &mean, err);
        if (mean > ACCEPT || g > 3) break;
    }
    int used = 0;
    for (int a = 0; st == QL_OK && a < m; a++) {
        if (isfinite(mean) && group[a] != best) continue;
        sum += (double)j->t->groups[a];
        used++;
    }
    j->out->typical_k = used > 0 ? (int64_t)floor(sum / used + 0.5) : 1;
    ql_free(group);
    return st;
}

/* ---- distinct rows of labels ---- */

typedef struct {
    const ql_consensus_task *t;
    int64_t at;
} keyed;

static int by_labels(const void *a, const void *b)
{
    const keyed *p = a, *q = b;
    for (int m = 0; m < p->t->members; m++) {
        int32_t x = p->t->label[m * p->t->n + p->at], y = q->t->label[m * q->t->n + q->at];
        if (x != y) return x < y ? -1 : 1;
    }
    return 0;
}

static int by_cell(const void *a, const void *b)
{
    int order = by_labels(a, b);
    const keyed *p = a, *q = b;
    return order ? order : (p->at < q->at ? -1 : p->at > q->at);
}

/* kind of each cell, numbered by first occurrence; first [n]: the cell it occurs in first. */
static void number_rows(job *j, keyed *list, int64_t *first)
{
    const int64_t n = j->t->n;
    for (int64_t i = 0; i < n; i++) list[i] = (keyed){j->t, i};
    qsort(list, (size_t)n, sizeof *list, by_cell);
    for (int64_t i = 0; i < n; i++)
        j->kind[list[i].at] = i > 0 && by_labels(&list[i], &list[i - 1]) == 0
                                  ? j->kind[list[i - 1].at]
                                  : list[i].at; /* first the cell, then its number */
    for (int64_t i = 0; i < n; i++) {
        if (j->kind[i] == i) {
            first[j->n_distinct] = i;
            j->kind[i] = j->n_distinct++;
        } else {
            j->kind[i] = j->kind[j->kind[i]];
        }
    }
}

/* The rows that meta-clustering sees. Drawn ones bring in how frequent rows are. */
static ql_status list_rows(job *j, const int64_t *first, ql_err *err)
{
    const ql_consensus_task *t = j->t;
    ql_rng rng = ql_rng_start(t->seed, QL_RNG_CONSENSUS, 0, 0);
    j->n_rows = j->n_distinct > ROWS_LEAST ? j->n_distinct : ROWS_LEAST;
    QL_TRY(QL_NEW(j->row, j->n_rows * t->members, "a consensus", err));
    QL_TRY(QL_NEW(j->meta, j->n_rows, "a consensus", err));
    for (int64_t r = 0; r < j->n_rows; r++) {
        int64_t cell = r < j->n_distinct ? first[r] : ql_rng_below(&rng, (uint32_t)t->n);
        for (int m = 0; m < t->members; m++) j->row[r * t->members + m] = t->label[m * t->n + cell];
    }
    return QL_OK;
}

static ql_status find_rows(job *j, ql_err *err)
{
    keyed *list = NULL;
    int64_t *first = NULL;
    ql_status st;
    QL_GO(QL_NEW(list, j->t->n, "a consensus", err));
    QL_GO(QL_NEW(first, j->t->n, "a consensus", err));
    QL_GO(QL_NEW(j->kind, j->t->n, "a consensus", err));
    number_rows(j, list, first);
    QL_GO(list_rows(j, first, err));
out:
    ql_free(list);
    ql_free(first);
    return st;
}

/* ---- the result ---- */

/* Groups in use, numbered by first occurrence. */
static ql_status close_gaps(ql_consensus *c, int64_t n, int64_t most, ql_err *err)
{
    int32_t *number;
    QL_TRY(QL_NEW(number, most, "a consensus", err));
    for (int64_t g = 0; g < most; g++) number[g] = -1;
    for (int64_t i = 0; i < n; i++) {
        int32_t *g = &number[c->label[i]];
        if (*g < 0) *g = (int32_t)c->k++;
        c->label[i] = *g;
    }
    ql_free(number);
    return QL_OK;
}

static ql_status compare_with_result(job *j, ql_err *err)
{
    const ql_consensus_task *t = j->t;
    ql_consensus *c = j->out;
    for (int m = 0; m < t->members; m++) {
        QL_TRY(ql_adjusted_rand_of(t->n, t->label + m * t->n, t->groups[m], c->label, c->k,
                                   &c->agreement[m], err));
        if (c->agreement[m] > c->agreement[c->best]) c->best = m;
    }
    return QL_OK;
}

static ql_status make(job *j, ql_err *err)
{
    const ql_consensus_task *t = j->t;
    ql_consensus *c = j->out;
    QL_TRY(QL_NEW(c->label, t->n, "a consensus", err));
    QL_TRY(QL_NEW(c->agreement, t->members, "a consensus", err));
    QL_TRY(QL_NEW(j->pair, (int64_t)t->members * t->members, "a consensus", err));
    QL_TRY(choose_k(j, err));
    if (t->members == 1) {
        memcpy(c->label, t->label, (size_t)t->n * sizeof *c->label);
        QL_TRY(close_gaps(c, t->n, t->groups[0], err));
        return compare_with_result(j, err);
    }
    QL_TRY(find_rows(j, err));
    const ql_meta_task meta = {.n = j->n_rows,
                               .members = t->members,
                               .label = j->row,
                               .groups = t->groups,
                               .k = c->typical_k + 1,
                               .threads = t->threads};
    QL_TRY(ql_meta_cluster(&meta, j->meta, err));
    for (int64_t i = 0; i < t->n; i++) c->label[i] = j->meta[j->kind[i]];
    QL_TRY(close_gaps(c, t->n, meta.k, err));
    return compare_with_result(j, err);
}

ql_status ql_consensus_make(const ql_consensus_task *task, ql_consensus *out, ql_err *err)
{
    job j = {.t = task, .out = out};
    *out = (ql_consensus){0};
    if (task->members < 1 || task->n < 1)
        return ql_fail(err, QL_EUSAGE, "a consensus of %d labelings of %lld cells", task->members,
                       (long long)task->n);
    ql_status st = make(&j, err);
    if (st != QL_OK) ql_consensus_free(out);
    ql_free(j.pair);
    ql_free(j.row);
    ql_free(j.kind);
    ql_free(j.meta);
    return st;
}

void ql_consensus_free(ql_consensus *c)
{
    ql_free(c->label);
    ql_free(c->agreement);
    *c = (ql_consensus){0};
}
