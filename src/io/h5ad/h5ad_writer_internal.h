/* The writer of an h5ad and what its parts share (h5ad_place.c). Private to src/io. */
#ifndef QUELL_IO_H5AD_WRITER_INTERNAL_H
#define QUELL_IO_H5AD_WRITER_INTERNAL_H

#include <hdf5.h>

#include "../file/out_file.h"
#include "../hdf5/chunk_writer.h"
#include "quell/h5ad_writer.h"

/* The matrix that is being written in bands. */
typedef struct {
    char *key; /* owned; NULL: none */
    const char *leaf;
    hid_t parent; /* where leaf is; for a sparse matrix, its own group */
    ql_chunk_writer *values;
    ql_chunk_writer *indices; /* sparse only */
    int32_t *columns;         /* sparse only: the indices of one band; owned */
    int64_t n_rows, n_stored; /* values per row */
    const int64_t *indptr;    /* [n_rows + 1] of a matrix with rows of any length; borrowed */
    float *wait_value;        /* [wait_most] of it, until they fill a band; owned */
    int32_t *wait_column;     /* likewise */
    int64_t n_wait, wait_most;
} band_matrix;

struct ql_h5ad_writer {
    ql_out_file out;
    hid_t file;
    ql_write_options opt;
    int64_t n_cells, n_genes;
    band_matrix m;
    ql_names journal;
    bool failed; /* what HDF5 reports afterwards cannot be trusted */
};

/* Put the output's name in front of a failure and remember that there was one. Returns st. */
QL_MUST_USE ql_status ql_h5ad_done(ql_h5ad_writer *w, ql_status st, ql_err *err);

/* Does a matrix of this shape belong at key? QL_EINTERNAL otherwise. */
QL_MUST_USE ql_status ql_h5ad_check_shape(const ql_h5ad_writer *w, const char *key, int64_t n_rows,
                                          int64_t n_cols, ql_err *err);

/* Open the groups on the way to key's last part, which is made free. *parent is closed by the
 * caller, *leaf points into key. */
QL_MUST_USE ql_status ql_h5ad_open_parent(ql_h5ad_writer *w, const char *key, hid_t *parent,
                                          const char **leaf, ql_err *err);

/* Make leaf free, which is `key` in messages: QL_ECREATE where it is taken and may not be replaced.
 */
QL_MUST_USE ql_status ql_h5ad_make_room(ql_h5ad_writer *w, hid_t parent, const char *leaf,
                                        const char *key, ql_err *err);

/* Close the parent of what was written with status st, and return that or the failure to close. */
QL_MUST_USE ql_status ql_h5ad_close_parent(hid_t parent, const char *key, ql_status st,
                                           ql_err *err);

/* Make a column of the frame `group` free, its name checked, and add it to order unless it is
 * there.
 */
QL_MUST_USE ql_status ql_h5ad_place_column(ql_h5ad_writer *w, hid_t group, const char *name,
                                           ql_names *order, ql_err *err);

/* Add a line to the journal. */
QL_MUST_USE ql_status ql_h5ad_note(ql_h5ad_writer *w, const char *what, const char *key,
                                   ql_err *err);

/* Give up the matrix in work, if there is one. */
void ql_h5ad_release_bands(band_matrix *m);

#endif
