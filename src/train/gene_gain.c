#include "quell/gene_gain.h"

#include <math.h>
#include <stdlib.h>

#include "quell/alloc.h"
#include "quell/fmath.h"
#include "quell/gene_screen.h"
#include "quell/order.h"

#define FLOOR 1e-8 /* of a prediction, as in score.c */

/* The posterior mean, or the mean where there is no dispersion. */
static double written(const ql_fitted *f, const ql_ae_tile *t, int64_t g, int64_t i, double mu,
                      double x)
{
    const int64_t gene = t->genes.first + g;
    if (mu < 0) mu = 0;
    if (!f->theta && !t->theta) return mu;
    const double theta = f->theta ? (double)f->theta[gene] : (double)t->theta[g * t->ld + i];
    return mu * ((x + theta) / (mu + theta));
}

/* Poisson log-likelihood of t, but for ln t!. */
static double log_lik(double t, double p)
{
    return (t > 0 ? t * ql_log(p > FLOOR ? p : FLOOR) : 0) - p;
}

/* One pass over cells with held-out molecules, gene by gene; a gene is one thread's at a time. */
typedef struct held_pass {
    ql_fitted *f;
    double ratio; /* held-out molecules per molecule seen */
    /* of the pass at hand */
    const ql_csr *seen;
    double *depth; /* [cells] molecules seen */
    void (*entry)(const struct held_pass *p, const ql_ae_tile *t, int64_t g, int64_t i, double x,
                  double held);
    double *sums; /* the entry's own, by gene */
} held_pass;

static void pass_tile(void *ctx, const ql_ae_tile *t)
{
    const held_pass *p = ctx;
    const ql_real *x = ql_ae_tile_counts(t, p->seen);
    const ql_batch *b = t->batch;
    for (int64_t i = 0; i < t->n; i++) {
        const ql_span e = ql_entries_in(&b->out, &b->tiling, t->first + i, t->tile);
        int64_t k = e.first;
        for (int64_t g = 0; g < t->genes.count; g++) {
            double held = 0;
            if (k < e.first + e.count && b->out.gene[k] == t->genes.first + g)
                held = (double)b->out.value[k++];
            p->entry(p, t, g, i, (double)x[g * t->ld + i], held);
        }
    }
}

static ql_status run_pass(held_pass *p, const ql_held_out *parts, ql_err *err)
{
    const ql_csr *seen = parts->seen;
    int64_t *rows = NULL;
    ql_status st;
    p->ratio = ql_held_ratio(parts);
    if (!(p->ratio > 0)) return QL_OK;
    p->seen = seen;
    QL_GO(QL_NEW(p->depth, seen->n_rows, "depths", err));
    ql_csr_sums(seen, p->depth, NULL);
    QL_GO(ql_rows_list(seen->n_rows, &rows, err));
    const ql_rows input = ql_rows_of_csr(seen), target = ql_rows_of_csr(parts->held);
    const ql_batch_source source = {.counts = &input, .targets = &target, .cell = parts->cell};
    const ql_ae_visitor visitor = {.tile = pass_tile, .ctx = p};
    QL_GO(ql_ae_visit(&p->f->ae, &source, rows, seen->n_rows, 0, &visitor, err));
out:
    ql_free(rows);
    ql_free(p->depth);
    p->seen = NULL;
    p->depth = NULL;
    return st;
}

/* Share of the cell's molecules that the gene has in all cells. */
static double share_of(const ql_prep *p, int64_t gene)
{
    return p->gene_total[gene] / p->grand_total;
}

/* ---- gains ---- */

enum { GAIN, HELD, GAIN2, GAIN_HELD, HELD2, N_SUMS };

