#include "quell/predict.h"

#include <math.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/order.h"
#include "quell/parallel.h"
#include "quell/special.h"

ql_status ql_predictor_new(ql_predictor *p, ql_fitted *fitted, const ql_rows *counts,
                           ql_value value, const int32_t *genes, int64_t n_genes, ql_err *err)
{
    const ql_prep *prep = &fitted->prep;
    int32_t *place = NULL;
    ql_status st;
    *p = (ql_predictor){.fitted = fitted, .counts = counts, .view = {.value = value}};
    p->n_columns = genes ? n_genes : prep->n_genes;
    p->chosen = genes != NULL;
    QL_GO(QL_NEW(p->column, prep->n_kept_genes, "gene list", err));
    QL_GO(QL_NEW(place, prep->n_genes, "gene list", err)); /* from 1; 0: not chosen */
    for (int64_t i = 0; i < p->n_columns; i++) place[genes ? genes[i] : i] = (int32_t)i + 1;
    for (int64_t g = 0; g < prep->n_kept_genes; g++)
        p->column[g] = prep->kept_gene[g] < 0 ? -1 : place[prep->kept_gene[g]] - 1;
out:
    ql_free(place);
    if (st != QL_OK) ql_predictor_free(p);
    return st;
}

/* Most entries are 0, 1 or so: of a gene with one theta their quantiles are the same in all cells.
 */
static void find_quantiles(void *ctx, int64_t gene)
{
    ql_predictor *p = ctx;
    const double theta = (double)p->fitted->theta[gene];
    for (int x = 0; x < QL_QUANTILES_KNOWN; x++)
        p->quantile[gene * QL_QUANTILES_KNOWN + x] = ql_gamma_quantile(x + theta, p->view.level);
}

ql_status ql_predictor_look(ql_predictor *p, const ql_view *view, ql_err *err)
{
    const ql_fitted *f = p->fitted;
    ql_free(p->quantile);
    p->quantile = NULL;
    p->view = *view;
    if (view->value != QL_VALUE_QUANTILE || !f->theta) return QL_OK;
    QL_TRY(QL_NEW(p->quantile, f->prep.n_kept_genes * QL_QUANTILES_KNOWN, "quantiles", err));
    ql_parallel_for(f->ae.n_threads, f->prep.n_kept_genes, find_quantiles, p);
    return QL_OK;
}

void ql_predictor_free(ql_predictor *p)
{
    ql_free(p->quantile);
    ql_free(p->column);
    *p = (ql_predictor){0};
}

/* Where a visit's values go. */
typedef struct {
    const ql_predictor *p;
    const int64_t *rows; /* of the counts */
    float *out;
    int64_t row0;                   /* by cells: output row 0 is this row of the counts */
    int64_t gene0, n_genes, stride; /* by genes */
} job;

static double known_quantile(const ql_predictor *p, int64_t gene, double x)
{
    const int64_t at = (int64_t)x;
    if (!p->quantile || at >= QL_QUANTILES_KNOWN || (double)at != x) return -1;
    return p->quantile[gene * QL_QUANTILES_KNOWN + at];
}

static double viewed(const ql_predictor *p, const ql_ae_tile *t, int64_t g, int64_t at, float x,
                     int64_t cell)
{
    const ql_fitted *f = p->fitted;
    const int64_t gene = t->genes.first + g;
    const double mu = (double)t->mean[at];
    const ql_rate r = {
        .mu = mu > 0 ? mu : 0,
        .theta = f->theta   ? (double)f->theta[gene]
                 : t->theta ? (double)t->theta[at]
                            : 0,
        .x = (double)x,
        .molecules = f->prep.total[cell],
        .share = f->prep.gene_total[gene] / f->prep.grand_total,
        .most = sqrt((double)f->prep.n_cells),
        .cell = cell,
        .gene = f->prep.kept_gene[gene],
    };
    return ql_view_of(&p->view, &r, known_quantile(p, gene, r.x));
}

