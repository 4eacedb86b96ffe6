#include "quell/variational.h"

#include "quell/alloc.h"
#include "quell/fmath.h"

/* ---- codes of counts ---- */

typedef struct {
    float *mean, *var;
} codes;

static ql_status place_codes(void *ctx, const ql_ae *ae, int64_t first_row, int64_t n, ql_err *err)
{
    const codes *c = ctx;
    const ql_latent *l = &ae->latent;
    const int64_t n_pad = ae->batch[0].n_pad;
    (void)err;
    for (int64_t i = 0; i < n; i++) {
        const int64_t to = (first_row + i) * l->n_out;
        for (int64_t u = 0; u < l->n_out; u++) {
            if (c->mean) c->mean[to + u] = (float)l->mean[u * n_pad + i];
            if (c->var) c->var[to + u] = (float)l->var[u * n_pad + i];
        }
    }
    return QL_OK;
}

ql_status ql_ae_encode(ql_ae *ae, const ql_batch_source *source, const int64_t *rows, int64_t n,
                       float *mean, float *var, ql_err *err)
{
    codes c = {mean, var};
    ql_batch_source own = *source;
    ql_ae_visitor visitor = {.cells = place_codes, .ctx = &c};
    own.code = NULL;
    return ql_ae_visit(ae, &own, rows, n, 0, &visitor, err);
}

/* ---- what codes decode to ---- */

typedef struct {
    int64_t n_genes;
    float *mean, *theta, *pi;
} decoded;

static void place_values(const ql_ae_tile *t, int64_t n_genes, const ql_real *from, float *to)
{
    if (!to) return;
    for (int64_t i = 0; i < t->n; i++) {
        float *row = to + (t->first_row + t->first + i) * n_genes + t->genes.first;
        for (int64_t g = 0; g < t->genes.count; g++) row[g] = from ? (float)from[g * t->ld + i] : 0;
    }
}

static void place_tile(void *ctx, const ql_ae_tile *t)
{
    const decoded *d = ctx;
    place_values(t, d->n_genes, t->mean, d->mean);
    place_values(t, d->n_genes, t->theta, d->theta);
    place_values(t, d->n_genes, t->pi, d->pi);
}

ql_status ql_ae_decode(ql_ae *ae, const ql_batch_source *source, const int64_t *rows, int64_t n,
                       float *mean, float *theta, float *pi, ql_err *err)
{
    decoded d = {ae->n_genes, mean, theta, pi};
    ql_ae_visitor visitor = {.tile = place_tile, .ctx = &d};
    return ql_ae_visit(ae, source, rows, n, 0, &visitor, err);
}

/* ---- how likely counts are ---- */

static ql_status take_factorials(const ql_rows *counts, const int64_t *rows, int64_t n, double *x,
                                 ql_err *err)
{
    ql_row_cursor c;
    QL_TRY(ql_cursor_open(&c, counts, err));
    for (int64_t i = 0; i < n; i++) {
        ql_row_view row = ql_cursor_row(&c, rows ? rows[i] : i);
        for (int64_t k = 0; k < row.n; k++)
            if (row.count[k] != 1) x[i] -= ql_ln_factorial((double)row.count[k]);
    }
    ql_cursor_close(&c);
    return ql_rows_check(counts, err);
}

ql_status ql_ae_log_lik(ql_ae *ae, const ql_batch_source *source, const int64_t *rows, int64_t n,
                        double *log_lik, ql_err *err)
{
    const ql_rows *counts = source->targets ? source->targets : source->counts;
    QL_TRY(ql_ae_cell_nll(ae, source, rows, n, NULL, log_lik, err));
    for (int64_t i = 0; i < n; i++) log_lik[i] = -log_lik[i];
    if (ae->cfg.likelihood->gaussian) return QL_OK;
    return take_factorials(counts, rows, n, log_lik, err);
}
