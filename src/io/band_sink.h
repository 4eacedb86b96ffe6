/* Where the bands of a matrix go that is not to be held whole: each is brought to the form that a
 * matrix in memory has (sorted, duplicates summed, zeros dropped, chosen columns), looked at as
 * counts, and packed into a store. Private to src/io. */
#ifndef QUELL_IO_BAND_SINK_H
#define QUELL_IO_BAND_SINK_H

#include <hdf5.h>

#include "count_check.h"
#include "quell/reader.h"

struct ql_band_sink {
    const char *folder; /* of the store; borrowed */
    int64_t near_bytes; /* as in ql_store_finish */
    bool fractions;     /* entries that are not whole do not end the reading */
    int threads;
    const ql_names *cells; /* for messages; borrowed */
    const ql_names *genes; /* of the kept columns; borrowed */
    /* How each band is changed before columns are chosen: fold makes columns of those of the file,
     * n_folded of them, and leaves rows in any state. NULL: not at all. */
    void (*fold)(ql_csr *m, const void *how);
    const void *fold_how; /* borrowed */
    int64_t n_folded;
    const uint8_t *keep; /* [n_cols] columns to keep, after folding; NULL: all; borrowed */

    ql_row_store *store; /* owned until ql_sink_end */
    int64_t n_rows, n_cols;
    int64_t n_done; /* rows */
    int64_t n_duplicates;
    ql_count_check check; /* of all so far; its entry numbers are of no matrix */
    ql_str why;    /* what the first entry is that is no count, and what its band looks like */
    int64_t n_few; /* cells with fewer counts than `few` */
    double few;
    bool stop; /* no counts: what is left need not be read */
};

/* Begin a matrix of n_rows (or QL_ROWS_UNKNOWN: as many as will be added) x n_cols (as stored:
 * before columns are chosen); one begun earlier is forgotten. */
QL_MUST_USE ql_status ql_sink_begin(ql_band_sink *s, int64_t n_rows, int64_t n_cols, ql_err *err);

/* The next rows, in any state but with columns in range; m is changed. */
QL_MUST_USE ql_status ql_sink_add(ql_band_sink *s, ql_csr *m, ql_err *err);

/* All rows are there (or s->stop): ds->store is the store, ds->counts the shape. */
QL_MUST_USE ql_status ql_sink_end(ql_band_sink *s, ql_dataset *ds, ql_err *err);

void ql_sink_free(ql_band_sink *s);

/* Stream the h5ad matrix at path, n_rows x n_cols: csr, csc or dense. */
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

/* The dense part, in dense_stream_h5.c; n_rows, n_cols: of the result. */
QL_MUST_USE ql_status ql_matrix_h5_stream_dense(hid_t file, const char *path, int64_t n_rows,
                                                int64_t n_cols, ql_band_sink *s, ql_err *err);
QL_MUST_USE ql_status ql_matrix_h5_stream_dense_turned(hid_t file, const char *path, int64_t n_rows,
                                                       int64_t n_cols, ql_band_sink *s,
                                                       ql_err *err);

/* Bytes that the latter holds at most. */
int64_t ql_matrix_h5_dense_turned_held(hid_t file, const char *path);

#endif
