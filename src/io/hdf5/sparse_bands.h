/* The entries of compressed rows (or columns) of an HDF5 file, a band of them at a time. Private to
 * src/io. */
#ifndef QUELL_IO_SPARSE_BANDS_H
#define QUELL_IO_SPARSE_BANDS_H

#include "../counts/band_sink.h"
#include "matrix_h5.h"

typedef struct {
    ql_sparse_h5 from;
    int64_t *indptr;  /* [n + 1], checked; owned */
    int64_t n, limit; /* rows; indices are below limit */
    const char *what; /* what indices count, for messages ("genes"); borrowed */
    int threads;
    unsigned char *raw; /* [cap] of 8 bytes at most; owned */
    int64_t cap;
} ql_sparse_bands;

/* Open the three arrays in group. Close whether or not that succeeded. */
QL_MUST_USE ql_status ql_sparse_bands_open(ql_sparse_bands *b, hid_t file, const char *group,
                                           int64_t n, int64_t limit, const char *what, int threads,
                                           ql_err *err);
void ql_sparse_bands_close(ql_sparse_bands *b);

/* Entries [first, first + n). QL_EDATA: an index that is none, or the file is damaged. */
QL_MUST_USE ql_status ql_sparse_bands_read(ql_sparse_bands *b, int64_t first, int64_t n,
                                           int32_t *index, float *value, ql_err *err);

#endif
