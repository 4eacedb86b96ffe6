#include "quell/scdha_scale.h"

#include <inttypes.h>
#include <string.h>

#include "quell/alloc.h"

/* ---- what a matrix is ---- */

/* What one pass finds of each gene. */
typedef struct {
    uint8_t *used; /* has a value that is not 0 */
    int64_t *n;    /* values stored */
    float *lowest; /* of them */
    double *total;
} gene_facts;

static void gene_facts_free(gene_facts *f)
{
    ql_free(f->used);
    ql_free(f->n);
    ql_free(f->lowest);
    ql_free(f->total);
}

static ql_status gene_facts_new(gene_facts *f, int64_t n, ql_err *err)
{
    QL_TRY(QL_NEW(f->used, n, "genes", err));
    QL_TRY(QL_NEW(f->n, n, "genes", err));
    QL_TRY(QL_NEW(f->lowest, n, "genes", err));
    return QL_NEW(f->total, n, "genes", err);
}

static void see(ql_scdha_scale *s, gene_facts *f, int32_t gene, float value)
{
    if ((double)value > s->most) s->most = (double)value;
    if ((double)value < s->least) s->least = (double)value;
    if (value != 0) f->used[gene] = 1;
    if (f->n[gene]++ == 0 || value < f->lowest[gene]) f->lowest[gene] = value;
    f->total[gene] += (double)value;
}

static ql_status look(const ql_rows *rows, ql_scdha_scale *s, gene_facts *f, ql_err *err)
{
    ql_row_cursor c;
    bool zeros = rows->nnz < rows->n_rows * rows->n_cols, first = !zeros;
    QL_TRY(ql_cursor_open(&c, rows, err));
    for (int64_t i = 0; i < rows->n_rows; i++) {
        const ql_row_view v = ql_cursor_row(&c, i);
        if (first && v.n > 0) s->least = s->most = (double)v.count[0];
        if (v.n > 0) first = false;
        for (int64_t k = 0; k < v.n; k++) see(s, f, v.gene[k], v.count[k]);
    }
    ql_cursor_close(&c);
    return ql_rows_check(rows, err);
}

static ql_status number_genes(const ql_rows *rows, const gene_facts *f, ql_scdha_scale *s,
                              ql_err *err)
{
    QL_TRY(QL_NEW(s->place, s->n_genes, "genes", err));
    QL_TRY(QL_NEW(s->total, s->n_genes, "genes", err));
    if (s->log && s->negative) QL_TRY(QL_NEW(s->lowest, s->n_genes, "genes", err));
    for (int64_t g = 0; g < s->n_genes; g++) {
        s->place[g] = -1;
        if (!f->used[g]) continue;
        const int64_t at = s->n_kept++;
        s->place[g] = (int32_t)at;
        s->total[at] = f->total[g];
        if (!s->lowest) continue;
        const bool zero = f->n[g] < rows->n_rows; /* some are not stored */
        s->lowest[at] = zero && f->lowest[g] > 0 ? 0 : f->lowest[g];
    }
    if (s->n_kept > 0) return QL_OK;
    return ql_fail(err, QL_EDATA, "the matrix has no counts: all %" PRId64 " entries are zero",
                   rows->n_rows * rows->n_cols);
}

ql_status ql_scdha_scale_make(const ql_rows *rows, ql_scdha_scale *out, ql_err *err)
{
    gene_facts f = {0};
    ql_status st;
    *out = (ql_scdha_scale){.n_genes = rows->n_cols};
    QL_GO(gene_facts_new(&f, rows->n_cols, err));
    QL_GO(look(rows, out, &f, err));
    out->log = out->most - out->least > QL_SCDHA_LOG_RANGE;
    out->negative = out->least < 0;
    QL_GO(number_genes(rows, &f, out, err));
out:
    gene_facts_free(&f);
    if (st != QL_OK) ql_scdha_scale_free(out);
    return st;
}

ql_status ql_scdha_scale_of(int64_t n_genes, bool log, ql_scdha_scale *out, ql_err *err)
{
    *out = (ql_scdha_scale){.n_genes = n_genes, .n_kept = n_genes, .log = log};
    QL_TRY(QL_NEW(out->place, n_genes, "genes", err));
    for (int64_t g = 0; g < n_genes; g++) out->place[g] = (int32_t)g;
    return QL_OK;
}

void ql_scdha_scale_free(ql_scdha_scale *s)
{
    ql_free(s->place);
    ql_free(s->total);
    ql_free(s->lowest);
    *s = (ql_scdha_scale){0};
}

/* ---- one cell ---- */

