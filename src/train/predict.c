#include "quell/predict.h"

#include <math.h>
#include <string.h>

#include "quell/alloc.h"

ql_status ql_predictor_new(ql_predictor *p, ql_fitted *fitted, const ql_rows *counts,
                           ql_value value, const int32_t *genes, int64_t n_genes, ql_err *err)
{
    const ql_prep *prep = &fitted->prep;
    int32_t *place = NULL;
    ql_status st;
    *p = (ql_predictor){.fitted = fitted, .counts = counts, .value = value};
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

void ql_predictor_free(ql_predictor *p)
{
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

/* One value of a tile; x is the cell's count of the gene. */
static float value_at(const ql_predictor *p, const ql_ae_tile *t, int64_t g, int64_t at, float x)
{
    const float *theta = p->fitted->theta;
    float mu = (float)t->mean[at];
    switch (p->value) {
    case QL_VALUE_THETA:
        return (float)t->theta[at];
    case QL_VALUE_PI:
        return (float)t->pi[at];
    case QL_VALUE_POSTERIOR:
        if (!theta && !ql_has_posterior(p->fitted->ae.cfg.likelihood)) return mu;
        return ql_posterior_mean(mu, theta ? theta[t->genes.first + g] : (float)t->theta[at], x);
    default:
        return mu;
    }
}

static void place_by_cells(void *ctx, const ql_ae_tile *t)
{
    const job *j = ctx;
    const ql_real *x = ql_ae_tile_counts(t, NULL);
    const int32_t *column = j->p->column + t->genes.first;
    for (int64_t i = 0; i < t->n; i++) {
        float *out = j->out + (j->rows[t->first_row + t->first + i] - j->row0) * j->p->n_columns;
        for (int64_t g = 0; g < t->genes.count; g++)
            if (column[g] >= 0)
                out[column[g]] = value_at(j->p, t, g, g * t->ld + i, (float)x[g * t->ld + i]);
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
            out[i] = value_at(j->p, t, g, g * t->ld + i, (float)x[g * t->ld + i]);
    }
}

/* First of the kept cells that is not before row. */
static int64_t kept_from(const ql_prep *prep, int64_t row)
{
    int64_t lo = 0, hi = prep->n_kept_cells;
    while (lo < hi) {
        int64_t mid = lo + (hi - lo) / 2;
        if (prep->kept_cell[mid] < row)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

ql_status ql_predict_cells(const ql_predictor *p, int64_t row0, int64_t n, float *out, ql_err *err)
{
    const ql_prep *prep = &p->fitted->prep;
    int64_t from = kept_from(prep, row0), to = kept_from(prep, row0 + n);
    job j = {.p = p, .rows = prep->kept_cell + from, .out = out, .row0 = row0};
    ql_batch_source source = {.counts = p->counts,
                              .decode = p->fitted->decode,
                              .n_decode = p->fitted->n_decode};
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
    ql_batch_source source = {.counts = p->counts,
                              .decode = p->fitted->decode,
                              .n_decode = p->fitted->n_decode};
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
