/* Compressed sparse rows: the one in-memory form of a count matrix. */
#ifndef QUELL_CSR_H
#define QUELL_CSR_H

#include <stdint.h>

#include "quell/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* [n_rows, n_cols]; row i is entries indptr[i] .. indptr[i+1]-1. Invariant, established by the
 * readers: indptr[0] == 0 and non-decreasing, columns within a row strictly ascending and in
 * [0, n_cols), no stored zeros. All arrays owned; release with ql_csr_free. */
typedef struct {
    int64_t n_rows, n_cols;
    int64_t *indptr;  /* n_rows + 1 */
    int32_t *indices; /* nnz */
    float *data;      /* nnz */
} ql_csr;

static inline int64_t ql_csr_nnz(const ql_csr *m)
{
    return m->indptr ? m->indptr[m->n_rows] : 0;
}

/* Largest number of entries in a row. */
int64_t ql_csr_max_row(const ql_csr *m);

/* First entry of a row whose column is `col` or more; the row's end where there is none. */
int64_t ql_csr_entry_from(const ql_csr *m, int64_t row, int64_t col);

/* The last row that begins at or before an entry; indptr [n_rows + 1]. */
int64_t ql_row_of_entry(const int64_t *indptr, int64_t n_rows, int64_t entry);

/* Functions that return a status fail with QL_EMEMORY, or with QL_EDATA where a shape is out of
 * range (more than INT32_MAX columns). *out is all zero then; what was to be changed in place is
 * fit for ql_csr_free alone. */

/* Room for nnz entries, indptr all zero; whatever *m held is forgotten. */
QL_MUST_USE ql_status ql_csr_alloc(ql_csr *m, int64_t n_rows, int64_t n_cols, int64_t nnz,
                                   ql_err *err);
void ql_csr_free(ql_csr *m); /* NULL-safe; leaves *m zero */

/* out [n_cols, n_rows] = transpose of m, columns ascending within rows when m's rows are visited in
 * order (always). */
QL_MUST_USE ql_status ql_csr_transpose(const ql_csr *m, ql_csr *out, ql_err *err);

/* The same with several threads; the result does not depend on their number. */
QL_MUST_USE ql_status ql_csr_transpose_threads(const ql_csr *m, int threads, ql_csr *out,
                                               ql_err *err);

/* Establish the invariant in place: sort each row, sum duplicates, drop zeros. Indices must already
 * be in range. *n_duplicates (may be NULL) is the number of entries merged away. */
QL_MUST_USE ql_status ql_csr_normalise(ql_csr *m, int64_t *n_duplicates, ql_err *err);

/* The same; several threads look whether anything is to be done, which is rare. */
QL_MUST_USE ql_status ql_csr_normalise_threads(ql_csr *m, int threads, int64_t *n_duplicates,
                                               ql_err *err);

/* Keep the rows and columns whose flag is nonzero (NULL: all); out is a new matrix. */
QL_MUST_USE ql_status ql_csr_subset(const ql_csr *m, const uint8_t *keep_row,
                                    const uint8_t *keep_col, ql_csr *out, ql_err *err);

/* Renumber columns in place: column c becomes map[c], entries of columns with map[c] < 0 go. The
 * order of the rest must be kept by the map. Returns the sum of what went. */
double ql_csr_keep_columns(ql_csr *m, const int32_t *map, int64_t n_cols);

/* Sums in float64: of all entries; of rows and columns, row_sum [n_rows], col_sum [n_cols], of
 * which either may be NULL. */
double ql_csr_total(const ql_csr *m);
void ql_csr_sums(const ql_csr *m, double *row_sum, double *col_sum);

#ifdef __cplusplus
}
#endif
#endif
