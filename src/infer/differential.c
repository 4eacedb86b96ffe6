#include "quell/differential.h"

#include <math.h>
#include <stdlib.h>

#include "de_pairs.h"
#include "de_summary.h"
#include "quell/alloc.h"
#include "quell/fmath.h"
#include "quell/order.h"
#include "quell/parallel.h"
#include "quell/quantile.h"

#define RARE_MEAN        0.01  /* molecules a cell: a gene below is hardly seen */
#define RARE_QUANTILE    0.9   /* of the largest shares that the model gives such genes */
#define LEAST_PSEUDO     1e-10 /* of a share */
#define SUMMARY_FRACTION 1000  /* summaries of the LFC take this part of the pseudocount */
#define BAYES_EPS        1e-8

const char *const ql_de_names[] = {
#define X(name, text) text,
    QL_DE_MAP(X)
#undef X
};

void ql_de_free(ql_de_result *r)
{
    for (int k = 0; k < QL_N_DE; k++) ql_free(r->of[k]);
    ql_free(r->by_rank);
    *r = (ql_de_result){0};
}

static ql_status allocate(ql_de_result *r, int64_t n_genes, ql_err *err)
{
    *r = (ql_de_result){.n_genes = n_genes};
    for (int k = 0; k < QL_N_DE; k++) QL_TRY(QL_NEW(r->of[k], n_genes, "a table of genes", err));
    return QL_NEW(r->by_rank, n_genes, "a table of genes", err);
}

/* ---- counts as they are ---- */

static ql_status raw_columns(const ql_de_groups *groups, int which, ql_de_result *r, ql_err *err)
{
    double *mean = r->of[QL_DE_RAW_MEAN1 + which], *some = r->of[QL_DE_NON_ZEROS1 + which];
    double *norm = r->of[QL_DE_RAW_NORM1 + which];
    const double n = (double)groups->n[which];
    ql_row_cursor c;
    QL_TRY(ql_cursor_open(&c, groups->counts, err));
    for (int64_t i = 0; i < groups->n[which]; i++) {
        const int64_t at = groups->row[which][i];
        const ql_row_view row = ql_cursor_row(&c, at);
        for (int64_t k = 0; k < row.n; k++) {
            mean[row.gene[k]] += (double)row.count[k];
            norm[row.gene[k]] += 1e4 * (double)row.count[k] / groups->total[at];
            some[row.gene[k]] += 1;
        }
    }
    ql_cursor_close(&c);
    for (int64_t g = 0; g < r->n_genes; g++) {
        mean[g] /= n;
        some[g] /= n;
        norm[g] /= n;
    }
    return ql_rows_check(groups->counts, err);
}

/* ---- pseudocount ---- */

/* What the model says at most of genes that a group hardly has. */
static ql_status noise_level(const double *raw_mean, const float *most, int64_t n_genes,
                             double *out, ql_err *err)
{
    double *rare = NULL;
    int64_t n = 0;
    QL_TRY(QL_NEW(rare, n_genes, "rare genes", err));
    for (int64_t g = 0; g < n_genes; g++)
        if (raw_mean[g] < RARE_MEAN) rare[n++] = (double)most[g];
    *out = n > 0 ? ql_quantile(rare, n, RARE_QUANTILE) : LEAST_PSEUDO;
    ql_free(rare);
    return QL_OK;
}

static ql_status find_pseudocount(const de_pairs *p, ql_de_result *r, double given, ql_err *err)
{
    double level[2];
    r->pseudocount = given;
    if (!isnan(given)) return QL_OK;
    for (int k = 0; k < 2; k++)
        QL_TRY(noise_level(r->of[QL_DE_RAW_MEAN1 + k], p->most[k], r->n_genes, &level[k], err));
    const double larger = level[0] > level[1] ? level[0] : level[1];
    const double share = larger / (double)r->n_genes;
    r->pseudocount = share > LEAST_PSEUDO ? share : LEAST_PSEUDO;
    return QL_OK;
}