ql_status ql_scdha_cell_new(const ql_scdha_scale *s, int64_t max_row, ql_scdha_cell *c, ql_err *err)
{
    const int64_t room = ql_pad(s->negative ? s->n_kept : max_row) + QL_PAD;
    *c = (ql_scdha_cell){0};
    QL_TRY(QL_NEW(c->gene, room, "a cell", err));
    return QL_NEW(c->value, room, "a cell", err);
}

void ql_scdha_cell_free(ql_scdha_cell *c)
{
    ql_free(c->gene);
    ql_free(c->value);
    *c = (ql_scdha_cell){0};
}

/* Stored entries only: the others are 0, and stay so. */
static void copy_sparse(const ql_scdha_scale *s, ql_row_view row, ql_scdha_cell *c)
{
    c->n = 0;
    for (int64_t k = 0; k < row.n; k++) {
        const int32_t at = s->place[row.gene[k]];
        if (at < 0) continue;
        c->gene[c->n] = at;
        c->value[c->n++] = (ql_real)row.count[k];
    }
}

/* Every kept gene: beside negative values a 0 is a value like others. */
static void copy_dense(const ql_scdha_scale *s, ql_row_view row, ql_scdha_cell *c)
{
    c->n = s->n_kept;
    for (int64_t g = 0; g < c->n; g++) {
        c->gene[g] = (int32_t)g;
        c->value[g] = 0;
    }
    for (int64_t k = 0; k < row.n; k++)
        if (s->place[row.gene[k]] >= 0) c->value[s->place[row.gene[k]]] = (ql_real)row.count[k];
    for (int64_t g = 0; s->lowest && g < c->n; g++) c->value[g] -= (ql_real)s->lowest[g];
}

/* (x - least) / (greatest - least), zeros left out. */
static void stretch(ql_scdha_cell *c, bool has_zeros)
{
    ql_real least = has_zeros ? 0 : c->value[0], most = least;
    int64_t n = 0;
    for (int64_t k = 0; k < c->n; k++) {
        if (c->value[k] < least) least = c->value[k];
        if (c->value[k] > most) most = c->value[k];
    }
    for (int64_t k = 0; k < c->n; k++) {
        if (!(c->value[k] > least)) continue;
        c->gene[n] = c->gene[k];
        c->value[n++] = (c->value[k] - least) / (most - least);
    }
    c->n = n;
}

/* The base of the logarithm has no effect on what is stretched. */
void ql_scdha_cell_make(const ql_scdha_scale *s, const ql_kern *kern, ql_row_view row,
                        ql_scdha_cell *c)
{
    (s->negative ? copy_dense : copy_sparse)(s, row, c);
    if (c->n == 0) return;
    for (int64_t k = c->n; k < ql_pad(c->n); k++) c->value[k] = 0;
    if (s->log) kern->log1p(ql_pad(c->n), c->value, c->value);
    stretch(c, c->n < s->n_kept);
}

/* ---- many ---- */

static ql_status count_entries(const ql_rows *rows, const int64_t *list, int64_t n, int64_t *nnz,
                               ql_err *err)
{
    ql_row_cursor c;
    QL_TRY(ql_cursor_open(&c, rows, err));
    *nnz = 0;
    for (int64_t i = 0; i < n; i++) *nnz += ql_cursor_row(&c, list[i]).n;
    ql_cursor_close(&c);
    return ql_rows_check(rows, err);
}

static void append(const ql_scdha_cell *c, const int32_t *column, int64_t row, ql_csr *m)
{
    int64_t at = m->indptr[row];
    for (int64_t k = 0; k < c->n; k++) {
        const int32_t col = column ? column[c->gene[k]] : c->gene[k];
        if (col < 0) continue;
        m->indices[at] = col;
        m->data[at++] = (float)c->value[k];
    }
    m->indptr[row + 1] = at;
}

ql_status ql_scdha_take(const ql_scdha_scale *s, const ql_kern *kern, const ql_rows *rows,
                        const int64_t *list, int64_t n, const int32_t *column, int64_t n_columns,
                        ql_csr *out, ql_err *err)
{
    int64_t nnz = n * s->n_kept;
    ql_scdha_cell cell = {0};
    ql_row_cursor c = {0};
    ql_status st = QL_OK;
    if (!s->negative) QL_GO(count_entries(rows, list, n, &nnz, err));
    QL_GO(ql_csr_alloc(out, n, n_columns, nnz, err));
    QL_GO(ql_scdha_cell_new(s, rows->max_row, &cell, err));
    QL_GO(ql_cursor_open(&c, rows, err));
    for (int64_t i = 0; i < n; i++) {
        ql_scdha_cell_make(s, kern, ql_cursor_row(&c, list[i]), &cell);
        append(&cell, column, i, out);
    }
    st = ql_rows_check(rows, err);
out:
    ql_cursor_close(&c);
    ql_scdha_cell_free(&cell);
    if (st != QL_OK) ql_csr_free(out);
    return st;
}
