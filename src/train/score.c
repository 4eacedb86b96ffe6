#include "quell/score.h"

#include <math.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/estimate.h"
#include "quell/fmath.h"

/* Predictions below this are scored as this: one held-out molecule where none was thought possible
 * does not cost infinitely much. */
#define FLOOR      1e-8
#define RATE_FLOOR 1e-9 /* of a gene's total in the base model */

typedef struct {
    const ql_ae *ae;
    const ql_csr *seen, *held;
    const double *gene_total;
    double total;            /* of gene_total */
    double ratio;            /* held-out molecules per molecule seen */
    const float *theta;      /* NULL: the model's */
    double *cell;            /* [strips, capacity, QL_N_PREDS, 2]: log-likelihood terms, mass */
    double *n_seen, *n_held; /* [cells] molecules */
    ql_score *out;
    double held_total;
    double *cell_gain; /* [cells, QL_N_PREDS]: log-likelihood above the base; the caller's */
} scoring;

static double *strip_cell(const scoring *s, int64_t strip, int64_t i)
{
    return s->cell + (strip * s->ae->capacity + i) * QL_N_PREDS * 2;
}

static double prediction(const scoring *s, const ql_ae_tile *t, ql_prediction which, int64_t g,
                         int64_t i, double x)
{
    int64_t at = g * t->ld + i, gene = t->genes.first + g;
    double mu = (double)t->mean[at], p;
    if (mu < 0) mu = 0; /* a linear mean may be */
    switch (which) {
    case QL_PRED_MEAN:
        p = mu;
        break;
    case QL_PRED_POSTERIOR: {
        if (!s->theta && !ql_has_posterior(s->ae->cfg.likelihood)) return mu * s->ratio;
        float theta = s->theta ? s->theta[gene] : (float)t->theta[at];
        p = (double)ql_posterior_mean((float)mu, theta, (float)x);
        break;
    }
    case QL_PRED_BASE:
        p = s->n_seen[t->first_row + t->first + i] * (s->gene_total[gene] + RATE_FLOOR) / s->total;
        break;
    default:
        p = x;
        break;
    }
    return p * s->ratio;
}

/* t ln p summed over the held-out molecules of the tile, and the deviance's t ln t in passing. */
static void score_held(const scoring *s, const ql_ae_tile *t, const ql_real *x)
{
    const ql_batch *b = t->batch;
    for (int64_t i = 0; i < t->n; i++) {
        double *cell = strip_cell(s, t->strip, t->first + i);
        ql_span e = ql_entries_in(&b->out, &b->tiling, t->first + i, t->tile);
        for (int64_t k = e.first; k < e.first + e.count; k++) {
            int64_t g = b->out.gene[k] - t->genes.first;
            double y = (double)b->out.value[k];
            for (int w = 0; w < QL_N_PREDS; w++) {
                double p = prediction(s, t, (ql_prediction)w, g, i, (double)x[g * t->ld + i]);
                cell[2 * w] += y * ql_log(p > FLOOR ? p : FLOOR);
            }
        }
    }
}

/* The mass that each prediction puts on the tile. */
static void score_mass(const scoring *s, const ql_ae_tile *t, const ql_real *x)
{
    const uint8_t *lacks = s->ae->lacks;
    for (int64_t g = 0; g < t->genes.count; g++) {
        if (lacks && lacks[t->genes.first + g]) continue;
        for (int64_t i = 0; i < t->n; i++) {
            double *cell = strip_cell(s, t->strip, t->first + i);
            for (int w = 0; w < QL_N_PREDS; w++)
                cell[2 * w + 1] +=
                    prediction(s, t, (ql_prediction)w, g, i, (double)x[g * t->ld + i]);
        }
    }
}

static void score_tile(void *ctx, const ql_ae_tile *t)
{
    const scoring *s = ctx;
    const ql_real *x = ql_ae_tile_counts(t, s->seen);
    score_held(s, t, x);
    score_mass(s, t, x);
}

static ql_status score_begin(void *ctx, const ql_ae *ae, int64_t first_row, int64_t n, ql_err *err)
{
    const scoring *s = ctx;
    (void)first_row;
    (void)n;
    (void)err;
    memset(s->cell, 0,
           sizeof(double) * (size_t)(ae->heads.tiling.n_strips * ae->capacity * QL_N_PREDS * 2));
    return QL_OK;
}

