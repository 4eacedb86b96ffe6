#include "quell/layout.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/fmath.h"
#include "quell/interrupt.h"
#include "quell/parallel.h"
#include "quell/rng.h"

enum {
    PARTS = 8,  /* of an epoch: more see fresher neighbours, fewer leave more to threads */
    NODES = 128 /* that a thread takes at a time */
};

static const float CLIP = 4; /* longest move along an axis, at a rate of 1 */

/* ---- forces ---- */

/* A force depends on the squared distance s alone: a table over s, spaced as floats are (STEPS in
 * each octave), spares a power each time. Pull: -2 a b s^(b-1) / (1 + a s^b); push: 2 b / ((0.001 +
 * s) (1 + a s^b)). */
enum { STEP_BITS = 6, STEPS = 1 << STEP_BITS, LOWEST = -24, HIGHEST = 20 };
enum { TABLE = (HIGHEST - LOWEST) * STEPS, SHIFT = 23 - STEP_BITS };

typedef struct {
    float pull[TABLE + 1], push[TABLE + 1];
} forces;

static void make_forces(double a, double b, forces *f)
{
    for (int i = 0; i <= TABLE; i++) {
        const double s = ldexp(1 + (double)(i % STEPS) / STEPS, LOWEST + i / STEPS);
        const double power = ql_exp(b * ql_log(s));
        f->pull[i] = (float)(-2 * a * b * power / s / (1 + a * power));
        f->push[i] = (float)(2 * b / ((0.001 + s) * (1 + a * power)));
    }
}

/* Between the two entries around s > 0; beyond the table its ends. */
static float force(const float *table, float s)
{
    uint32_t bits;
    memcpy(&bits, &s, sizeof bits);
    const int at = (int)(bits >> SHIFT) - ((127 + LOWEST) << STEP_BITS);
    if (at < 0) return table[0];
    if (at >= TABLE) return table[TABLE];
    const float share = (float)(bits & ((1u << SHIFT) - 1)) * (1.0f / (1 << SHIFT));
    return table[at] + share * (table[at + 1] - table[at]);
}

static float clip(float x)
{
    return x > CLIP ? CLIP : x < -CLIP ? -CLIP : x;
}

/* Move p by the force between it and q. */
static void move(float p[2], const float q[2], const float *table, float rate)
{
    const float dx = p[0] - q[0], dy = p[1] - q[1], s = dx * dx + dy * dy;
    if (!(s > 0)) return;
    const float size = force(table, s);
    p[0] += rate * clip(size * dx);
    p[1] += rate * clip(size * dy);
}

/* ---- an epoch ---- */

typedef struct {
    const ql_csr *graph;
    const ql_layout_options *opt;
    forces *f;
    float largest;                 /* weight */
    float *xy, *next;              /* next: where the nodes of the part in work go */
    int32_t *order;                /* the nodes by part, in order within a part */
    int64_t part_first[PARTS + 1]; /* in order */
    int epoch, part;               /* set between barriers, by rank 0 */
    atomic_bool stop;
} work;

/* An edge is used in a share of the epochs that is its weight over the largest. */
static bool is_due(float share, int epoch)
{
    const double now = (double)epoch * (double)share, before = now - (double)share;
    return floor(now) > floor(before);
}

static uint32_t any_node(ql_rng *rng, int64_t n)
{
    return (uint32_t)(((uint64_t)ql_rng_word(rng) * (uint64_t)n) >> 32);
}

/* Each edge pulls at both of its ends; a node moves itself alone, so it moves twice: before and
 * after those that push it away. */
static void move_node(const work *w, int32_t node, float rate)
{
    const ql_csr *g = w->graph;
    ql_rng rng = ql_rng_start(w->opt->seed, QL_RNG_LAYOUT, (uint64_t)w->epoch + 1, (uint64_t)node);
    float p[2] = {w->xy[2 * node], w->xy[2 * node + 1]};
    for (int64_t e = g->indptr[node]; e < g->indptr[node + 1]; e++) {
        if (!is_due(g->data[e] / w->largest, w->epoch)) continue;
        const float *q = w->xy + 2 * (int64_t)g->indices[e];
        move(p, q, w->f->pull, rate);
        for (int k = 0; k < w->opt->negatives; k++) {
            const int64_t other = any_node(&rng, g->n_rows);
            if (other != node) move(p, w->xy + 2 * other, w->f->push, rate);
        }
        move(p, q, w->f->pull, rate);
    }
    w->next[2 * node] = p[0];
    w->next[2 * node + 1] = p[1];
}

