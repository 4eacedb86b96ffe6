#include "quell/cell_scores.h"

#include <math.h>
#include <string.h>

#include "mahalanobis.h"
#include "mixture_nll.h"
#include "quell/alloc.h"
#include "quell/fmath.h"
#include "quell/predict.h"

#define PER_CELL 1e4 /* molecules that the error scales every cell to */
#define PEARSON_MOST                                                                               \
    (ql_real)100 /* a gene with a few molecules where none was thought possible                    \
                    would drown all others */
#define LEAST_VARIANCE (ql_real)1e-12

/* ---- likelihood ---- */

/* Add ln y! of its counts to each of n cells. */
static ql_status add_factorials(const ql_rows *counts, const int64_t *rows, int64_t n, double *nll,
                                ql_err *err)
{
    ql_row_cursor c;
    QL_TRY(ql_cursor_open(&c, counts, err));
    for (int64_t i = 0; i < n; i++) {
        ql_row_view row = ql_cursor_row(&c, rows[i]);
        for (int64_t k = 0; k < row.n; k++)
            if (row.count[k] != 1) nll[i] += ql_ln_factorial((double)row.count[k]);
    }
    ql_cursor_close(&c);
    return ql_rows_check(counts, err);
}

/* Logarithms of the dispersions that go with the written means. */
static ql_status log_of_theta(const ql_fitted *f, ql_real **out, ql_err *err)
{
    if (!f->theta) return QL_OK;
    QL_TRY(QL_NEW(*out, f->prep.n_kept_genes, "dispersions", err));
    for (int64_t g = 0; g < f->prep.n_kept_genes; g++)
        (*out)[g] = (ql_real)ql_log((double)f->theta[g]);
    return QL_OK;
}

static ql_status score_nll(ql_fitted *f, const ql_rows *counts, double *out, ql_err *err)
{
    const ql_prep *p = &f->prep;
    const ql_batch_source source = {.counts = counts};
    double *nll = NULL;
    ql_real *log_theta = NULL;
    ql_status st;
    QL_GO(QL_NEW(nll, p->n_kept_cells, "likelihoods", err));
    QL_GO(log_of_theta(f, &log_theta, err));
    if (f->others)
        QL_GO(ql_mixture_nll(f, counts, p->kept_cell, p->n_kept_cells, nll, err));
    else
        QL_GO(ql_ae_cell_nll(&f->ae, &source, p->kept_cell, p->n_kept_cells, log_theta, nll, err));
    QL_GO(add_factorials(counts, p->kept_cell, p->n_kept_cells, nll, err));
    for (int64_t i = 0; i < p->n_kept_cells; i++)
        out[p->kept_cell[i]] = nll[i] / p->total[p->kept_cell[i]];
out:
    ql_free(nll);
    ql_free(log_theta);
    return st;
}

/* ---- residuals ---- */

enum { ERROR, PEARSON, N_SUMS };

typedef struct {
    const ql_fitted *f;
    double *sum; /* [strips, N_SUMS, capacity] */
    double *out[N_SUMS];
} residuals;

static double *strip_sums(const residuals *r, int64_t strip, int which)
{
    return r->sum + (strip * N_SUMS + which) * r->f->ae.capacity;
}

/* Expected counts of a gene in the tile's cells: m, of which mu is the part without dropout. */
typedef struct {
    const ql_real *x, *mu, *pi; /* [ld]; pi NULL: no dropout */
    ql_real m[QL_BLOCK];
    ql_real excess[QL_BLOCK]; /* variance: m + m mu excess */
} gene_cells;

static void expect(const ql_fitted *f, const ql_ae_tile *t, int64_t g, gene_cells *c)
{
    const ql_real *theta = t->theta ? t->theta + g * t->ld : NULL;
    ql_real shared = f->theta ? 1 / (ql_real)f->theta[t->genes.first + g] : 0;
    for (int64_t i = 0; i < t->ld; i++) c->excess[i] = f->theta || !theta ? shared : 1 / theta[i];
    for (int64_t i = 0; i < t->ld; i++) c->m[i] = c->mu[i];
    if (!c->pi) return;
    for (int64_t i = 0; i < t->ld; i++) {
        c->m[i] *= 1 - c->pi[i];
        c->excess[i] += c->pi[i];
    }
}

