#include "quell/scdha_dispersion.h"

#include <math.h>
#include <stdlib.h>

#include "quell/alloc.h"
#include "quell/fmath.h"
#include "quell/order.h"
#include "quell/quantile.h"

enum { BINS = 20 };

/* ---- depths ---- */

/* What each cell is divided by: its total over the median of those above 0. */
static ql_status find_depths(const ql_rows *rows, double *depth, ql_err *err)
{
    ql_row_cursor c;
    double *sorted;
    int64_t n = 0;
    QL_TRY(QL_NEW(sorted, rows->n_rows, "totals of the cells", err));
    ql_status st = ql_cursor_open(&c, rows, err);
    for (int64_t i = 0; st == QL_OK && i < rows->n_rows; i++) {
        const ql_row_view v = ql_cursor_row(&c, i);
        for (int64_t k = 0; k < v.n; k++) depth[i] += (double)v.count[k];
        if (depth[i] > 0) sorted[n++] = depth[i];
    }
    ql_cursor_close(&c);
    if (st == QL_OK) st = ql_rows_check(rows, err);
    qsort(sorted, (size_t)n, sizeof *sorted, ql_by_value);
    const double median = n > 0 ? ql_quantile_sorted(sorted, n, 0.5) : 1;
    for (int64_t i = 0; i < rows->n_rows; i++) depth[i] = depth[i] > 0 ? depth[i] / median : 1;
    ql_free(sorted);
    return st;
}

/* ---- means and dispersions ---- */

typedef struct {
    int64_t n;
    double *mean, *dispersion; /* [n]: first sums and sums of squares, then ln(1 + mean) and
                                  ln(variance / mean), NaN without variance */
    double *depth;             /* [rows] */
} gene_facts;

static ql_status add_up(const ql_scdha_scale *s, const ql_rows *rows, gene_facts *f, ql_err *err)
{
    ql_row_cursor c;
    QL_TRY(ql_cursor_open(&c, rows, err));
    for (int64_t i = 0; i < rows->n_rows; i++) {
        const ql_row_view v = ql_cursor_row(&c, i);
        for (int64_t k = 0; k < v.n; k++) {
            const int32_t g = s->place[v.gene[k]];
            const double x = (double)v.count[k] / f->depth[i];
            if (g < 0) continue;
            f->mean[g] += x;
            f->dispersion[g] += x * x;
        }
    }
    ql_cursor_close(&c);
    return ql_rows_check(rows, err);
}

static void finish(gene_facts *f, int64_t n_cells)
{
    const double n = (double)n_cells;
    for (int64_t g = 0; g < f->n; g++) {
        const double mean = f->mean[g] / n;
        const double var = (f->dispersion[g] - n * mean * mean) / (n - 1);
        f->dispersion[g] = var > 0 && mean > 0 ? ql_log(var / mean) : NAN;
        f->mean[g] = ql_log(1 + fmax(mean, 0));
    }
}

/* ---- bins of genes with like means ---- */

typedef struct {
    double least, width; /* of ln(1 + mean) */
    int64_t n[BINS];
    double mean[BINS], sd[BINS]; /* of ln(variance / mean) */
} bins;

static int bin_of(const bins *b, double mean)
{
    const double at = b->width > 0 ? ceil((mean - b->least) / b->width) - 1 : 0;
    return at < 0 ? 0 : at >= BINS ? BINS - 1 : (int)at;
}

static void fill_bins(const gene_facts *f, bins *b)
{
    double most = f->mean[0];
    *b = (bins){.least = f->mean[0]};
    for (int64_t g = 1; g < f->n; g++) {
        b->least = fmin(b->least, f->mean[g]);
        most = fmax(most, f->mean[g]);
    }
    b->width = (most - b->least) / BINS;
    for (int64_t g = 0; g < f->n; g++) {
        const int at = bin_of(b, f->mean[g]);
        if (isnan(f->dispersion[g])) continue;
        b->n[at]++;
        b->mean[at] += f->dispersion[g];
    }
    for (int i = 0; i < BINS; i++) b->mean[i] /= (double)(b->n[i] > 0 ? b->n[i] : 1);
    for (int64_t g = 0; g < f->n; g++) {
        const int at = bin_of(b, f->mean[g]);
        const double off = f->dispersion[g] - b->mean[at];
        if (!isnan(off)) b->sd[at] += off * off;
    }
    for (int i = 0; i < BINS; i++)
        b->sd[i] = b->n[i] > 1 ? sqrt(b->sd[i] / (double)(b->n[i] - 1)) : 0;
}

static void hold_against_bins(const gene_facts *f, double *score)
{
    bins b;
    double least = INFINITY;
    fill_bins(f, &b);
    for (int64_t g = 0; g < f->n; g++) {
        const int at = bin_of(&b, f->mean[g]);
        const double off = f->dispersion[g] - b.mean[at];
        score[g] = isnan(off) ? NAN : b.n[at] == 1 ? 1 : b.sd[at] > 0 ? off / b.sd[at] : 0;
        if (score[g] < least) least = score[g];
    }
    for (int64_t g = 0; g < f->n; g++)
        if (isnan(score[g])) score[g] = least < INFINITY ? least : 0;
}

ql_status ql_scdha_dispersion(const ql_scdha_scale *s, const ql_rows *rows, double *score,
                              ql_err *err)
{
    gene_facts f = {.n = s->n_kept};
    ql_status st;
    QL_GO(QL_NEW(f.mean, f.n, "dispersions of the genes", err));
    QL_GO(QL_NEW(f.dispersion, f.n, "dispersions of the genes", err));
    QL_GO(QL_NEW(f.depth, rows->n_rows, "totals of the cells", err));
    if (s->log)
        QL_GO(find_depths(rows, f.depth, err));
    else
        for (int64_t i = 0; i < rows->n_rows; i++) f.depth[i] = 1;
    QL_GO(add_up(s, rows, &f, err));
    finish(&f, rows->n_rows);
    hold_against_bins(&f, score);
out:
    ql_free(f.mean);
    ql_free(f.dispersion);
    ql_free(f.depth);
    return st;
}
