#include "quell/estimate.h"

#include "quell/alloc.h"
#include "quell/fmath.h"

/* Grid of ln theta: GRID_LO, GRID_LO + GRID_STEP, ... */
#define GRID_LO   (-3.0)
#define GRID_STEP 0.5
enum { K = QL_THETA_GRID, MAX_TABLE = 65536, EM_ROUNDS = 100 };

typedef struct {
    const ql_kern *kern;
    int64_t n_genes, table_size;
    double theta[K];
    double *table;   /* [K, table_size]: ln of theta (theta + 1) ... (theta + x - 1) */
    double *log_lik; /* [genes, K]; later likelihoods */
} theta_fit;

/* Size of a table that the counts of the rows fit in, as far as that is allowed. */
static ql_status table_for(const ql_rows *m, const int64_t *rows, int64_t n, int64_t *size,
                           ql_err *err)
{
    ql_row_cursor c;
    float most = 1;
    QL_TRY(ql_cursor_open(&c, m, err));
    for (int64_t i = 0; i < n; i++) {
        ql_row_view row = ql_cursor_row(&c, rows[i]);
        for (int64_t k = 0; k < row.n; k++)
            if (row.count[k] > most) most = row.count[k];
    }
    ql_cursor_close(&c);
    *size = (most < MAX_TABLE ? (int64_t)most : MAX_TABLE) + 1;
    return ql_rows_check(m, err);
}

static void fill_table(theta_fit *f)
{
    for (int k = 0; k < K; k++) {
        double *t = f->table + k * f->table_size, sum = 0;
        f->theta[k] = ql_exp(GRID_LO + GRID_STEP * k);
        for (int64_t x = 0; x < f->table_size; x++) {
            t[x] = sum;
            sum += ql_log(f->theta[k] + (double)x);
        }
    }
}

/* One gene's rates in a block of cells, and its counts that are not 0. Up to what does not depend
 * on theta, the log-likelihood is sum of ln(theta (theta + 1) ... (theta + x - 1)) - theta ln(1 +
 * mu / theta) - x ln(1 + theta / mu), where nothing large cancels in the logarithms that are taken
 * in float32. */
typedef struct {
    int64_t ld, n;           /* cells, padded; counts that are not 0 */
    ql_real mu[QL_BLOCK];    /* pads: 0, hence no weight */
    ql_real count[QL_BLOCK]; /* [n, then pads of 0] */
    ql_real rate[QL_BLOCK];  /* mu of these; pads: 1 */
} gene_row;

static void row_of(const ql_ae_tile *t, int64_t g, const ql_real *x, gene_row *row)
{
    const ql_real *mean = t->mean + g * t->ld;
    row->ld = t->ld;
    row->n = 0;
    for (int64_t i = 0; i < t->ld; i++) row->mu[i] = i < t->n ? mean[i] : 0;
    for (int64_t i = 0; i < t->n; i++) {
        if (!(x[i] > 0)) continue;
        row->count[row->n] = x[i];
        row->rate[row->n++] = mean[i];
    }
    for (int64_t i = row->n; i < ql_pad(row->n); i++) {
        row->count[i] = 0;
        row->rate[i] = 1;
    }
}

/* Sum of factor[i] ln(1 + work[i]); factor NULL: 1. */
static double sum_log1p(const ql_kern *kern, int64_t n, ql_real *work, const ql_real *factor)
{
    ql_real sum;
    kern->log1p(n, work, work);
    for (int64_t i = 0; factor && i < n; i++) work[i] = work[i] * factor[i];
    kern->row_sums(1, n, work, n, &sum);
    return (double)sum;
}

/* ln Gamma(z) for large z, but for its constant */
static double stirling(double z)
{
    return (z - 0.5) * ql_log(z) - z + 1 / (12 * z);
}

/* The table's term of a count, continued where the table ends. */
static double rise(const theta_fit *f, int k, double x)
{
    const double *table = f->table + k * f->table_size, last = (double)(f->table_size - 1);
    if (x <= last) return table[(int64_t)x];
    return table[f->table_size - 1] + stirling(f->theta[k] + x) - stirling(f->theta[k] + last);
}

