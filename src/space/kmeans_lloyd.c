/* k-means++ (Arthur and Vassilvitskii 2007) and Lloyd's steps. */
#include <math.h>
#include <string.h>

#include "kmeans_internal.h"
#include "quell/alloc.h"
#include "quell/interrupt.h"

/* A number of [0, 1) with 53 bits. */
static double unit53(ql_rng *rng)
{
    uint64_t high = ql_rng_word(rng) >> 5, low = ql_rng_word(rng) >> 6;
    return (double)(high << 26 | low) * 0x1p-53;
}

/* Index i with probability weight[i] / total. */
static int64_t draw(ql_rng *rng, const double *weight, int64_t n, double total)
{
    double left = unit53(rng) * total;
    int64_t last = 0;
    for (int64_t i = 0; i < n; i++) {
        if (weight[i] <= 0) continue;
        last = i;
        if (left < weight[i]) return i;
        left -= weight[i];
    }
    return last;
}

void ql_kmeans_plus_plus(ql_kmeans_start *s, ql_rng *rng, double *nearest)
{
    int64_t chosen = ql_rng_below(rng, (uint32_t)s->n);
    for (int64_t i = 0; i < s->n; i++) nearest[i] = INFINITY;
    for (int64_t l = 0; l < s->k; l++) {
        double total = 0;
        memcpy(s->centre + l * s->d, s->x + chosen * s->d, (size_t)s->d * sizeof *s->centre);
        for (int64_t i = 0; i < s->n; i++) {
            double d = ql_squared_distance(s->x + i * s->d, s->centre + l * s->d, s->d);
            nearest[i] = fmin(nearest[i], d);
            total += nearest[i];
        }
        chosen = draw(rng, nearest, s->n, total);
    }
}

typedef struct {
    ql_kmeans_start *s;
    double *turned; /* [d, k]: the centres, so that they lie side by side */
    double *near;   /* [n]: squared distance to the own centre */
    double *d;      /* [k] */
    int64_t *size;  /* [k] */
} lloyd;

static void turn_centres(lloyd *w)
{
    const ql_kmeans_start *s = w->s;
    for (int64_t l = 0; l < s->k; l++)
        for (int64_t j = 0; j < s->d; j++) w->turned[j * s->k + l] = s->centre[l * s->d + j];
}

static bool assign(lloyd *w)
{
    ql_kmeans_start *s = w->s;
    bool changed = false;
    turn_centres(w);
    for (int64_t i = 0; i < s->n; i++) {
        int32_t best = 0;
        memset(w->d, 0, (size_t)s->k * sizeof *w->d);
        for (int64_t j = 0; j < s->d; j++) {
            const double value = s->x[i * s->d + j], *c = w->turned + j * s->k;
            for (int64_t l = 0; l < s->k; l++) w->d[l] += (value - c[l]) * (value - c[l]);
        }
        for (int32_t l = 1; l < s->k; l++)
            if (w->d[l] < w->d[best]) best = l;
        w->near[i] = w->d[best];
        changed |= s->label[i] != best;
        s->label[i] = best;
    }
    return changed;
}

static int64_t farthest(const lloyd *w)
{
    int64_t best = -1;
    for (int64_t i = 0; i < w->s->n; i++)
        if (w->size[w->s->label[i]] > 1 && (best < 0 || w->near[i] > w->near[best])) best = i;
    return best;
}

static void count_sizes(lloyd *w)
{
    memset(w->size, 0, (size_t)w->s->k * sizeof *w->size);
    for (int64_t i = 0; i < w->s->n; i++) w->size[w->s->label[i]]++;
}

static void fill_empty(lloyd *w)
{
    count_sizes(w);
    for (int32_t l = 0; l < w->s->k; l++) {
        if (w->size[l] > 0) continue;
        int64_t i = farthest(w);
        if (i < 0) return;
        w->size[w->s->label[i]]--;
        w->size[l] = 1;
        w->s->label[i] = l;
        w->near[i] = 0;
    }
}

void ql_kmeans_settle(ql_kmeans_start *s, int64_t *size)
{
    memset(s->centre, 0, (size_t)(s->k * s->d) * sizeof *s->centre);
    memset(size, 0, (size_t)s->k * sizeof *size);
    for (int64_t i = 0; i < s->n; i++) {
        double *c = s->centre + s->label[i] * s->d;
        size[s->label[i]]++;
        for (int64_t j = 0; j < s->d; j++) c[j] += s->x[i * s->d + j];
    }
    for (int64_t l = 0; l < s->k; l++)
        for (int64_t j = 0; j < s->d && size[l] > 0; j++)
            s->centre[l * s->d + j] /= (double)size[l];
    s->within = 0;
    for (int64_t i = 0; i < s->n; i++)
        s->within += ql_squared_distance(s->x + i * s->d, s->centre + s->label[i] * s->d, s->d);
}

static void iterate(lloyd *w)
{
    ql_kmeans_start *s = w->s;
    for (int64_t i = 0; i < s->n; i++) s->label[i] = -1;
    /* an interrupted run is thrown away by the caller */
    for (int step = 0; step < s->max_steps && !s->converged; step++) {
        if (ql_interrupt_check(NULL) != QL_OK) return;
        s->converged = !assign(w);
        fill_empty(w);
        ql_kmeans_settle(s, w->size);
    }
}

ql_status ql_kmeans_lloyd(ql_kmeans_start *s, ql_err *err)
{
    lloyd w = {.s = s};
    ql_status st;
    QL_GO(QL_NEW(w.turned, s->k * s->d, "k-means", err));
    QL_GO(QL_NEW(w.near, s->n, "k-means", err));
    QL_GO(QL_NEW(w.d, s->k, "k-means", err));
    QL_GO(QL_NEW(w.size, s->k, "k-means", err));
    iterate(&w);
out:
    ql_free(w.turned);
    ql_free(w.near);
    ql_free(w.d);
    ql_free(w.size);
    return st;
}