static void add_gain(const held_pass *p, const ql_ae_tile *t, int64_t g, int64_t i, double x,
                     double held)
{
    const int64_t gene = t->genes.first + g;
    const double base = p->depth[t->first_row + t->first + i] * share_of(&p->f->prep, gene);
    const double best = written(p->f, t, g, i, (double)t->mean[g * t->ld + i], x);
    const double d = log_lik(held, best * p->ratio) - log_lik(held, base * p->ratio);
    double *sum = p->sums + gene * N_SUMS;
    sum[GAIN] += d;
    sum[HELD] += held;
    sum[GAIN2] += d * d;
    sum[GAIN_HELD] += d * held;
    sum[HELD2] += held * held;
}

ql_status ql_gene_gain_make(ql_fitted *f, const ql_held_out *parts, ql_err *err)
{
    const ql_likelihood *lik = f->ae.cfg.likelihood;
    const int64_t n = f->prep.n_kept_genes;
    held_pass p = {.f = f, .entry = add_gain};
    ql_status st;
    if (lik->gaussian || lik->of_inputs) return QL_OK;
    ql_free(f->gene_gain);
    ql_free(f->gene_gain_error);
    f->gene_gain = f->gene_gain_error = NULL;
    QL_GO(QL_NEW(f->gene_gain, n, "gains of genes", err));
    QL_GO(QL_NEW(f->gene_gain_error, n, "gains of genes", err));
    QL_GO(QL_NEW(p.sums, n * N_SUMS, "gains of genes", err));
    QL_GO(run_pass(&p, parts, err));
    for (int64_t g = 0; g < n; g++) {
        const double *s = p.sums + g * N_SUMS, gain = s[GAIN] / s[HELD];
        const double square = s[GAIN2] - 2 * gain * s[GAIN_HELD] + gain * gain * s[HELD2];
        const bool known = s[HELD] > 0;
        f->gene_gain[g] = known ? gain : NAN;
        f->gene_gain_error[g] = known ? sqrt(square > 0 ? square : 0) / s[HELD] : NAN;
    }
out:
    ql_free(p.sums);
    return st;
}

/* ---- weights ---- */

enum { K = 6, EM_ROUNDS = 200, GENES_OF_A_PRIOR = 500 };
static const double grid[K] = {0, 0.2, 0.4, 0.6, 0.8, 1};

static void add_weights(const held_pass *p, const ql_ae_tile *t, int64_t g, int64_t i, double x,
                        double held)
{
    const int64_t gene = t->genes.first + g;
    const double base = p->depth[t->first_row + t->first + i] * share_of(&p->f->prep, gene);
    const double mu = (double)t->mean[g * t->ld + i];
    double *sum = p->sums + gene * K;
    for (int k = 0; k < K; k++) {
        const double mixed = grid[k] * mu + (1 - grid[k]) * base;
        sum[k] += log_lik(held, written(p->f, t, g, i, mixed, x) * p->ratio);
    }
}

static void responsibilities(const double *lik, const double *prior, double *resp)
{
    double sum = 0;
    for (int k = 0; k < K; k++) sum += resp[k] = prior[k] * lik[k];
    for (int k = 0; k < K; k++) resp[k] /= sum;
}

/* Genes of about the same expression: the prior that makes them most likely, then their weights. */
static void weigh(const double *lik, const ql_ranked *genes, int64_t n, float *weight)
{
    double prior[K], resp[K];
    for (int k = 0; k < K; k++) prior[k] = 1.0 / K;
    for (int round = 0; round < EM_ROUNDS; round++) {
        double next[K] = {0};
        for (int64_t i = 0; i < n; i++) {
            responsibilities(lik + genes[i].at * K, prior, resp);
            for (int k = 0; k < K; k++) next[k] += resp[k];
        }
        for (int k = 0; k < K; k++) prior[k] = (next[k] + 1e-3) / ((double)n + K * 1e-3);
    }
    for (int64_t i = 0; i < n; i++) {
        double mean = 0;
        responsibilities(lik + genes[i].at * K, prior, resp);
        for (int k = 0; k < K; k++) mean += resp[k] * grid[k];
        weight[genes[i].at] = (float)(mean < 1 ? mean : 1);
    }
}