/* ---- a gene ---- */

typedef struct {
    const ql_de_options *opt;
    const de_pairs *pairs;
    ql_de_result *r;
    int64_t gene0; /* first gene of the turn */
    bool only_means;
    double *work_lfc; /* [genes] mean LFC with the full pseudocount, for delta */
} turn;

static void vanilla_gene(const turn *t, int64_t g, const float *a, const float *b)
{
    const int64_t n = t->pairs->n;
    int64_t above = 0;
    for (int64_t i = 0; i < n; i++) above += a[i] > b[i];
    const double p = (double)above / (double)n;
    t->r->of[QL_DE_PROBA_DE][g] = p;
}

static double mean_of(const float *v, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += (double)v[i];
    return sum / (double)n;
}

static void change_gene(const turn *t, int64_t g, const float *a, const float *b, float *lfc,
                        float *scratch)
{
    const int64_t n = t->pairs->n;
    de_lfc(t->pairs->kern, n, a, b, (float)t->r->pseudocount, lfc, scratch);
    int64_t up = 0, down = 0;
    for (int64_t i = 0; i < n; i++) {
        up += (double)lfc[i] >= t->r->delta;
        down += (double)lfc[i] < -t->r->delta;
    }
    const double p_up = (double)up / (double)n, p_down = (double)down / (double)n;
    t->r->of[QL_DE_PROBA_DE][g] =
        t->opt->two_sided ? p_up + p_down : (p_up > p_down ? p_up : p_down);
}

static void summarise_gene(const turn *t, int64_t g, const float *a, const float *b, float *lfc,
                           float *scratch)
{
    de_summary s;
    const double c = t->r->pseudocount / SUMMARY_FRACTION;
    de_lfc(t->pairs->kern, t->pairs->n, a, b, (float)c, lfc, scratch);
    de_summarise(lfc, t->pairs->n, t->opt->interval, scratch, &s);
    const double column[] = {s.mean, s.median, s.sd, s.least, s.most, s.low, s.high};
    for (int k = 0; k < 7; k++) t->r->of[QL_DE_LFC_MEAN + k][g] = column[k];
    t->r->of[QL_DE_SCALE1][g] = mean_of(a, t->pairs->n);
    t->r->of[QL_DE_SCALE2][g] = mean_of(b, t->pairs->n);
}

static void one_gene(void *ctx, int64_t k)
{
    const turn *t = ctx;
    const int64_t ld = t->pairs->ld, g = t->gene0 + k;
    const float *a = t->pairs->share[0] + k * ld, *b = t->pairs->share[1] + k * ld;
    float *room = de_pairs_scratch(t->pairs, k);
    if (t->only_means) {
        de_lfc(t->pairs->kern, t->pairs->n, a, b, (float)t->r->pseudocount, room, room + ld);
        t->work_lfc[g] = mean_of(room, t->pairs->n);
        return;
    }
    summarise_gene(t, g, a, b, room, room + ld);
    if (t->opt->vanilla)
        vanilla_gene(t, g, a, b);
    else
        change_gene(t, g, a, b, room, room + ld);
}

/* All genes, as many at a time as there is room for. */
static ql_status all_turns(turn *t, ql_err *err)
{
    de_pairs *p = (de_pairs *)t->pairs;
    for (int64_t g = 0; g < t->r->n_genes; g += p->genes_at_once) {
        const int64_t left = t->r->n_genes - g;
        const int64_t n = left < p->genes_at_once ? left : p->genes_at_once;
        t->gene0 = g;
        QL_TRY(de_pairs_fill(p, g, n, err));
        /* few enough at a time that each has a scratch row of its own */
        for (int64_t at = 0; at < n; at += DE_SCRATCH_ROWS) {
            turn part = *t;
            part.gene0 = g + at;
            de_pairs view = *p;
            view.share[0] += at * p->ld;
            view.share[1] += at * p->ld;
            part.pairs = &view;
            const int64_t m = n - at < DE_SCRATCH_ROWS ? n - at : DE_SCRATCH_ROWS;
            ql_parallel_for(p->g->threads, m, one_gene, &part);
        }
    }
    return QL_OK;
}