static void add_pearson(const ql_ae_tile *t, const gene_cells *c, double *sum)
{
    for (int64_t i = 0; i < t->n; i++) {
        ql_real v = c->m[i] + c->m[i] * c->mu[i] * c->excess[i], d = c->x[i] - c->m[i];
        ql_real z = d * d / (v > LEAST_VARIANCE ? v : LEAST_VARIANCE);
        sum[i] += (double)(z < PEARSON_MOST ? z : PEARSON_MOST);
    }
}

static void add_error(const ql_kern *kern, const ql_ae_tile *t, const gene_cells *c, double *sum)
{
    ql_real seen[QL_BLOCK], said[QL_BLOCK];
    for (int64_t i = 0; i < t->ld; i++) {
        double scale = i < t->n ? PER_CELL / t->batch->total[t->first + i] : 0;
        seen[i] = (ql_real)((double)c->x[i] * scale);
        said[i] = (ql_real)((double)c->m[i] * scale);
    }
    kern->log1p(t->ld, seen, seen);
    kern->log1p(t->ld, said, said);
    for (int64_t i = 0; i < t->n; i++) {
        double d = (double)(seen[i] - said[i]);
        sum[i] += d * d;
    }
}

static void add_tile(void *ctx, const ql_ae_tile *t)
{
    const residuals *r = ctx;
    const ql_real *x = ql_ae_tile_counts(t, NULL);
    const uint8_t *lacks = r->f->ae.lacks;
    for (int64_t g = 0; g < t->genes.count; g++) {
        if (lacks && lacks[t->genes.first + g]) continue;
        gene_cells c = {
            .x = x + g * t->ld, .mu = t->mean + g * t->ld, .pi = t->pi ? t->pi + g * t->ld : NULL};
        expect(r->f, t, g, &c);
        if (r->out[PEARSON]) add_pearson(t, &c, strip_sums(r, t->strip, PEARSON) + t->first);
        if (r->out[ERROR])
            add_error(r->f->ae.kern, t, &c, strip_sums(r, t->strip, ERROR) + t->first);
    }
}

static ql_status begin_batch(void *ctx, const ql_ae *ae, int64_t first_row, int64_t n, ql_err *err)
{
    const residuals *r = ctx;
    (void)first_row;
    (void)n;
    (void)err;
    memset(r->sum, 0, sizeof *r->sum * (size_t)(ae->heads.tiling.n_strips * N_SUMS * ae->capacity));
    return QL_OK;
}

/* Fold the strips of a batch, cell by cell in order. */
static ql_status end_batch(void *ctx, int64_t first_row, int64_t n, ql_err *err)
{
    const residuals *r = ctx;
    const ql_prep *p = &r->f->prep;
    const int64_t n_genes = p->n_kept_genes - r->f->n_lacking;
    (void)err;
    for (int which = 0; which < N_SUMS; which++) {
        for (int64_t i = 0; r->out[which] && i < n; i++) {
            double sum = 0;
            for (int strip = 0; strip < r->f->ae.heads.tiling.n_strips; strip++)
                sum += strip_sums(r, strip, which)[i];
            r->out[which][p->kept_cell[first_row + i]] = sum / (double)n_genes;
        }
    }
    return QL_OK;
}

static ql_status score_residuals(ql_fitted *f, const ql_rows *counts, double *error,
                                 double *pearson, ql_err *err)
{
    residuals r = {.f = f, .out = {[ERROR] = error, [PEARSON] = pearson}};
    const ql_batch_source source = {.counts = counts};
    const ql_ae_visitor visitor = {add_tile, begin_batch, end_batch, &r};
    ql_status st;
    QL_TRY(QL_NEW(r.sum, (int64_t)f->ae.heads.tiling.n_strips * N_SUMS * f->ae.capacity,
                  "residuals", err));
    st = ql_ae_visit(&f->ae, &source, f->prep.kept_cell, f->prep.n_kept_cells, 0, &visitor, err);
    ql_free(r.sum);
    return st;
}

