/* Hartigan and Wong 1979, "Algorithm AS 136: a k-means clustering algorithm", Applied Statistics
 * 28, 100-108. Points move one at a time, wherever that lowers the sum of squares counting the
 * shift of both centres; the names of the steps and of the sets are the paper's. */
#include <math.h>
#include <string.h>

#include "kmeans_internal.h"
#include "quell/alloc.h"

enum { QUICK_ROUNDS = 50 }; /* of quick transfers in all: rounding can make points go to and fro */

typedef struct {
    ql_kmeans_start *s;
    int32_t *first, *second; /* [n]: nearest and second nearest centre */
    double *loss;            /* [n]: what leaving the own group would save */
    int64_t *size;           /* [k] */
    double *grow, *shrink;   /* [k]: size / (size + 1), size / (size - 1) */
    int64_t *updated;        /* [k]: step of the last update, later than which distances hold */
    int64_t *live;           /* [k]: last step at which the group is in the live set */
    bool *moved;             /* [k]: by the last quick-transfer stage */
    int64_t idle;            /* optimal-transfer steps since the last transfer */
    int64_t quick_left;      /* steps of quick transfer that are left */
} wong;

static const double *point(const wong *w, int64_t i)
{
    return w->s->x + i * w->s->d;
}

static double *centre(const wong *w, int64_t l)
{
    return w->s->centre + l * w->s->d;
}

static double distance(const wong *w, int64_t i, int64_t l)
{
    return ql_squared_distance(point(w, i), centre(w, l), w->s->d);
}

static void two_nearest(wong *w, int64_t i)
{
    int32_t near = 0, next = 1;
    double d_near = distance(w, i, 0), d_next = distance(w, i, 1);
    if (d_near > d_next) {
        double t = d_near;
        d_near = d_next;
        d_next = t;
        near = 1;
        next = 0;
    }
    for (int32_t l = 2; l < w->s->k; l++) {
        double d = distance(w, i, l);
        if (d >= d_next) continue;
        if (d >= d_near) {
            d_next = d;
            next = l;
        } else {
            d_next = d_near;
            next = near;
            d_near = d;
            near = l;
        }
    }
    w->first[i] = near;
    w->second[i] = next;
}

static void set_factors(wong *w, int64_t l)
{
    double n = (double)w->size[l];
    w->grow[l] = n / (n + 1);
    w->shrink[l] = n > 1 ? n / (n - 1) : INFINITY;
}

static void begin(wong *w)
{
    const ql_kmeans_start *s = w->s;
    for (int64_t i = 0; i < s->n; i++) two_nearest(w, i);
    memset(s->centre, 0, (size_t)(s->k * s->d) * sizeof *s->centre);
    for (int64_t i = 0; i < s->n; i++) {
        double *c = centre(w, w->first[i]);
        w->size[w->first[i]]++;
        for (int64_t k = 0; k < s->d; k++) c[k] += point(w, i)[k];
    }
    for (int64_t l = 0; l < s->k; l++) {
        for (int64_t k = 0; k < s->d; k++) centre(w, l)[k] /= (double)w->size[l];
        set_factors(w, l);
        w->moved[l] = true;
        w->updated[l] = -1;
    }
}

/* Point i goes from one group to another. */
static void transfer(wong *w, int64_t i, int32_t from, int32_t to)
{
    double n_from = (double)w->size[from], n_to = (double)w->size[to];
    double *c_from = centre(w, from), *c_to = centre(w, to);
    for (int64_t k = 0; k < w->s->d; k++) {
        c_from[k] = (c_from[k] * n_from - point(w, i)[k]) / (n_from - 1);
        c_to[k] = (c_to[k] * n_to + point(w, i)[k]) / (n_to + 1);
    }
    w->size[from]--;
    w->size[to]++;
    set_factors(w, from);
    set_factors(w, to);
    w->first[i] = to;
    w->second[i] = from;
}