static double row_log_lik(const theta_fit *f, int k, const gene_row *row)
{
    const ql_real theta = (ql_real)f->theta[k], inv = 1 / theta;
    ql_real work[QL_BLOCK];
    double sum = 0;
    for (int64_t i = 0; i < row->ld; i++) work[i] = row->mu[i] * inv;
    sum -= f->theta[k] * sum_log1p(f->kern, row->ld, work, NULL);
    for (int64_t i = 0; i < ql_pad(row->n); i++) work[i] = theta / row->rate[i];
    sum -= sum_log1p(f->kern, ql_pad(row->n), work, row->count);
    for (int64_t i = 0; i < row->n; i++) sum += rise(f, k, (double)row->count[i]);
    return sum;
}

static void fit_tile(void *ctx, const ql_ae_tile *t)
{
    const theta_fit *f = ctx;
    const ql_real *x = ql_ae_tile_counts(t, NULL);
    gene_row row;
    for (int64_t g = 0; g < t->genes.count; g++) {
        double *log_lik = f->log_lik + (t->genes.first + g) * K;
        row_of(t, g, x + g * t->ld, &row);
        for (int k = 0; k < K; k++) log_lik[k] += row_log_lik(f, k, &row);
    }
}

/* Log-likelihoods become likelihoods relative to each gene's best, once for all rounds of the EM.
 */
static void exponentiate(theta_fit *f)
{
    for (int64_t g = 0; g < f->n_genes; g++) {
        double *l = f->log_lik + g * K, most = l[0];
        for (int k = 1; k < K; k++)
            if (l[k] > most) most = l[k];
        for (int k = 0; k < K; k++) l[k] = ql_exp(l[k] - most);
    }
}

static void responsibilities(const double *lik, const double *prior, double *resp)
{
    double sum = 0;
    for (int k = 0; k < K; k++) sum += resp[k] = prior[k] * lik[k];
    for (int k = 0; k < K; k++) resp[k] /= sum;
}

/* The prior over the grid that all genes together make most likely (EM). */
static void fit_prior(const theta_fit *f, double *prior)
{
    for (int k = 0; k < K; k++) prior[k] = 1.0 / K;
    for (int round = 0; round < EM_ROUNDS; round++) {
        double next[K] = {0}, resp[K];
        for (int64_t g = 0; g < f->n_genes; g++) {
            responsibilities(f->log_lik + g * K, prior, resp);
            for (int k = 0; k < K; k++) next[k] += resp[k];
        }
        for (int k = 0; k < K; k++) prior[k] = (next[k] + 1e-3) / ((double)f->n_genes + K * 1e-3);
    }
}

static void posterior_theta(const theta_fit *f, const double *prior, float *theta)
{
    double resp[K];
    for (int64_t g = 0; g < f->n_genes; g++) {
        double inverse = 0;
        responsibilities(f->log_lik + g * K, prior, resp);
        for (int k = 0; k < K; k++) inverse += resp[k] / f->theta[k];
        theta[g] = (float)(1 / inverse);
    }
}

ql_status ql_fit_theta(ql_ae *ae, const ql_batch_source *source, const int64_t *rows, int64_t n,
                       float *theta, ql_err *err)
{
    theta_fit f = {.kern = ae->kern, .n_genes = ae->n_genes};
    int64_t used = n < QL_THETA_CELLS ? n : QL_THETA_CELLS, *chosen = NULL;
    double prior[K];
    ql_status st;
    QL_GO(QL_NEW(chosen, used, "cells of the dispersion fit", err));
    for (int64_t i = 0; i < used; i++) chosen[i] = rows[i * n / used];
    QL_GO(table_for(source->counts, chosen, used, &f.table_size, err));
    QL_GO(QL_NEW(f.table, K * f.table_size, "dispersion fit", err));
    QL_GO(QL_NEW(f.log_lik, K * f.n_genes, "dispersion fit", err));
    fill_table(&f);
    ql_ae_visitor visitor = {.tile = fit_tile, .ctx = &f};
    QL_GO(ql_ae_visit(ae, source, chosen, used, 0, &visitor, err));
    exponentiate(&f);
    fit_prior(&f, prior);
    posterior_theta(&f, prior, theta);
out:
    ql_free(chosen);
    ql_free(f.table);
    ql_free(f.log_lik);
    return st;
}
