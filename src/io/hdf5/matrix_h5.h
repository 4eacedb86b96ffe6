/* A count matrix of an HDF5 file as cells x genes csr. Private to src/io. */
#ifndef QUELL_IO_MATRIX_H5_H
#define QUELL_IO_MATRIX_H5_H

#include "h5_read.h"
#include "quell/csr.h"

typedef enum { QL_LAYOUT_CSR, QL_LAYOUT_CSC, QL_LAYOUT_DENSE } ql_matrix_layout;

/* What is stored at a path, known without reading its values. */
typedef struct {
    ql_matrix_layout layout;
    int64_t n_rows, n_cols;
    int64_t nnz;      /* stored entries; n_rows * n_cols when dense */
    char type[16];    /* "float32", ... */
    char filters[64]; /* "gzip", "lzf", "shuffle, gzip", "" */
} ql_matrix_info;

const char *ql_matrix_layout_text(ql_matrix_layout layout);

/* Describe the h5ad matrix at path: a 2-D dataset or a sparse group of the old or current encoding.
 */
QL_MUST_USE ql_status ql_matrix_h5_info(hid_t file, const char *path, ql_matrix_info *info,
                                        ql_err *err);

/* Read the h5ad matrix at path that must be [n_rows, n_cols]; *m zero-initialised, filled on
 * success; n_duplicates (may be NULL) is the number of entries merged. */
QL_MUST_USE ql_status ql_matrix_h5_read(hid_t file, const char *path, int64_t n_rows,
                                        int64_t n_cols, int threads, ql_csr *m,
                                        int64_t *n_duplicates, ql_err *err);

/* The same; *count_max is the largest entry when it is known that all are counts, else 0. */
QL_MUST_USE ql_status ql_matrix_h5_read_seen(hid_t file, const char *path, int64_t n_rows,
                                             int64_t n_cols, int threads, ql_csr *m,
                                             int64_t *n_duplicates, float *count_max, ql_err *err);

/* Read the three arrays in group as rows of compressed entries: n_rows from indptr, indices in
 * [0, n_cols) counting `cols` ("genes"). What is stored is kept: rows may be unsorted. */
QL_MUST_USE ql_status ql_matrix_h5_arrays(hid_t file, const char *group, int64_t n_rows,
                                          int64_t n_cols, const char *cols, int threads, ql_csr *m,
                                          ql_err *err);

/* The same with the rows put in order, as ql_matrix_h5_read_seen hands them over. */
QL_MUST_USE ql_status ql_matrix_h5_rows(hid_t file, const char *group, int64_t n_rows,
                                        int64_t n_cols, const char *cols, int threads, ql_csr *m,
                                        int64_t *n_duplicates, float *count_max, ql_err *err);

/* The arrays of compressed rows, open: checked types, as many indices as values, a pointer more
 * than n_rows. Close whether or not the open succeeded. */
typedef struct {
    ql_h5r_array data, indices, indptr;
} ql_sparse_h5;

QL_MUST_USE ql_status ql_sparse_h5_open(hid_t file, const char *group, int64_t n_rows,
                                        ql_sparse_h5 *s, ql_err *err);
void ql_sparse_h5_close(ql_sparse_h5 *s);

/* Bytes of a chunk of a 1-D dataset, 0 when it is not chunked. */
int64_t ql_h5_chunk_bytes(const ql_h5r_array *a);

/* Are the pointers p, read from a, sound for n_stored values? */
QL_MUST_USE ql_status ql_sparse_h5_check(const ql_h5r_array *a, const int64_t *p, int64_t n_stored,
                                         ql_err *err);

/* Bytes of HDF5's cache while the dense matrix at path is read whole; of all that is held while it
 * is read in bands. 0 when it is none. */
int64_t ql_matrix_h5_dense_cache(hid_t file, const char *path);
int64_t ql_matrix_h5_dense_bands_held(hid_t file, const char *path);

/* The dense part, in matrix_h5_dense.c. */
QL_MUST_USE ql_status ql_matrix_h5_dense(hid_t file, const char *path, int threads, ql_csr *m,
                                         ql_err *err);

/* Takes rows of a dense matrix, which are the file's from first_row on, and may change them. *stop:
 * no more are wanted. */
typedef ql_status ql_dense_taker(void *ctx, ql_csr *rows, int64_t first_row, bool *stop,
                                 ql_err *err);

/* The dense matrix at path in bands of rows. */
QL_MUST_USE ql_status ql_matrix_h5_dense_bands(hid_t file, const char *path, int threads,
                                               ql_dense_taker *take, void *ctx, ql_err *err);

#endif
