/* Which genes quell report shows: those whose logarithms vary most from cell to cell, each unlike
 * those before it, so that six genes tell of more than one kind of cell. */
#include <math.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/chart.h"
#include "report_data.h"

enum { SHOWN = 6, CANDIDATES = 60, LOOKED_AT = 4000 };

/* Sums over the cells of one gene. */
typedef struct {
    double sum, square, cells;
} gene_sums;

static double typical_depth(const report_data *d)
{
    double sum = 0;
    for (int64_t i = 0; i < d->ds.counts.n_rows; i++) sum += d->depth[i];
    return sum / (double)d->ds.counts.n_rows;
}

/* A count at the depth of an average cell, as a logarithm: one extreme cell does not decide. */
static double levelled(const report_data *d, double depth, int64_t cell, int64_t k)
{
    return d->depth[cell] > 0 ? ql_log10(1 + d->ds.counts.data[k] * depth / d->depth[cell]) : 0;
}

/* Variance. 0 for genes that few cells show, and for those that nearly all do, which are
 * high everywhere and tell cells apart less well than a plot can show. */
static double variability(const gene_sums *g, double n)
{
    const double mean = g->sum / n;
    if (g->cells < 3 || g->cells < 0.03 * n || g->cells > 0.85 * n || !(mean > 0)) return 0;
    return g->square / n - mean * mean;
}

static ql_status scores(const report_data *d, double *score, ql_err *err)
{
    const ql_csr *m = &d->ds.counts;
    const double depth = typical_depth(d);
    gene_sums *sums;
    QL_TRY(QL_NEW(sums, m->n_cols, "figures of genes", err));
    for (int64_t i = 0; i < m->n_rows; i++)
        for (int64_t k = m->indptr[i]; k < m->indptr[i + 1]; k++) {
            const double x = levelled(d, depth, i, k);
            gene_sums *g = &sums[m->indices[k]];
            g->sum += x;
            g->square += x * x;
            g->cells++;
        }
    for (int64_t g = 0; g < m->n_cols; g++) score[g] = variability(&sums[g], (double)m->n_rows);
    ql_free(sums);
    return QL_OK;
}

/* The best genes, best first. */
static int best_genes(const report_data *d, double *score, int64_t *best)
{
    const ql_column *only = ql_frame_column(&d->ds.genes, "quell_denoised");
    const uint8_t *denoised = only && only->type == QL_COL_BOOL ? only->values : NULL;
    int n = 0;
    for (; n < CANDIDATES; n++) {
        int64_t top = -1;
        for (int64_t g = 0; g < d->ds.counts.n_cols; g++)
            if (score[g] > 0 && (!denoised || denoised[g]) && (top < 0 || score[g] > score[top]))
                top = g;
        if (top < 0) break;
        score[top] = 0;
        best[n] = top;
    }
    return n;
}

/* x[candidates][cells looked at] = log counts, each centred and of length 1. */
static void log_counts(const report_data *d, const int *slot, int n, int64_t cells, double *x)
{
    const ql_csr *m = &d->ds.counts;
    const double depth = typical_depth(d);
    for (int64_t c = 0; c < cells; c++) {
        const int64_t i = c * m->n_rows / cells;
        for (int64_t k = m->indptr[i]; k < m->indptr[i + 1]; k++)
            if (slot[m->indices[k]])
                x[(slot[m->indices[k]] - 1) * cells + c] = levelled(d, depth, i, k);
    }
    for (int g = 0; g < n; g++) {
        double *v = x + g * cells, mean = 0, length = 0;
        for (int64_t c = 0; c < cells; c++) mean += v[c] / (double)cells;
        for (int64_t c = 0; c < cells; c++) length += (v[c] - mean) * (v[c] - mean);
        for (int64_t c = 0; c < cells; c++) v[c] = length > 0 ? (v[c] - mean) / sqrt(length) : 0;
    }
}

static double correlation(const double *a, const double *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* First those unlike the ones before, then, where there are too few, the others. */
static void take_unlike(report_data *d, const int64_t *best, int n, const double *x, int64_t cells)
{
    const double alike = 0.35;
    int taken[SHOWN], m = 0;
    bool used[CANDIDATES] = {false};
    for (int round = 0; round < 2; round++)
        for (int g = 0; g < n && m < SHOWN; g++) {
            bool take = !used[g];
            for (int k = 0; round == 0 && take && k < m; k++)
                take = correlation(x + g * cells, x + taken[k] * cells, cells) < alike;
            if (!take) continue;
            used[g] = true;
            d->gene[m] = best[g];
            taken[m++] = g;
        }
    d->n_genes = m;
}

static ql_status choose(report_data *d, ql_err *err)
{
    const ql_csr *m = &d->ds.counts;
    const int64_t cells = m->n_rows < LOOKED_AT ? m->n_rows : LOOKED_AT;
    double *score = NULL, *x = NULL;
    int *slot = NULL;
    int64_t best[CANDIDATES];
    ql_status st;
    QL_GO(QL_NEW(score, m->n_cols, "figures of genes", err));
    QL_GO(scores(d, score, err));
    const int n = best_genes(d, score, best);
    if (n == 0) goto out;
    QL_GO(QL_NEW(slot, m->n_cols, "candidates", err));
    QL_GO(QL_NEW(x, n * cells, "candidates", err));
    for (int g = 0; g < n; g++) slot[best[g]] = g + 1;
    log_counts(d, slot, n, cells, x);
    take_unlike(d, best, n, x, cells);
out:
    ql_free(score);
    ql_free(slot);
    ql_free(x);
    return st;
}

static ql_status take_named(const char *named, report_data *d, ql_name_index *index, ql_err *err)
{
    ql_str name = {0};
    ql_status st = QL_OK;
    for (const char *at = named; st == QL_OK && *at;) {
        const size_t len = strcspn(at, ",");
        ql_str_clear(&name);
        ql_str_bytes(&name, at, len);
        at += len + (at[len] == ',');
        if (len == 0) continue;
        const int64_t gene = ql_name_index_find(index, ql_str_text(&name));
        if (gene < 0)
            st = ql_fail(err, QL_EUSAGE, "--genes: there is no gene '%s'", ql_str_text(&name));
        else if (d->n_genes == REPORT_GENES)
            st = ql_fail(err, QL_EUSAGE, "--genes: at most %d genes", REPORT_GENES);
        else
            d->gene[d->n_genes++] = gene;
    }
    ql_str_free(&name);
    return st;
}

ql_status report_choose_genes(const char *named, report_data *d, ql_err *err)
{
    ql_name_index *index = NULL;
    if (!named) return choose(d, err);
    QL_TRY(ql_name_index_new(&d->ds.genes.index, &index, err));
    ql_status st = take_named(named, d, index, err);
    ql_name_index_free(index);
    return st;
}