/* One value of a tile; x is the cell's count of the gene. */
static float value_at(const ql_predictor *p, const ql_ae_tile *t, int64_t g, int64_t at, float x,
                      int64_t cell)
{
    const float *theta = p->fitted->theta;
    const bool plain = p->view.scale == QL_SCALE_COUNTS;
    float mu = (float)t->mean[at];
    switch (p->view.value) {
    case QL_VALUE_THETA:
        return (float)t->theta[at];
    case QL_VALUE_PI:
        return (float)t->pi[at];
    case QL_VALUE_POSTERIOR:
        if (!plain) break;
        if (!theta && !ql_has_posterior(p->fitted->ae.cfg.likelihood)) return mu;
        return ql_posterior_mean(mu, theta ? theta[t->genes.first + g] : (float)t->theta[at], x);
    case QL_VALUE_MEAN:
        if (plain) return mu;
        break;
    default:
        break;
    }
    return (float)viewed(p, t, g, at, x, cell);
}

static void place_by_cells(void *ctx, const ql_ae_tile *t)
{
    const job *j = ctx;
    const ql_real *x = ql_ae_tile_counts(t, NULL);
    const int32_t *column = j->p->column + t->genes.first;
    for (int64_t i = 0; i < t->n; i++) {
        const int64_t cell = j->rows[t->first_row + t->first + i];
        float *out = j->out + (cell - j->row0) * j->p->n_columns;
        for (int64_t g = 0; g < t->genes.count; g++)
            if (column[g] >= 0)
                out[column[g]] = value_at(j->p, t, g, g * t->ld + i, (float)x[g * t->ld + i], cell);
    }
}

/* Output row of one of the model's genes; below 0 or from n_genes on: none. */
static int64_t row_of(const job *j, int64_t gene)
{
    if (j->p->chosen && j->p->column[gene] < 0) return -1;
    return (j->p->chosen ? j->p->column[gene] : gene) - j->gene0;
}

static bool wanted(const job *j, ql_span genes)
{
    for (int64_t g = genes.first; g < genes.first + genes.count; g++) {
        const int64_t row = row_of(j, g);
        if (row >= 0 && row < j->n_genes) return true;
    }
    return false;
}

static void place_by_genes(void *ctx, const ql_ae_tile *t)
{
    const job *j = ctx;
    if (!wanted(j, t->genes)) return;
    const ql_real *x = ql_ae_tile_counts(t, NULL);
    for (int64_t g = 0; g < t->genes.count; g++) {
        int64_t row = row_of(j, t->genes.first + g);
        if (row < 0 || row >= j->n_genes) continue;
        float *out = j->out + row * j->stride + t->first_row + t->first;
        for (int64_t i = 0; i < t->n; i++)
            out[i] = value_at(j->p, t, g, g * t->ld + i, (float)x[g * t->ld + i],
                              j->rows[t->first_row + t->first + i]);
    }
}

ql_status ql_predict_cells(const ql_predictor *p, int64_t row0, int64_t n, float *out, ql_err *err)
{
    const ql_prep *prep = &p->fitted->prep;
    const int64_t n_kept = prep->n_kept_cells; /* those of rows row0 to row0 + n - 1: */
    int64_t from = ql_first_from(prep->kept_cell, n_kept, row0),
            to = ql_first_from(prep->kept_cell, n_kept, row0 + n);
    job j = {.p = p, .rows = prep->kept_cell + from, .out = out, .row0 = row0};
    ql_batch_source source = {
        .counts = p->counts, .decode = p->fitted->decode, .n_decode = p->fitted->n_decode};
    ql_ae_visitor visitor = {.tile = place_by_cells, .ctx = &j};
    memset(out, 0, (size_t)(n * p->n_columns) * sizeof *out);
    return ql_ae_visit(&p->fitted->ae, &source, j.rows, to - from, 0, &visitor, err);
}