/* Step i of the optimal-transfer stage; steps count from 1. */
static void optimal_step(wong *w, int64_t step)
{
    const int64_t i = step - 1;
    const int32_t own = w->first[i], old = w->second[i];
    int32_t best = old;
    if (w->size[own] == 1) return;
    if (w->updated[own] != 0) w->loss[i] = distance(w, i, own) * w->shrink[own];
    double gain = distance(w, i, old) * w->grow[old];
    for (int32_t l = 0; l < w->s->k; l++) {
        if ((step >= w->live[own] && step >= w->live[l]) || l == own || l == old) continue;
        double bound = gain / w->grow[l], d = distance(w, i, l);
        if (d >= bound) continue;
        gain = d * w->grow[l];
        best = l;
    }
    if (gain >= w->loss[i]) {
        w->second[i] = best;
        return;
    }
    w->idle = 0;
    w->live[own] = w->live[best] = w->s->n + step;
    w->updated[own] = w->updated[best] = step;
    transfer(w, i, own, best);
}

/* Every point is offered the group that gains most. True when a whole round went without a move. */
static bool optimal_transfers(wong *w)
{
    const int64_t n = w->s->n, k = w->s->k;
    for (int64_t l = 0; l < k; l++)
        if (w->moved[l]) w->live[l] = n + 1;
    for (int64_t step = 1; step <= n; step++) {
        w->idle++;
        optimal_step(w, step);
        if (w->idle == n) return true;
    }
    for (int64_t l = 0; l < k; l++) {
        w->moved[l] = false;
        w->live[l] -= n;
    }
    return false;
}

static bool quick_step(wong *w, int64_t i, int64_t step)
{
    const int32_t own = w->first[i], other = w->second[i];
    if (w->size[own] == 1) return false;
    if (step <= w->updated[own]) w->loss[i] = distance(w, i, own) * w->shrink[own];
    if (step >= w->updated[own] && step >= w->updated[other]) return false;
    if (distance(w, i, other) >= w->loss[i] / w->grow[other]) return false;
    w->idle = 0;
    w->moved[own] = w->moved[other] = true;
    w->updated[own] = w->updated[other] = step + w->s->n;
    transfer(w, i, own, other);
    return true;
}

/* Points swap between their two nearest groups until a whole round goes without a move. False when
 * the steps are used up. */
static bool quick_transfers(wong *w)
{
    int64_t still = 0;
    for (int64_t step = 1;; step++) {
        if (--w->quick_left < 0) return false;
        still++;
        if (quick_step(w, (step - 1) % w->s->n, step)) still = 0;
        if (still == w->s->n) return true;
    }
}

static bool iterate(wong *w)
{
    w->quick_left = QUICK_ROUNDS * w->s->n;
    for (int round = 0; round < w->s->max_steps; round++) {
        if (optimal_transfers(w)) return true;
        if (!quick_transfers(w)) return false;
        if (w->s->k == 2) return true; /* the quick stage has tried all there is */
        for (int64_t l = 0; l < w->s->k; l++) w->updated[l] = 0;
    }
    return false;
}

static ql_status new_wong(ql_kmeans_start *s, wong *w, ql_err *err)
{
    *w = (wong){.s = s};
    QL_TRY(QL_NEW(w->first, s->n, "k-means", err));
    QL_TRY(QL_NEW(w->second, s->n, "k-means", err));
    QL_TRY(QL_NEW(w->loss, s->n, "k-means", err));
    QL_TRY(QL_NEW(w->size, s->k, "k-means", err));
    QL_TRY(QL_NEW(w->grow, s->k, "k-means", err));
    QL_TRY(QL_NEW(w->shrink, s->k, "k-means", err));
    QL_TRY(QL_NEW(w->updated, s->k, "k-means", err));
    QL_TRY(QL_NEW(w->live, s->k, "k-means", err));
    return QL_NEW(w->moved, s->k, "k-means", err);
}

ql_status ql_kmeans_wong(ql_kmeans_start *s, ql_err *err)
{
    wong w;
    ql_status st;
    QL_GO(new_wong(s, &w, err));
    begin(&w);
    s->converged = iterate(&w);
    memcpy(s->label, w.first, (size_t)s->n * sizeof *s->label);
    ql_kmeans_settle(s, w.size);
out:
    ql_free(w.first);
    ql_free(w.second);
    ql_free(w.loss);
    ql_free(w.size);
    ql_free(w.grow);
    ql_free(w.shrink);
    ql_free(w.updated);
    ql_free(w.live);
    ql_free(w.moved);
    return st;
}