/* ---- distance ---- */

static ql_status score_distance(ql_fitted *f, const ql_rows *counts, double *out, ql_err *err)
{
    const ql_prep *p = &f->prep;
    const int64_t width = ql_ae_latent_width(&f->ae);
    ql_gauss gauss = {0};
    float *latent = NULL;
    ql_status st;
    QL_GO(QL_NEW(latent, counts->n_rows * width, "the latent space", err));
    QL_GO(ql_predict_latent(f, counts, QL_LATENT_LINEAR, latent, err));
    const bool known = f->reference.gauss.width == width;
    if (!known) QL_GO(ql_gauss_fit(&gauss, latent, width, f->split.train, f->split.n_train, err));
    const ql_gauss *g = known ? &f->reference.gauss : &gauss;
    for (int64_t i = 0; i < p->n_kept_cells; i++)
        out[p->kept_cell[i]] = ql_gauss_distance(g, latent + p->kept_cell[i] * width);
out:
    ql_gauss_free(&gauss);
    ql_free(latent);
    return st;
}

/* ---- all ---- */

static ql_status allocate(ql_cell_scores *s, unsigned which, ql_err *err)
{
    for (int k = 0; k < QL_N_SCORES; k++) {
        if (!(which & QL_SCORE_BIT(k))) continue;
        QL_TRY(QL_NEW(s->of[k], s->n_cells, "scores of the cells", err));
        for (int64_t i = 0; i < s->n_cells; i++) s->of[k][i] = NAN;
    }
    return QL_OK;
}

ql_status ql_cell_scores_of(ql_fitted *fitted, const ql_rows *counts, unsigned which,
                            ql_cell_scores *out, ql_err *err)
{
    ql_status st;
    *out = (ql_cell_scores){.n_cells = counts->n_rows};
    double **of = out->of;
    QL_GO(allocate(out, which, err));
    if (of[QL_SCORE_NLL]) QL_GO(score_nll(fitted, counts, of[QL_SCORE_NLL], err));
    if (of[QL_SCORE_ERROR] || of[QL_SCORE_PEARSON])
        QL_GO(score_residuals(fitted, counts, of[QL_SCORE_ERROR], of[QL_SCORE_PEARSON], err));
    if (of[QL_SCORE_DISTANCE]) QL_GO(score_distance(fitted, counts, of[QL_SCORE_DISTANCE], err));
out:
    if (st != QL_OK) ql_cell_scores_free(out);
    return st;
}

void ql_cell_scores_free(ql_cell_scores *s)
{
    for (int k = 0; k < QL_N_SCORES; k++) ql_free(s->of[k]);
    *s = (ql_cell_scores){0};
}

int64_t ql_cell_scores_bytes(const ql_fit_options *opt, int64_t n_cells, unsigned which)
{
    enum { BATCH = 256 }; /* room for a merged minibatch of the largest size chosen unasked */
    const int64_t width = opt->ae.hidden[opt->ae.n_hidden / 2], batch = 2 * opt->train.batch_size;
    int64_t n_scores = 0, latent = 0;
    for (int k = 0; k < QL_N_SCORES; k++) n_scores += (which & QL_SCORE_BIT(k)) != 0;
    if (which & QL_SCORE_BIT(QL_SCORE_DISTANCE)) latent = width * (int64_t)sizeof(float);
    int64_t sums = (int64_t)QL_STRIPS * N_SUMS * (batch > BATCH ? batch : BATCH);
    return n_cells * (latent + (n_scores + 4) * (int64_t)sizeof(double)) +
           sums * (int64_t)sizeof(double);
}
