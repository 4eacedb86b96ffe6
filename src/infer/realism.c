#include "quell/realism.h"

#include <math.h>
#include <stdlib.h>

#include "quell/alloc.h"
#include "quell/differential.h"
#include "quell/fmath.h"
#include "quell/latent_arithmetic.h"
#include "quell/order.h"
#include "quell/quantile.h"

#define LEAST_MEAN 0.01 /* molecules a cell of genes whose variance is looked at */

static void put(ql_realism *out, const char *name, const char *unit, double real, double sampled,
                double agreement, const char *measure)
{
    if (out->n < QL_REALISM_MOST)
        out->row[out->n++] = (ql_realism_row){name, unit, real, sampled, agreement, measure};
}

double ql_ks_distance(double *a, int64_t n_a, double *b, int64_t n_b)
{
    double most = 0;
    qsort(a, (size_t)n_a, sizeof *a, ql_by_value);
    qsort(b, (size_t)n_b, sizeof *b, ql_by_value);
    for (int64_t i = 0, k = 0; i < n_a || k < n_b;) {
        const double x = k >= n_b || (i < n_a && a[i] <= b[k]) ? a[i] : b[k];
        while (i < n_a && a[i] == x) i++;
        while (k < n_b && b[k] == x) k++;
        const double d = fabs((double)i / (double)n_a - (double)k / (double)n_b);
        if (d > most) most = d;
    }
    return most;
}

/* ---- of cells ---- */

typedef struct {
    const char *name, *low, *median, *high, *spread, *unit;
} cell_figure;

static const cell_figure library = {"library_mean",  "library_5pct", "library_median",
                                    "library_95pct", "library_sd",   "molecules"};
static const cell_figure detected = {"detected_mean",  "detected_5pct", "detected_median",
                                     "detected_95pct", "detected_sd",   "genes"};

static void cell_rows(const cell_figure *f, double *a, int64_t n_a, double *b, int64_t n_b,
                      ql_realism *out)
{
    double *const v[2] = {a, b};
    const int64_t n[2] = {n_a, n_b};
    double mean[2] = {0, 0}, sd[2] = {0, 0};
    for (int k = 0; k < 2; k++) {
        for (int64_t i = 0; i < n[k]; i++) mean[k] += v[k][i] / (double)n[k];
        for (int64_t i = 0; i < n[k]; i++)
            sd[k] += (v[k][i] - mean[k]) * (v[k][i] - mean[k]) / (double)n[k];
        sd[k] = sqrt(sd[k]);
    }
    const double ks = ql_ks_distance(a, n_a, b, n_b);
    put(out, f->name, f->unit, mean[0], mean[1], ks, "ks_distance");
    put(out, f->spread, f->unit, sd[0], sd[1], NAN, "");
    put(out, f->low, f->unit, ql_quantile(a, n_a, 0.05), ql_quantile(b, n_b, 0.05), NAN, "");
    put(out, f->median, f->unit, ql_quantile(a, n_a, 0.5), ql_quantile(b, n_b, 0.5), NAN, "");
    put(out, f->high, f->unit, ql_quantile(a, n_a, 0.95), ql_quantile(b, n_b, 0.95), NAN, "");
}

static ql_status check_cells(const ql_csr *real, const ql_csr *sampled, ql_realism *out,
                             ql_err *err)
{
    const ql_csr *const m[2] = {real, sampled};
    double *total[2] = {NULL, NULL}, *seen[2] = {NULL, NULL};
    ql_status st;
    for (int k = 0; k < 2; k++) {
        QL_GO(QL_NEW(total[k], m[k]->n_rows, "figures of cells", err));
        QL_GO(QL_NEW(seen[k], m[k]->n_rows, "figures of cells", err));
        ql_csr_sums(m[k], total[k], NULL);
        for (int64_t i = 0; i < m[k]->n_rows; i++)
            seen[k][i] = (double)(m[k]->indptr[i + 1] - m[k]->indptr[i]);
    }
    cell_rows(&library, total[0], real->n_rows, total[1], sampled->n_rows, out);
    cell_rows(&detected, seen[0], real->n_rows, seen[1], sampled->n_rows, out);
out:
    for (int k = 0; k < 2; k++) {
        ql_free(total[k]);
        ql_free(seen[k]);
    }
    return st;
}

