#include "quell/variational.h"

#include "autoencoder_internal.h"
#include "quell/alloc.h"
#include "quell/fmath.h"

/* ---- codes of counts ---- */

/* from [units, n_pad] as rows first_row .. first_row + n - 1 of to [, units]; NULL: nowhere. */
static void place(const ql_real *from, int64_t units, int64_t first_row, int64_t n, float *to)
{
    const int64_t n_pad = ql_pad(n);
    for (int64_t i = 0; to && i < n; i++)
        for (int64_t u = 0; u < units; u++)
            to[(first_row + i) * units + u] = (float)from[u * n_pad + i];
}

typedef struct {
    float *mean, *var;
} codes;

static ql_status place_codes(void *ctx, const ql_ae *ae, int64_t first_row, int64_t n, ql_err *err)
{
    const codes *c = ctx;
    const ql_latent *l = &ae->latent;
    (void)err;
    place(l->mean, l->n_out, first_row, n, c->mean);
    place(l->var, l->n_out, first_row, n, c->var);
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

/* ---- a second code ---- */

int64_t ql_ae_second_width(const ql_ae *ae)
{
    return ae->scanvi.n_labels > 0 ? ae->latent.n_out : ae->ladder.n_out;
}

int64_t ql_ae_code_labels(const ql_ae *ae)
{
    return ae->scanvi.n_labels;
}

static ql_status take_levels(void *ctx, const ql_ae *ae, int64_t first_row, int64_t n, ql_err *err)
{
    const ql_ae_levels *out = ctx;
    const int64_t units = ae->latent.n_out;
    (void)err;
    place(ae->latent.mean, units, first_row, n, out->mean);
    place(ae->latent.var, units, first_row, n, out->var);
    for (int64_t i = 0; i < n && out->prior_mean; i++) {
        const int64_t to = (first_row + i) * units;
        for (int64_t u = 0; u < units; u++) {
            const ql_normal p = ae->scanvi.n_labels > 0 ? ql_ae_scanvi_above(ae, i, u)
                                                        : ql_ae_ladder_above(ae, i, u);
            out->prior_mean[to + u] = (float)p.mean;
            out->prior_var[to + u] = (float)p.var;
        }
    }
    return QL_OK;
}

ql_status ql_ae_second(ql_ae *ae, const ql_batch_source *source, const int64_t *rows, int64_t n,
                       const ql_ae_levels *out, ql_err *err)
{
    ql_ae_levels to = *out;
    ql_batch_source own = *source;
    const ql_ae_visitor visitor = {.cells = take_levels, .ctx = &to};
    own.code = NULL;
    own.draw = ae->ladder.n_out > 0 || to.prior_mean;
    return ql_ae_visit(ae, &own, rows, n, 0, &visitor, err);
}

static ql_status take_priors(void *ctx, const ql_ae *ae, int64_t first_row, int64_t n, ql_err *err)
{
    const ql_ae_priors *p = ctx;
    const int64_t units = ae->latent.n_out;
    const double constant = QL_HALF_LOG_2PI * (double)units;
    (void)err;
    for (int64_t i = 0; i < n; i++) {
        const int64_t at = first_row + i;
        if (ae->scanvi.n_labels > 0) {
            p->log_prior[at] = ql_ae_scanvi_log_prior(ae, i) - constant;
            p->kl[at] = p->log_q[at] + constant + ql_ae_scanvi_cost(ae, i);
        } else {
            p->log_prior[at] = ql_ae_ladder_log_prior(ae, i, p->z + at * units) - constant;
            p->kl[at] = ql_ae_cell_divergence(ae, i);
        }
    }
    return QL_OK;
}

/* scANVI's z2 is drawn from the code, the ladder's from the counts. */
ql_status ql_ae_code_priors(ql_ae *ae, const ql_batch_source *source, const int64_t *rows,
                            int64_t n, const ql_ae_priors *p, ql_err *err)
{
    ql_ae_priors to = *p;
    ql_batch_source own = *source;
    const ql_ae_visitor visitor = {.cells = take_priors, .ctx = &to};
    own.code = ae->scanvi.n_labels > 0 ? p->z : NULL;
    own.draw = true;
    return ql_ae_visit(ae, &own, rows, n, 0, &visitor, err);
}

ql_status ql_ae_code_prior(ql_ae *ae, const float *z2, const int64_t *label, int64_t n, float *mean,
                           float *var, ql_err *err)
{
    const int64_t units = ql_ae_second_width(ae), n_pad = ql_pad(n);
    const bool scanvi = ae->scanvi.n_labels > 0;
    const ql_latent *p = scanvi ? &ae->scanvi.lower.var : &ae->ladder.prior.var;
    ql_real *turned = NULL;
    QL_TRY(QL_NEW(turned, units * n_pad, "codes", err));
    for (int64_t i = 0; i < n; i++)
        for (int64_t u = 0; u < units; u++) turned[u * n_pad + i] = (ql_real)z2[i * units + u];
    if (scanvi)
        ql_ae_scanvi_prior(ae, turned, label, n);
    else
        ql_ae_ladder_prior(ae, turned, n);
    place(p->mean, p->n_out, 0, n, mean);
    place(p->var, p->n_out, 0, n, var);
    ql_free(turned);
    return QL_OK;
}
