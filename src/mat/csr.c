/* Compressed sparse rows: making, cutting, summing. */
#include "quell/csr.h"

#include <string.h>

#include "quell/alloc.h"
#include "quell/order.h"

static ql_status check_shape(int64_t n_rows, int64_t n_cols, int64_t nnz, ql_err *err)
{
    if (n_rows >= 0 && n_rows < INT64_MAX && n_cols >= 0 && n_cols <= INT32_MAX && nnz >= 0)
        return QL_OK;
    return ql_fail(err, QL_EDATA, "a matrix of %lld x %lld with %lld entries is out of range",
                   (long long)n_rows, (long long)n_cols, (long long)nnz);
}

ql_status ql_csr_alloc(ql_csr *m, int64_t n_rows, int64_t n_cols, int64_t nnz, ql_err *err)
{
    ql_status st;

    *m = (ql_csr){0};
    QL_GO(check_shape(n_rows, n_cols, nnz, err));
    QL_GO(QL_NEW(m->indptr, n_rows + 1, "the row pointers of a matrix", err));
    QL_GO(QL_NEW(m->indices, nnz, "the column numbers of a matrix", err));
    QL_GO(QL_NEW(m->data, nnz, "the values of a matrix", err));
    m->n_rows = n_rows;
    m->n_cols = n_cols;
out:
    if (st != QL_OK) ql_csr_free(m);
    return st;
}

void ql_csr_free(ql_csr *m)
{
    if (!m) return;
    ql_free(m->indptr);
    ql_free(m->indices);
    ql_free(m->data);
    *m = (ql_csr){0};
}

int64_t ql_csr_max_row(const ql_csr *m)
{
    int64_t most = 0;
    for (int64_t i = 0; m->indptr && i < m->n_rows; i++) {
        int64_t n = m->indptr[i + 1] - m->indptr[i];
        if (n > most) most = n;
    }
    return most;
}

int64_t ql_csr_entry_from(const ql_csr *m, int64_t row, int64_t col)
{
    int64_t lo = m->indptr[row], hi = m->indptr[row + 1];
    while (lo < hi) {
        const int64_t mid = lo + (hi - lo) / 2;
        if (m->indices[mid] < col)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

int64_t ql_row_of_entry(const int64_t *indptr, int64_t n_rows, int64_t entry)
{
    return ql_first_from(indptr + 1, n_rows - 1, entry + 1);
}

/* map[j] = number of column j among the kept ones, or -1; returns how many are kept. */
static int64_t number_kept(const uint8_t *keep, int64_t n, int32_t *map)
{
    int64_t kept = 0;
    for (int64_t j = 0; j < n; j++) map[j] = !keep || keep[j] ? (int32_t)kept++ : -1;
    return kept;
}

static void count_kept(const ql_csr *m, const uint8_t *keep_row, const int32_t *map,
                       int64_t *n_rows, int64_t *nnz)
{
    *n_rows = *nnz = 0;
    for (int64_t i = 0; i < m->n_rows; i++) {
        if (keep_row && !keep_row[i]) continue;
        ++*n_rows;
        for (int64_t k = m->indptr[i]; k < m->indptr[i + 1]; k++) *nnz += map[m->indices[k]] >= 0;
    }
}

static void copy_kept(const ql_csr *m, const uint8_t *keep_row, const int32_t *map, ql_csr *out)
{
    int64_t row = 0, at = 0;
    for (int64_t i = 0; i < m->n_rows; i++) {
        if (keep_row && !keep_row[i]) continue;
        for (int64_t k = m->indptr[i]; k < m->indptr[i + 1]; k++) {
            int32_t col = map[m->indices[k]];
            if (col < 0) continue;
            out->indices[at] = col;
            out->data[at++] = m->data[k];
        }
        out->indptr[++row] = at;
    }
}

ql_status ql_csr_subset(const ql_csr *m, const uint8_t *keep_row, const uint8_t *keep_col,
                        ql_csr *out, ql_err *err)
{
    int32_t *map = NULL;
    int64_t n_rows, nnz;
    ql_status st;

    QL_GO(QL_NEW(map, m->n_cols, "the numbers of the kept columns", err));
    int64_t n_cols = number_kept(keep_col, m->n_cols, map);
    count_kept(m, keep_row, map, &n_rows, &nnz);
    QL_GO(ql_csr_alloc(out, n_rows, n_cols, nnz, err));
    copy_kept(m, keep_row, map, out);
out:
    ql_free(map);
    return st;
}

double ql_csr_keep_columns(ql_csr *m, const int32_t *map, int64_t n_cols)
{
    double lost = 0;
    int64_t kept = 0, first = 0;
    for (int64_t i = 0; i < m->n_rows; i++) {
        int64_t end = m->indptr[i + 1];
        for (int64_t k = first; k < end; k++) {
            int32_t column = map[m->indices[k]];
            if (column < 0) {
                lost += (double)m->data[k];
                continue;
            }
            m->indices[kept] = column;
            m->data[kept++] = m->data[k];
        }
        first = end;
        m->indptr[i + 1] = kept;
    }
    m->n_cols = n_cols;
    return lost;
}

double ql_csr_total(const ql_csr *m)
{
    double sum = 0;
    for (int64_t k = 0; k < ql_csr_nnz(m); k++) sum += (double)m->data[k];
    return sum;
}

void ql_csr_sums(const ql_csr *m, double *row_sum, double *col_sum)
{
    if (col_sum) memset(col_sum, 0, (size_t)m->n_cols * sizeof *col_sum);
    for (int64_t i = 0; i < m->n_rows; i++) {
        double sum = 0;
        for (int64_t k = m->indptr[i]; k < m->indptr[i + 1]; k++) {
            sum += (double)m->data[k];
            if (col_sum) col_sum[m->indices[k]] += (double)m->data[k];
        }
        if (row_sum) row_sum[i] = sum;
    }
}