/* ---- of genes ---- */

typedef struct {
    double *mean, *var, *zero; /* [genes] molecules a cell; share of cells without any */
} gene_figures;

static ql_status gene_figures_of(const ql_csr *m, gene_figures *f, ql_err *err)
{
    const double n = (double)m->n_rows;
    QL_TRY(QL_NEW(f->mean, m->n_cols, "figures of genes", err));
    QL_TRY(QL_NEW(f->var, m->n_cols, "figures of genes", err));
    QL_TRY(QL_NEW(f->zero, m->n_cols, "figures of genes", err));
    for (int64_t k = 0; k < ql_csr_nnz(m); k++) {
        const double x = (double)m->data[k];
        f->mean[m->indices[k]] += x;
        f->var[m->indices[k]] += x * x;
        f->zero[m->indices[k]] += 1;
    }
    for (int64_t g = 0; g < m->n_cols; g++) {
        f->mean[g] /= n;
        const double var = f->var[g] / n - f->mean[g] * f->mean[g];
        f->var[g] = var > 0 ? var : 0;
        f->zero[g] = 1 - f->zero[g] / n;
    }
    return QL_OK;
}

static void gene_figures_free(gene_figures *f)
{
    ql_free(f->mean);
    ql_free(f->var);
    ql_free(f->zero);
}

static double mean_of(const double *v, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += v[i];
    return sum / (double)n;
}

/* Genes that both have LEAST_MEAN of: the logarithms of their means and variances agree? */
static void mean_variance(const gene_figures *a, const gene_figures *b, int64_t n, int64_t *gene,
                          double *room, ql_realism *out)
{
    double *lx = room, *ly = room + n, *fano_a = room + 2 * n, *fano_b = room + 3 * n;
    int64_t used = 0;
    for (int64_t g = 0; g < n; g++)
        if (a->mean[g] >= LEAST_MEAN && b->mean[g] >= LEAST_MEAN && a->var[g] > 0 && b->var[g] > 0)
            gene[used++] = g;
    for (int which = 0; which < 2; which++) {
        for (int64_t k = 0; k < used; k++) {
            lx[k] = ql_log(which ? b->var[gene[k]] : b->mean[gene[k]]);
            ly[k] = ql_log(which ? a->var[gene[k]] : a->mean[gene[k]]);
        }
        const double r2 = used > 1 ? ql_agree(lx, ly, NULL, used).r2 : NAN;
        put(out, which ? "gene_log_variance" : "gene_log_mean", "ln, genes of 0.01 a cell or more",
            mean_of(ly, used), mean_of(lx, used), r2, "r2");
    }
    for (int64_t k = 0; k < used; k++) {
        fano_a[k] = a->var[gene[k]] / a->mean[gene[k]];
        fano_b[k] = b->var[gene[k]] / b->mean[gene[k]];
    }
    if (used == 0) return;
    put(out, "variance_over_mean_median", "genes of 0.01 a cell or more",
        ql_quantile(fano_a, used, 0.5), ql_quantile(fano_b, used, 0.5), NAN, "");
}

static ql_status check_genes(const ql_csr *real, const ql_csr *sampled, ql_realism *out,
                             ql_err *err)
{
    const int64_t n = real->n_cols;
    gene_figures a = {0}, b = {0};
    int64_t *gene = NULL;
    double *room = NULL, apart = 0;
    ql_status st;
    QL_GO(gene_figures_of(real, &a, err));
    QL_GO(gene_figures_of(sampled, &b, err));
    QL_GO(QL_NEW(gene, n, "figures of genes", err));
    QL_GO(QL_NEW(room, 4 * n, "figures of genes", err));
    for (int64_t g = 0; g < n; g++) apart += fabs(a.zero[g] - b.zero[g]) / (double)n;
    put(out, "zero_fraction", "share of entries", mean_of(a.zero, n), mean_of(b.zero, n), apart,
        "mean_abs_difference_by_gene");
    put(out, "zero_fraction_by_gene", "share of cells", NAN, NAN,
        ql_agree(b.zero, a.zero, NULL, n).r2, "r2");
    mean_variance(&a, &b, n, gene, room, out);
out:
    gene_figures_free(&a);
    gene_figures_free(&b);
    ql_free(gene);
    ql_free(room);
    return st;
}