typedef struct {
    const int32_t *node;
    int64_t n;
} batch;

static batch take(const work *w, int64_t item)
{
    const int64_t first = w->part_first[w->part] + item * NODES;
    const int64_t left = w->part_first[w->part + 1] - first;
    return (batch){w->order + first, left < NODES ? left : NODES};
}

static void move_part(const work *w, ql_team *team, int rank, int64_t *phase)
{
    const float rate = (float)(w->opt->rate * (1 - (double)(w->epoch - 1) / w->opt->epochs));
    const int64_t n = w->part_first[w->part + 1] - w->part_first[w->part];
    const int64_t items = (n + NODES - 1) / NODES;
    for (int64_t i; (i = ql_team_next(team, rank, *phase, items)) >= 0;) {
        const batch b = take(w, i);
        for (int64_t k = 0; k < b.n; k++) move_node(w, b.node[k], rate);
    }
    ++*phase;
    ql_team_barrier(team);
    for (int64_t i; (i = ql_team_next(team, rank, *phase, items)) >= 0;) {
        const batch b = take(w, i);
        for (int64_t k = 0; k < b.n; k++)
            memcpy(w->xy + 2 * (int64_t)b.node[k], w->next + 2 * (int64_t)b.node[k],
                   2 * sizeof *w->xy);
    }
    ++*phase;
    ql_team_barrier(team);
}

static void next_epoch(work *w)
{
    if (w->opt->tell) w->opt->tell(w->opt->ctx, w->epoch);
    if (ql_interrupt_check(NULL) != QL_OK) atomic_store(&w->stop, true);
}

static void run_epochs(void *ctx, ql_team *team, int rank)
{
    work *w = ctx;
    int64_t phase = 0;
    for (int epoch = 1; epoch <= w->opt->epochs; epoch++) {
        for (int part = 0; part < PARTS; part++) {
            if (rank == 0) {
                w->epoch = epoch;
                w->part = part;
                if (part == 0) next_epoch(w);
            }
            ql_team_barrier(team);
            if (atomic_load(&w->stop)) return;
            move_part(w, team, rank, &phase);
        }
    }
}

/* ---- all of it ---- */

static int part_of(const work *w, int64_t node)
{
    return (int)(ql_rng_at(w->opt->seed, QL_RNG_LAYOUT, 0, (uint64_t)node, 1).word[0] % PARTS);
}

static void order_nodes(work *w)
{
    int64_t at[PARTS + 1] = {0};
    const int64_t n = w->graph->n_rows;
    for (int64_t i = 0; i < n; i++) at[part_of(w, i) + 1]++;
    for (int p = 0; p < PARTS; p++) at[p + 1] += at[p];
    memcpy(w->part_first, at, sizeof at);
    for (int64_t i = 0; i < n; i++) w->order[at[part_of(w, i)]++] = (int32_t)i;
}

static ql_status check_finite(const float *xy, int64_t n, ql_err *err)
{
    for (int64_t i = 0; i < 2 * n; i++)
        if (!isfinite(xy[i])) return ql_fail(err, QL_EDIVERGED, "the layout diverged");
    return QL_OK;
}

ql_status ql_layout_umap(const ql_csr *graph, const ql_layout_options *opt, float *xy, ql_err *err)
{
    work w = {.graph = graph, .opt = opt, .xy = xy};
    double a, b;
    ql_status st;
    QL_GO(QL_NEW(w.f, 1, "a layout", err));
    QL_GO(QL_NEW(w.next, 2 * graph->n_rows, "a layout", err));
    QL_GO(QL_NEW(w.order, graph->n_rows, "a layout", err));
    for (int64_t e = 0; e < ql_csr_nnz(graph); e++)
        if (graph->data[e] > w.largest) w.largest = graph->data[e];
    ql_layout_curve(opt->min_dist, opt->spread, &a, &b);
    make_forces(a, b, w.f);
    order_nodes(&w);
    ql_team_run(opt->threads, run_epochs, &w);
    QL_GO(ql_interrupt_check(err));
    QL_GO(check_finite(xy, graph->n_rows, err));
out:
    ql_free(w.f);
    ql_free(w.next);
    ql_free(w.order);
    return st;
}