static ql_status weigh_all(ql_fitted *f, double *lik, ql_err *err)
{
    const int64_t n = f->prep.n_kept_genes;
    const int64_t parts = n > GENES_OF_A_PRIOR ? n / GENES_OF_A_PRIOR : 1;
    ql_ranked *order;
    QL_TRY(QL_NEW(order, n, "genes by their mean", err));
    for (int64_t g = 0; g < n; g++) {
        double *l = lik + g * K, most = l[0];
        order[g] = (ql_ranked){f->prep.gene_total[g], g};
        for (int k = 1; k < K; k++) most = l[k] > most ? l[k] : most;
        for (int k = 0; k < K; k++) l[k] = ql_exp(l[k] - most);
    }
    qsort(order, (size_t)n, sizeof *order, ql_by_rank);
    for (int64_t part = 0; part < parts; part++) {
        const int64_t first = part * n / parts, end = (part + 1) * n / parts;
        weigh(lik, order + first, end - first, f->mix_weight);
    }
    ql_free(order);
    return QL_OK;
}

static ql_status add_split(held_pass *p, const ql_csr *from, uint64_t seed, ql_err *err)
{
    const ql_rows rows = ql_rows_of_csr(from);
    ql_csr seen = {0}, held = {0};
    int64_t *list = NULL;
    ql_status st;
    QL_GO(ql_rows_list(from->n_rows, &list, err));
    QL_GO(ql_thin_rows(&rows, list, from->n_rows, 1.0 / QL_SHRINK_SPLITS, seed, QL_RNG_THIN, &seen,
                       &held, err));
    const ql_held_out parts = {&seen, &held, p->f->split.valid};
    QL_GO(run_pass(p, &parts, err));
out:
    ql_free(list);
    ql_csr_free(&seen);
    ql_csr_free(&held);
    return st;
}

/* Of genes whose counts do not depend on the latent space the means fit accidents alone. */
static ql_status drop_screened(ql_fitted *f, const ql_rows *counts, ql_err *err)
{
    double *p = NULL;
    QL_TRY(QL_NEW(p, f->prep.n_kept_genes, "weights of genes", err));
    ql_status st = ql_gene_screen(f, counts, p, err);
    for (int64_t g = 0; st == QL_OK && g < f->prep.n_kept_genes; g++)
        if (!(p[g] < QL_SCREEN_LEVEL)) f->mix_weight[g] = 0;
    ql_free(p);
    return st;
}

ql_status ql_shrink_genes(ql_fitted *f, const ql_rows *counts, ql_err *err)
{
    const ql_csr *from = &f->split.report_seen;
    const int64_t n = f->prep.n_kept_genes;
    held_pass p = {.f = f, .entry = add_weights};
    ql_status st;
    if (f->split.n_valid < 1 || from->n_rows < 1) return QL_OK;
    QL_GO(QL_NEW(p.sums, n * K, "weights of genes", err));
    for (int i = 0; i < QL_SHRINK_SPLITS; i++)
        QL_GO(add_split(&p, from, f->train.seed + 2 + (uint64_t)i, err));
    QL_GO(QL_NEW(f->mix_weight, n, "weights of genes", err));
    QL_GO(QL_NEW(f->mix_share, n, "weights of genes", err));
    QL_GO(weigh_all(f, p.sums, err));
    QL_GO(drop_screened(f, counts, err));
    for (int64_t g = 0; g < n; g++) f->mix_share[g] = (float)share_of(&f->prep, g);
    f->ae.mix_weight = f->mix_weight;
    f->ae.mix_share = f->mix_share;
    if (f->theta) QL_GO(ql_fitted_theta(f, counts, err));
out:
    ql_free(p.sums);
    return st;
}

int64_t ql_shrink_genes_bytes(const ql_rows *counts, const ql_fit_options *opt)
{
    const int64_t units = opt->ae.hidden[opt->ae.n_hidden / 2];
    const int64_t screen = ql_gene_screen_bytes(counts, units);
    const int64_t split = ql_thinned_bytes(counts, &opt->train);
    return counts->n_cols * (K + 1) * (int64_t)sizeof(double) + (screen > split ? screen : split);
}