/* ---- over all genes ---- */

double ql_de_bayes_factor(double p)
{
    return ql_log(p + BAYES_EPS) - ql_log(1 - p + BAYES_EPS);
}

int64_t ql_de_prefix(const double *p, int64_t n, double fdr)
{
    double sum = 0;
    int64_t longest = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += 1 - p[i];
        if (sum / (double)(i + 1) <= fdr) longest = i + 1;
    }
    return longest;
}

typedef struct {
    double p, size;
    int64_t gene;
} ranked;

/* Certain ones first; among equals the larger change, then the order of the genes. */
static int by_rank(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->p != y->p) return x->p > y->p ? -1 : 1;
    if (x->size != y->size) return x->size > y->size ? -1 : 1;
    return (x->gene > y->gene) - (x->gene < y->gene);
}

static ql_status rank_genes(const ql_de_options *opt, ql_de_result *r, ql_err *err)
{
    ranked *list = NULL;
    double *sorted = NULL;
    ql_status st;
    QL_GO(QL_NEW(list, r->n_genes, "ranks", err));
    QL_GO(QL_NEW(sorted, r->n_genes, "ranks", err));
    for (int64_t g = 0; g < r->n_genes; g++) {
        const double p = r->of[QL_DE_PROBA_DE][g], lfc = r->of[QL_DE_LFC_MEDIAN][g];
        r->of[QL_DE_PROBA_NOT_DE][g] = 1 - p;
        r->of[QL_DE_BAYES_FACTOR][g] = ql_de_bayes_factor(p);
        list[g] = (ranked){p, opt->vanilla ? lfc : fabs(lfc), g};
    }
    qsort(list, (size_t)r->n_genes, sizeof *list, by_rank);
    for (int64_t g = 0; g < r->n_genes; g++) {
        r->by_rank[g] = list[g].gene;
        sorted[g] = list[g].p;
    }
    r->n_de = ql_de_prefix(sorted, r->n_genes, opt->fdr);
    for (int64_t g = 0; g < r->n_de; g++) r->of[QL_DE_IS_DE][r->by_rank[g]] = 1;
out:
    ql_free(list);
    ql_free(sorted);
    return st;
}

static ql_status decide_delta(turn *t, ql_err *err)
{
    t->r->delta = t->opt->delta;
    if (t->opt->vanilla || !isnan(t->opt->delta)) return QL_OK;
    QL_TRY(QL_NEW(t->work_lfc, t->r->n_genes, "mean changes", err));
    t->only_means = true;
    ql_status st = all_turns(t, err);
    if (st == QL_OK) st = ql_de_delta(t->work_lfc, t->r->n_genes, &t->r->delta, err);
    t->only_means = false;
    ql_free(t->work_lfc);
    t->work_lfc = NULL;
    return st;
}

ql_status ql_differential(const ql_generative *g, const ql_de_groups *groups,
                          const ql_de_options *opt, ql_de_result *out, ql_err *err)
{
    de_pairs pairs = {0};
    turn t = {.opt = opt, .pairs = &pairs, .r = out};
    ql_status st;
    QL_GO(allocate(out, g->n_genes, err));
    for (int k = 0; k < 2; k++) QL_GO(raw_columns(groups, k, out, err));
    QL_GO(de_pairs_draw(&pairs, g, groups, opt, err));
    if (isnan(opt->pseudocount)) QL_GO(de_pairs_extremes(&pairs, err));
    QL_GO(find_pseudocount(&pairs, out, opt->pseudocount, err));
    QL_GO(decide_delta(&t, err));
    QL_GO(all_turns(&t, err));
    QL_GO(rank_genes(opt, out, err));
out:
    de_pairs_free(&pairs);
    if (st != QL_OK) ql_de_free(out);
    return st;
}