/* Fold the strips of a batch, cell by cell in order. */
static ql_status score_done(void *ctx, int64_t first_row, int64_t n, ql_err *err)
{
    scoring *s = ctx;
    (void)err;
    for (int64_t i = 0; i < n; i++) {
        double sum[QL_N_PREDS * 2] = {0};
        for (int strip = 0; strip < s->ae->heads.tiling.n_strips; strip++)
            for (int v = 0; v < QL_N_PREDS * 2; v++) sum[v] += strip_cell(s, strip, i)[v];
        double base = sum[2 * QL_PRED_BASE] - sum[2 * QL_PRED_BASE + 1];
        for (int w = 0; w < QL_N_PREDS; w++) {
            s->out->line[w].log_lik += sum[2 * w] - sum[2 * w + 1];
            s->out->line[w].mass += sum[2 * w + 1];
            s->cell_gain[(first_row + i) * QL_N_PREDS + w] = sum[2 * w] - sum[2 * w + 1] - base;
        }
    }
    return QL_OK;
}

/* sum of t ln t - t over the held-out entries: the likelihood of a prediction that knows them. */
static double saturated(const ql_csr *held)
{
    double sum = 0;
    for (int64_t k = 0; k < ql_csr_nnz(held); k++) {
        double t = (double)held->data[k];
        sum += t * ql_log(t) - t;
    }
    return sum;
}

/* Gains, deviances and their standard errors from the sums over cells. The gain is a ratio of sums,
 * so its standard error is that of a ratio estimator. */
static void finish(scoring *s)
{
    ql_score *out = s->out;
    double held = s->held_total, best = saturated(s->held);
    for (int w = 0; w < QL_N_PREDS; w++) {
        ql_score_line *line = &out->line[w];
        double square = 0;
        line->gain = (line->log_lik - out->line[QL_PRED_BASE].log_lik) / held;
        line->deviance = 2 * (best - line->log_lik) / held;
        for (int64_t i = 0; i < out->n_cells; i++) {
            double d = s->cell_gain[i * QL_N_PREDS + w] - line->gain * s->n_held[i];
            square += d * d;
        }
        out->stderr_gain[w] = sqrt(square) / held;
    }
}

static ql_status score_rows(scoring *s, ql_ae *ae, const int64_t *cell, double lost, ql_err *err)
{
    int64_t n = s->seen->n_rows, *rows = NULL;
    double seen = 0;
    ql_status st;
    QL_GO(QL_NEW(s->cell, (int64_t)ae->heads.tiling.n_strips * ae->capacity * QL_N_PREDS * 2,
                 "scores", err));
    QL_GO(QL_NEW(s->n_seen, n, "scores", err));
    QL_GO(QL_NEW(s->n_held, n, "scores", err));
    QL_GO(QL_NEW(rows, n, "cell list", err));
    ql_csr_sums(s->seen, s->n_seen, NULL);
    ql_csr_sums(s->held, s->n_held, NULL);
    s->held_total = lost;
    for (int64_t i = 0; i < n; i++) {
        rows[i] = i;
        seen += s->n_seen[i];
        s->held_total += s->n_held[i];
    }
    if (!(seen > 0) || !(s->held_total > 0)) goto out;
    s->ratio = s->held_total / seen;
    ql_rows input = ql_rows_of_csr(s->seen), target = ql_rows_of_csr(s->held);
    ql_batch_source source = {.counts = &input, .targets = &target, .cell = cell};
    ql_ae_visitor visitor = {score_tile, score_begin, score_done, s};
    QL_GO(ql_ae_visit(ae, &source, rows, n, 0, &visitor, err));
    for (int w = 0; w < QL_N_PREDS; w++) s->out->line[w].log_lik += lost * ql_log(FLOOR);
    s->out->n_molecules = (int64_t)s->held_total;
    finish(s);
out:
    ql_free(s->cell);
    ql_free(s->n_seen);
    ql_free(s->n_held);
    ql_free(rows);
    return st;
}

ql_status ql_score_cells(ql_ae *ae, const ql_held_out *parts, const double *gene_total, double lost,
                         const float *theta, ql_score *out, double *cell_gain, ql_err *err)
{
    scoring s = {.ae = ae,
                 .seen = parts->seen,
                 .held = parts->held,
                 .gene_total = gene_total,
                 .theta = theta,
                 .out = out};
    *out = (ql_score){.n_cells = parts->seen->n_rows};
    s.cell_gain = cell_gain;
    for (int64_t g = 0; g < ae->n_genes; g++) s.total += gene_total[g];
    return score_rows(&s, ae, parts->cell, lost, err);
}

ql_status ql_score_model(ql_ae *ae, const ql_held_out *parts, const double *gene_total, double lost,
                         const float *theta, ql_score *out, ql_err *err)
{
    double *cell_gain;
    QL_TRY(QL_NEW(cell_gain, parts->seen->n_rows * QL_N_PREDS, "scores", err));
    ql_status st = ql_score_cells(ae, parts, gene_total, lost, theta, out, cell_gain, err);
    ql_free(cell_gain);
    return st;
}

double ql_held_ratio(const ql_held_out *h)
{
    const double seen = ql_csr_total(h->seen), held = ql_csr_total(h->held);
    return seen > 0 && held > 0 ? held / seen : 0;
}
