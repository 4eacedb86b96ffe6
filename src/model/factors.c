#include "quell/factors.h"

#include <math.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/fmath.h"
#include "quell/interrupt.h"
#include "quell/rng.h"

enum {
    LANES = 8,        /* sums over factors are so many sums of every LANES-th, then of these */
    CHECK_EVERY = 10, /* rounds between looks at the likelihood */
    START_CELLS = 20, /* of which a profile begins */
    LOADING_ROUNDS = 100
};
#define TINY         1e-20f /* a rate counts as at least this */
#define CLOSE_ENOUGH 1e-4f  /* change of a loading that ends its rounds */

static int padded(int rank)
{
    return (rank + LANES - 1) / LANES * LANES;
}

/* ---- one cell ---- */

static float dot(int width, const float *a, const float *b)
{
    float lane[LANES] = {0};
    for (int k = 0; k < width; k += LANES)
        for (int l = 0; l < LANES; l++) lane[l] += a[k + l] * b[k + l];
    for (int half = LANES / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++) lane[l] += lane[l + half];
    return lane[0];
}

/* share [width] += what each factor explains of the cell, per its loading; gained [genes, width],
 * unless NULL, += what each gene gives a profile, per its place in it. */
static void explain(const ql_factors *f, const ql_row_view *row, const float *w, float *share,
                    float *gained)
{
    for (int64_t e = 0; e < row->n; e++) {
        const float *h = f->profile + row->gene[e] * f->width;
        const float s = dot(f->width, w, h), r = row->count[e] / (s > TINY ? s : TINY);
        for (int k = 0; k < f->width; k++) share[k] += r * h[k];
        if (!gained) continue;
        float *to = gained + row->gene[e] * f->width;
        for (int k = 0; k < f->width; k++) to[k] += r * w[k];
    }
}

static float depth_of(const ql_row_view *row)
{
    double sum = 0;
    for (int64_t e = 0; e < row->n; e++) sum += (double)row->count[e];
    return (float)sum;
}

/* The M step of a cell's loadings; returns the largest change. */
static float update_loading(const ql_factors *f, float depth, const float *share, float *w)
{
    const float prior = (float)f->cell_prior, all = depth + prior;
    float change = 0;
    for (int k = 0; k < f->width && all > 0; k++) {
        const float next = (w[k] * share[k] + prior * f->usage[k]) / all;
        const float d = next > w[k] ? next - w[k] : w[k] - next;
        if (d > change) change = d;
        w[k] = next;
    }
    return change;
}

static void find_loading(const ql_factors *f, const ql_row_view *row, float *w)
{
    const float depth = depth_of(row);
    memcpy(w, f->usage, (size_t)f->width * sizeof *w);
    for (int round = 0; round < LOADING_ROUNDS; round++) {
        float share[QL_FACTORS_MOST] = {0};
        explain(f, row, w, share, NULL);
        if (update_loading(f, depth, share, w) < CLOSE_ENOUGH) break;
    }
}

/* ---- the fit ---- */

typedef struct {
    const ql_rows *counts;
    const int64_t *rows;
    int64_t n;
    const ql_factors_options *opt;
    ql_factors *f;
    float *loading; /* [n, width] */
    float *gained;  /* [genes, width] */
    float *mean;    /* [genes] the mean profile */
    double molecules;
} fit;

static void add_row(const ql_row_view *row, float *sum, int64_t stride)
{
    for (int64_t e = 0; e < row->n; e++) sum[row->gene[e] * stride] += row->count[e];
}

static ql_status find_mean(fit *f, ql_row_cursor *c)
{
    const int64_t genes = f->f->n_genes;
    for (int64_t i = 0; i < f->n; i++) {
        const ql_row_view row = ql_cursor_row(c, f->rows[i]);
        f->molecules += (double)depth_of(&row);
        add_row(&row, f->mean, 1);
    }
    for (int64_t g = 0; g < genes && f->molecules > 0; g++) f->mean[g] /= (float)f->molecules;
    return QL_OK;
}