ql_status ql_realism_checks(const ql_csr *real, const ql_csr *sampled, ql_realism *out, ql_err *err)
{
    QL_TRY(check_cells(real, sampled, out, err));
    return check_genes(real, sampled, out, err);
}

/* ---- a classifier ---- */

/* Codes as rows of a sparse matrix, centred. */
static ql_status code_rows(const ql_realism_cells *c, ql_csr *x, ql_err *err)
{
    const int64_t n[2] = {c->real->n_rows, c->sampled->n_rows}, w = c->width;
    const float *const z[2] = {c->real_z, c->sampled_z};
    QL_TRY(ql_csr_alloc(x, n[0] + n[1], w, (n[0] + n[1]) * w, err));
    for (int64_t u = 0; u < w; u++) {
        double mean = 0;
        for (int k = 0; k < 2; k++)
            for (int64_t i = 0; i < n[k]; i++) mean += (double)z[k][i * w + u];
        mean /= (double)(n[0] + n[1]);
        for (int k = 0; k < 2; k++)
            for (int64_t i = 0; i < n[k]; i++) {
                const int64_t at = ((k ? n[0] : 0) + i) * w + u;
                x->data[at] = (float)((double)z[k][i * w + u] - mean);
                x->indices[at] = (int32_t)u;
            }
    }
    for (int64_t i = 0; i < n[0] + n[1]; i++) x->indptr[i + 1] = (i + 1) * w;
    return QL_OK;
}

static ql_status count_rows(const ql_realism_cells *c, ql_csr *x, ql_err *err)
{
    const ql_csr *const m[2] = {c->real, c->sampled};
    int64_t at = 0, row = 0;
    QL_TRY(ql_csr_alloc(x, m[0]->n_rows + m[1]->n_rows, m[0]->n_cols,
                        ql_csr_nnz(m[0]) + ql_csr_nnz(m[1]), err));
    for (int k = 0; k < 2; k++) {
        for (int64_t e = 0; e < ql_csr_nnz(m[k]); e++, at++) {
            x->indices[at] = m[k]->indices[e];
            x->data[at] = (float)ql_log(1 + (double)m[k]->data[e]);
        }
        const int64_t base = x->indptr[row];
        for (int64_t i = 0; i < m[k]->n_rows; i++) x->indptr[++row] = base + m[k]->indptr[i + 1];
    }
    return QL_OK;
}

ql_status ql_realism_classify(const ql_realism_cells *c, const ql_folds *how, ql_realism *out,
                              ql_err *err)
{
    static const char *const names[] = {"auroc_latent", "auroc_log_counts"};
    const int64_t n = c->real->n_rows, m = c->sampled->n_rows;
    int64_t *group = NULL;
    uint8_t *kind = NULL;
    ql_csr x = {0};
    ql_status st;
    QL_GO(QL_NEW(group, n + m, "folds", err));
    QL_GO(QL_NEW(kind, n + m, "folds", err));
    for (int64_t i = 0; i < n + m; i++) {
        group[i] = i < n ? i : i - n;
        kind[i] = i >= n;
    }
    for (int k = 0; k < 2; k++) {
        ql_auroc a;
        QL_GO(k ? count_rows(c, &x, err) : code_rows(c, &x, err));
        QL_GO(ql_auroc_across(&x, kind, group, n > m ? n : m, how, &a, err));
        ql_csr_free(&x);
        put(out, names[k], "0.5: no difference", NAN, NAN, a.auroc, "auroc");
        put(out, k ? "auroc_log_counts_se" : "auroc_latent_se", "standard error", NAN, NAN, a.se,
            "se");
    }
out:
    ql_csr_free(&x);
    ql_free(group);
    ql_free(kind);
    return st;
}
