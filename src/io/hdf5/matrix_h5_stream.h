/* A count matrix of an HDF5 file to a sink, a band at a time. Private to src/io.
 *
 * n_rows, n_cols are those of the result, cells x genes. Errors as of the reading of it whole
 * (matrix_h5.h), those of the sink, and an interrupt. */
#ifndef QUELL_IO_MATRIX_H5_STREAM_H
#define QUELL_IO_MATRIX_H5_STREAM_H

#include "../counts/band_sink.h"
#include "matrix_h5.h"

/* The h5ad matrix at path: csr, csc or dense. Its end is ds, whose names messages use. */
QL_MUST_USE ql_status ql_matrix_h5_stream(hid_t file, const char *path, int64_t n_rows,
                                          int64_t n_cols, ql_band_sink *s, ql_dataset *ds,
                                          ql_err *err);

/* The same of the three arrays in a group, as ql_matrix_h5_arrays. */
QL_MUST_USE ql_status ql_matrix_h5_stream_arrays(hid_t file, const char *group, int64_t n_rows,
                                                 int64_t n_cols, const char *cols, ql_band_sink *s,
                                                 ql_err *err);

/* The same of a matrix that the file has as genes x cells. */
QL_MUST_USE ql_status ql_matrix_h5_stream_turned(hid_t file, const char *path, int64_t n_rows,
                                                 int64_t n_cols, ql_band_sink *s, ql_dataset *ds,
                                                 ql_err *err);

/* The dense part, in matrix_h5_stream_dense.c. */
QL_MUST_USE ql_status ql_matrix_h5_stream_dense(hid_t file, const char *path, int64_t n_rows,
                                                int64_t n_cols, ql_band_sink *s, ql_err *err);
QL_MUST_USE ql_status ql_matrix_h5_stream_dense_turned(hid_t file, const char *path, int64_t n_rows,
                                                       int64_t n_cols, ql_band_sink *s,
                                                       ql_err *err);

/* Bytes that the latter holds at most. */
int64_t ql_matrix_h5_stream_dense_turned_held(hid_t file, const char *path);

#endif