/* Columns of the profiles add up to 1. */
static void normalise(ql_factors *f)
{
    for (int k = 0; k < f->rank; k++) {
        double sum = 0;
        for (int64_t g = 0; g < f->n_genes; g++) sum += (double)f->profile[g * f->width + k];
        const float scale = sum > 0 ? (float)(1 / sum) : 0;
        for (int64_t g = 0; g < f->n_genes; g++) f->profile[g * f->width + k] *= scale;
    }
}

/* A profile begins half way between the mean and that of a few cells. */
static void start_profiles(fit *f, ql_row_cursor *c)
{
    ql_factors *m = f->f;
    for (int k = 0; k < m->rank; k++) {
        ql_rng rng = ql_rng_start(f->opt->seed, QL_RNG_FACTORS, (uint64_t)k, 0);
        double molecules = 0;
        for (int i = 0; i < START_CELLS; i++) {
            const int64_t at = (int64_t)ql_rng_below(&rng, (uint32_t)f->n);
            const ql_row_view row = ql_cursor_row(c, f->rows[at]);
            molecules += (double)depth_of(&row);
            add_row(&row, m->profile + k, m->width);
        }
        for (int64_t g = 0; g < m->n_genes; g++)
            m->profile[g * m->width + k] += (float)molecules * f->mean[g];
    }
    normalise(m);
    for (int k = 0; k < m->rank; k++) m->usage[k] = 1 / (float)m->rank;
    for (int64_t i = 0; i < f->n; i++)
        memcpy(f->loading + i * m->width, m->usage, (size_t)m->width * sizeof *m->usage);
}

/* The mean loading, of molecules. */
static void find_usage(fit *f, const double *sum)
{
    double all = 0;
    for (int k = 0; k < f->f->rank; k++) all += sum[k];
    for (int k = 0; k < f->f->rank && all > 0; k++) f->f->usage[k] = (float)(sum[k] / all);
}

static void update_profiles(fit *f)
{
    ql_factors *m = f->f;
    for (int64_t g = 0; g < m->n_genes; g++) {
        float *h = m->profile + g * m->width;
        const float *gained = f->gained + g * m->width;
        const float prior = (float)f->opt->gene_prior * f->mean[g];
        for (int k = 0; k < m->rank; k++) h[k] = h[k] * gained[k] + prior;
    }
    normalise(m);
}

static void one_round(fit *f, ql_row_cursor *c)
{
    ql_factors *m = f->f;
    double sum[QL_FACTORS_MOST] = {0};
    memset(f->gained, 0, (size_t)(m->n_genes * m->width) * sizeof *f->gained);
    for (int64_t i = 0; i < f->n; i++) {
        const ql_row_view row = ql_cursor_row(c, f->rows[i]);
        const float depth = depth_of(&row);
        float share[QL_FACTORS_MOST] = {0}, *w = f->loading + i * m->width;
        explain(m, &row, w, share, f->gained);
        update_loading(m, depth, share, w);
        for (int k = 0; k < m->rank; k++) sum[k] += (double)(depth * w[k]);
    }
    update_profiles(f);
    find_usage(f, sum);
}

static double log_lik(const fit *f, ql_row_cursor *c)
{
    const ql_factors *m = f->f;
    double sum = 0;
    for (int64_t i = 0; i < f->n; i++) {
        const ql_row_view row = ql_cursor_row(c, f->rows[i]);
        const float *w = f->loading + i * m->width;
        for (int64_t e = 0; e < row.n; e++) {
            const float s = dot(m->width, w, m->profile + row.gene[e] * m->width);
            sum += (double)row.count[e] * ql_log((double)(s > TINY ? s : TINY));
        }
    }
    return f->molecules > 0 ? sum / f->molecules : 0;
}

