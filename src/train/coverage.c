#include "quell/coverage.h"

#include <math.h>
#include <stdlib.h>

#include "quell/alloc.h"
#include "quell/order.h"
#include "quell/special.h"

#define LEVEL        0.9
#define POISSON_LIKE 1e7 /* shape of a rate that is known */

enum { FIRST_HALF_DECADE = -6 };

typedef struct {
    const ql_fitted *f;
    const ql_csr *seen;
    double ratio;    /* held-out molecules per molecule seen */
    ql_cover *gene;  /* [genes]; a gene is one thread's at a time */
    ql_cover *level; /* [tiles, QL_COVER_LEVELS] likewise */
} covering;

double ql_covered(const ql_cover *c)
{
    return c->n > 0 ? c->inside / c->n : NAN;
}

double ql_coverage_edge(int level)
{
    static const double edges[QL_COVER_LEVELS] = {0,
                                                  1e-3,
                                                  3.1622776601683795e-3,
                                                  0.01,
                                                  0.031622776601683795,
                                                  0.1,
                                                  0.31622776601683794,
                                                  1,
                                                  3.1622776601683795,
                                                  10,
                                                  31.622776601683793,
                                                  100,
                                                  316.22776601683796};
    return edges[level];
}

static int level_of(double m)
{
    int level = QL_COVER_LEVELS - 1;
    while (level > 0 && m < ql_coverage_edge(level)) level--;
    return level;
}

/* The part of [from, from + width] that lies in [lo, hi], relative to width. */
static double part_in(double from, double width, double lo, double hi)
{
    const double to = from + width;
    const double a = from > lo ? from : lo, b = to < hi ? to : hi;
    return b > a ? (b - a) / width : 0;
}

static void add(ql_cover *c, const ql_negbin *p, double t, double mean)
{
    const double tail = (1 - LEVEL) / 2;
    c->n += 1;
    c->seen += t;
    c->expected += mean;
    if (!(p->at > 0)) { /* far out on the one side or the other */
        *(t > mean ? &c->above : &c->below) += 1;
        return;
    }
    const double below = part_in(p->below, p->at, 0, tail);
    const double above = part_in(p->below, p->at, 1 - tail, 1);
    c->below += below;
    c->above += above;
    c->inside += 1 - below - above;
}

/* The rate's distribution after x molecules were seen: its mean, and its shape. */
static void rate_of(const covering *c, const ql_ae_tile *t, int64_t g, int64_t i, double x,
                    double *mean, double *shape)
{
    const int64_t at = g * t->ld + i;
    const float *thetas = c->f->theta;
    const double mu = (double)t->mean[at];
    *mean = mu;
    *shape = POISSON_LIKE;
    if (!thetas && !t->theta) return;
    const double theta = thetas ? (double)thetas[t->genes.first + g] : (double)t->theta[at];
    *shape = x + theta;
    *mean = mu * (*shape / (mu + theta));
}

static void cover_tile(void *ctx, const ql_ae_tile *t)
{
    const covering *c = ctx;
    const ql_real *x = ql_ae_tile_counts(t, c->seen);
    const ql_batch *b = t->batch;
    const uint8_t *lacks = c->f->ae.lacks;
    for (int64_t i = 0; i < t->n; i++) {
        ql_span e = ql_entries_in(&b->out, &b->tiling, t->first + i, t->tile);
        int64_t k = e.first;
        for (int64_t g = 0; g < t->genes.count; g++) {
            const int64_t gene = t->genes.first + g;
            double held = 0, mean, shape;
            if (k < e.first + e.count && b->out.gene[k] == gene) held = (double)b->out.value[k++];
            if (lacks && lacks[gene]) continue;
            rate_of(c, t, g, i, (double)x[g * t->ld + i], &mean, &shape);
            const ql_negbin p = ql_negbin_at(mean * c->ratio, shape, held);
            add(&c->gene[gene], &p, held, mean * c->ratio);
            add(&c->level[t->tile * QL_COVER_LEVELS + level_of(mean)], &p, held, mean * c->ratio);
        }
    }
}

/* ---- groups ---- */

static void join(ql_cover *to, const ql_cover *c)
{
    to->n += c->n;
    to->inside += c->inside;
    to->below += c->below;
    to->above += c->above;
    to->seen += c->seen;
    to->expected += c->expected;
}

static ql_status gather(const covering *c, ql_coverage *out, ql_err *err)
{
    const ql_prep *p = &c->f->prep;
    ql_ranked *order;
    QL_TRY(QL_NEW(order, p->n_kept_genes, "genes by their mean", err));
    for (int64_t g = 0; g < p->n_kept_genes; g++) order[g] = (ql_ranked){p->gene_total[g], g};
    qsort(order, (size_t)p->n_kept_genes, sizeof *order, ql_by_rank);
    for (int64_t i = 0; i < p->n_kept_genes; i++)
        join(&out->third[i * QL_COVER_THIRDS / p->n_kept_genes], &c->gene[order[i].at]);
    for (int64_t t = 0; t < c->f->ae.heads.tiling.n_tiles; t++)
        for (int l = 0; l < QL_COVER_LEVELS; l++)
            join(&out->at[l], &c->level[t * QL_COVER_LEVELS + l]);
    out->level = LEVEL;
    ql_free(order);
    return QL_OK;
}

ql_status ql_coverage_make(ql_fitted *f, const ql_held_out *parts, ql_err *err)
{
    const ql_likelihood *lik = f->ae.cfg.likelihood;
    const int64_t n = parts->seen->n_rows;
    covering c = {.f = f, .seen = parts->seen, .ratio = ql_held_ratio(parts)};
    int64_t *rows = NULL;
    ql_status st;
    f->coverage = (ql_coverage){0};
    if (lik->gaussian || lik->of_inputs || !(c.ratio > 0)) return QL_OK;
    QL_GO(ql_rows_list(n, &rows, err));
    QL_GO(QL_NEW(c.gene, f->ae.n_genes, "coverage of the genes", err));
    QL_GO(QL_NEW(c.level, f->ae.heads.tiling.n_tiles * QL_COVER_LEVELS, "coverage", err));
    const ql_rows input = ql_rows_of_csr(parts->seen), target = ql_rows_of_csr(parts->held);
    const ql_batch_source source = {.counts = &input, .targets = &target, .cell = parts->cell};
    const ql_ae_visitor visitor = {.tile = cover_tile, .ctx = &c};
    QL_GO(ql_ae_visit(&f->ae, &source, rows, n, 0, &visitor, err));
    QL_GO(gather(&c, &f->coverage, err));
out:
    ql_free(rows);
    ql_free(c.gene);
    ql_free(c.level);
    return st;
}
