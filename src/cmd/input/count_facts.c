/* Figures of a count matrix, and a guess at what values that are no counts may be. */
#include "count_facts.h"

#include <math.h>
#include <stdlib.h>

#include "quell/alloc.h"
#include "quell/order.h"

/* Sorts values. */
static double median(double *values, int64_t n)
{
    if (n == 0) return 0;
    qsort(values, (size_t)n, sizeof *values, ql_by_value);
    return 0.5 * (values[(n - 1) / 2] + values[n / 2]);
}

static void entry_facts(const ql_csr *m, ql_count_facts *f)
{
    int64_t nnz = ql_csr_nnz(m);
    double all = (double)m->n_rows * (double)m->n_cols;
    bool has_zero = (double)nnz < all;
    f->largest = has_zero ? 0 : -INFINITY;
    f->smallest = has_zero ? 0 : INFINITY;
    for (int64_t i = 0; i < nnz; i++) {
        f->largest = fmax(f->largest, (double)m->data[i]);
        f->smallest = fmin(f->smallest, (double)m->data[i]);
    }
    f->nonzeros = nnz;
    f->density = all > 0 ? (double)nnz / all : 0;
}

static void cell_facts(const ql_csr *m, double *sums, double *n_genes, ql_count_facts *f)
{
    ql_csr_sums(m, sums, NULL);
    for (int64_t i = 0; i < m->n_rows; i++) {
        int64_t n = m->indptr[i + 1] - m->indptr[i];
        n_genes[i] = (double)n;
        f->empty_cells += n == 0;
        f->total += sums[i];
    }
    f->cell_median = median(sums, m->n_rows);
    f->cell_min = m->n_rows ? sums[0] : 0;
    f->cell_max = m->n_rows ? sums[m->n_rows - 1] : 0;
    f->genes_median = median(n_genes, m->n_rows);
}

static void gene_facts(const ql_csr *m, uint8_t *seen, ql_count_facts *f)
{
    for (int64_t i = 0; i < ql_csr_nnz(m); i++) seen[m->indices[i]] = 1;
    for (int64_t j = 0; j < m->n_cols; j++) f->empty_genes += !seen[j];
}

/* The sum that all cells share after `map`, or 0 if they share none. */
static double common_sum(const ql_csr *m, double (*map)(double))
{
    double low = INFINITY, high = 0;
    for (int64_t i = 0; i < m->n_rows; i++) {
        double sum = 0;
        for (int64_t k = m->indptr[i]; k < m->indptr[i + 1]; k++) sum += map((double)m->data[k]);
        if (sum <= 0) continue;
        low = fmin(low, sum);
        high = fmax(high, sum);
    }
    return high > 0 && high - low <= 1e-3 * high ? round(0.5 * (low + high)) : 0;
}

static double same(double x)
{
    return x;
}

static void guess_kind(const ql_dataset *ds, ql_count_facts *f)
{
    const ql_csr *m = &ds->counts;
    if (ds->is_counts) {
        f->kind = "counts: whole numbers, none below zero";
    } else if (f->smallest < 0) {
        f->kind = "no counts: entries below zero, as after scaling or centring";
    } else if ((f->per_cell = common_sum(m, same)) > 0) {
        f->kind = "no counts: every cell has the same sum";
    } else if (f->largest < 30 && (f->per_cell = common_sum(m, expm1)) > 0) {
        f->kind = "no counts: log1p of values with the same sum in every cell";
    } else {
        f->kind =
            f->largest < 30 ? "no counts: fractions, perhaps logarithms" : "no counts: fractions";
    }
}

ql_status ql_count_facts_make(const ql_dataset *ds, ql_count_facts *out, ql_err *err)
{
    const ql_csr *m = &ds->counts;
    ql_count_facts f = {.cells = m->n_rows, .genes = m->n_cols};
    double *sums = NULL, *n_genes = NULL;
    uint8_t *seen = NULL;
    ql_status st = QL_OK;
    QL_GO(QL_NEW(sums, m->n_rows, "cell sums", err));
    QL_GO(QL_NEW(n_genes, m->n_rows, "genes per cell", err));
    QL_GO(QL_NEW(seen, m->n_cols, "gene flags", err));
    entry_facts(m, &f);
    cell_facts(m, sums, n_genes, &f);
    gene_facts(m, seen, &f);
    guess_kind(ds, &f);
    *out = f;
out:
    ql_free(sums);
    ql_free(n_genes);
    ql_free(seen);
    return st;
}