ql_status ql_predict_genes(const ql_predictor *p, int64_t gene0, int64_t n, float *out, ql_err *err)
{
    const ql_prep *prep = &p->fitted->prep;
    job j = {.p = p,
             .rows = prep->kept_cell,
             .out = out,
             .gene0 = gene0,
             .n_genes = n,
             .stride = prep->n_kept_cells};
    ql_batch_source source = {
        .counts = p->counts, .decode = p->fitted->decode, .n_decode = p->fitted->n_decode};
    ql_ae_visitor visitor = {.tile = place_by_genes, .ctx = &j};
    return ql_ae_visit(&p->fitted->ae, &source, j.rows, prep->n_kept_cells, 0, &visitor, err);
}

typedef struct {
    const ql_prep *prep;
    ql_latent_at at;
    float *out;
} latent_job;

static ql_status place_latent(void *ctx, const ql_ae *ae, int64_t first_row, int64_t n, ql_err *err)
{
    const latent_job *j = ctx;
    int64_t width = ql_ae_latent_width(ae);
    (void)err;
    for (int64_t i = 0; i < n; i++)
        ql_ae_latent(ae, j->at, i, j->out + j->prep->kept_cell[first_row + i] * width);
    return QL_OK;
}

ql_status ql_predict_latent(ql_fitted *fitted, const ql_rows *counts, ql_latent_at at, float *out,
                            ql_err *err)
{
    latent_job j = {&fitted->prep, at, out};
    ql_batch_source source = {.counts = counts};
    ql_ae_visitor visitor = {.cells = place_latent, .ctx = &j};
    int64_t n = counts->n_rows * ql_ae_latent_width(&fitted->ae);
    for (int64_t i = 0; i < n; i++) out[i] = NAN;
    return ql_ae_visit(&fitted->ae, &source, fitted->prep.kept_cell, fitted->prep.n_kept_cells, 0,
                       &visitor, err);
}

static ql_status place_second(void *ctx, const ql_ae *ae, int64_t first_row, int64_t n, ql_err *err)
{
    const latent_job *j = ctx;
    const ql_latent *l = &ae->ladder.top.var;
    (void)err;
    for (int64_t i = 0; i < n; i++)
        for (int64_t u = 0; u < l->n_out; u++)
            j->out[j->prep->kept_cell[first_row + i] * l->n_out + u] =
                (float)l->mean[u * ae->batch[0].n_pad + i];
    return QL_OK;
}

ql_status ql_predict_second(ql_fitted *fitted, const ql_rows *counts, float *out, ql_err *err)
{
    latent_job j = {&fitted->prep, QL_LATENT_LINEAR, out};
    ql_batch_source source = {.counts = counts};
    ql_ae_visitor visitor = {.cells = place_second, .ctx = &j};
    for (int64_t i = 0; i < counts->n_rows * fitted->ae.ladder.n_out; i++) out[i] = NAN;
    return ql_ae_visit(&fitted->ae, &source, fitted->prep.kept_cell, fitted->prep.n_kept_cells, 0,
                       &visitor, err);
}

typedef struct {
    const ql_prep *prep;
    float *out;
} label_job;

static ql_status place_labels(void *ctx, const ql_ae *ae, int64_t first_row, int64_t n, ql_err *err)
{
    const label_job *j = ctx;
    (void)err;
    for (int64_t i = 0; i < n; i++)
        ql_ae_label_probs(ae, i, j->out + j->prep->kept_cell[first_row + i] * ae->labels.n_labels);
    return QL_OK;
}

ql_status ql_predict_labels(ql_fitted *fitted, const ql_rows *counts, float *out, ql_err *err)
{
    label_job j = {&fitted->prep, out};
    ql_batch_source source = {.counts = counts};
    ql_ae_visitor visitor = {.cells = place_labels, .ctx = &j};
    const int64_t n = counts->n_rows * fitted->ae.labels.n_labels;
    for (int64_t i = 0; i < n; i++) out[i] = NAN;
    return ql_ae_visit(&fitted->ae, &source, fitted->prep.kept_cell, fitted->prep.n_kept_cells, 0,
                       &visitor, err);
}