static ql_status iterate(fit *f, ql_row_cursor *c, ql_err *err)
{
    ql_factors *m = f->f;
    double last = -INFINITY;
    for (m->rounds = 0; m->rounds < f->opt->rounds;) {
        one_round(f, c);
        m->rounds++;
        QL_TRY(ql_rows_check(f->counts, err));
        QL_TRY(ql_interrupt_check(err));
        if (m->rounds % CHECK_EVERY != 0 && m->rounds < f->opt->rounds) continue;
        m->log_lik = log_lik(f, c);
        if (m->log_lik - last < f->opt->tolerance) break;
        last = m->log_lik;
    }
    return ql_rows_check(f->counts, err);
}

ql_status ql_factors_alloc(ql_factors *f, int64_t n_genes, int rank, ql_err *err)
{
    *f = (ql_factors){.n_genes = n_genes, .rank = rank, .width = padded(rank)};
    if (rank < 1 || rank > QL_FACTORS_MOST)
        return ql_fail(err, QL_EUSAGE, "a factor model of rank %d: from 1 to %d", rank,
                       QL_FACTORS_MOST);
    ql_status st = QL_NEW(f->profile, n_genes * f->width, "factors", err);
    if (st == QL_OK) st = QL_NEW(f->usage, f->width, "factors", err);
    if (st != QL_OK) ql_factors_free(f);
    return st;
}

void ql_factors_free(ql_factors *f)
{
    ql_free(f->profile);
    ql_free(f->usage);
    *f = (ql_factors){0};
}

ql_status ql_factors_fit(const ql_rows *counts, const int64_t *rows, int64_t n,
                         const ql_factors_options *opt, ql_factors *out, ql_err *err)
{
    fit f = {.counts = counts, .rows = rows, .n = n, .opt = opt, .f = out};
    ql_row_cursor c = {0};
    ql_status st;
    QL_TRY(ql_factors_alloc(out, counts->n_cols, opt->rank, err));
    out->cell_prior = opt->cell_prior;
    QL_GO(QL_NEW(f.loading, n * out->width, "factors", err));
    QL_GO(QL_NEW(f.gained, out->n_genes * out->width, "factors", err));
    QL_GO(QL_NEW(f.mean, out->n_genes, "factors", err));
    QL_GO(ql_cursor_open(&c, counts, err));
    QL_GO(find_mean(&f, &c));
    if (n > 0) start_profiles(&f, &c);
    QL_GO(iterate(&f, &c, err));
out:
    ql_cursor_close(&c);
    ql_free(f.loading);
    ql_free(f.gained);
    ql_free(f.mean);
    if (st != QL_OK) ql_factors_free(out);
    return st;
}

int64_t ql_factors_bytes(int64_t n_cells, int64_t n_genes, int rank)
{
    return ((n_cells + 2 * n_genes + 1) * padded(rank) + n_genes) * (int64_t)sizeof(float);
}

/* ---- use ---- */

ql_status ql_factors_rates(const ql_factors *f, const ql_rows *counts, const int64_t *rows,
                           int64_t n, int64_t ld, ql_real *out, ql_err *err)
{
    ql_row_cursor c;
    QL_TRY(ql_cursor_open(&c, counts, err));
    for (int64_t i = 0; i < n; i++) {
        const ql_row_view row = ql_cursor_row(&c, rows[i]);
        float w[QL_FACTORS_MOST];
        find_loading(f, &row, w);
        const float depth = depth_of(&row);
        for (int64_t g = 0; g < f->n_genes; g++)
            out[g * ld + i] = (ql_real)(depth * dot(f->width, w, f->profile + g * f->width));
    }
    ql_cursor_close(&c);
    return ql_rows_check(counts, err);
}

void ql_factors_lack(ql_factors *f, const uint8_t *lacks)
{
    for (int64_t g = 0; g < f->n_genes; g++)
        for (int k = 0; k < f->width && lacks[g]; k++) f->profile[g * f->width + k] = 0;
    normalise(f);
}
