/* Annotation columns from HDF5, in every form that h5ad and loom files store them. Private to
 * src/io. */
#ifndef QUELL_IO_H5_COLUMNS_H
#define QUELL_IO_H5_COLUMNS_H

#include "h5_read.h"
#include "quell/notes.h"

/* Values of a column that has no name yet. Zero-initialise; release with ql_values_free. */
typedef struct {
    ql_col_type type;
    int64_t n;
    ql_names strings; /* QL_COL_STRING */
    void *values;     /* else, as in ql_column; owned */
} ql_values;

void ql_values_free(ql_values *v);

/* The column at path: a list (or n x 1) of strings or numbers, or a group of encoding categorical
 * or nullable. Missing values are "" among strings; among numbers they make it float64 with NaN. */
ql_status ql_h5r_values(hid_t file, const char *path, ql_values *out, ql_err *err);

/* Member number `member` of an open list of compounds. */
ql_status ql_h5r_member_values(const ql_h5r_array *a, unsigned member, ql_values *out, ql_err *err);

/* Replace codes (integers; -1: missing) by the categories they stand for. Fails with QL_EDATA when
 * one is out of range; where names the column. */
ql_status ql_values_decode(ql_values *codes, const ql_values *categories, const char *where,
                           ql_err *err);

/* Add v to a frame as column `name`; a column of another length than the frame's index is left out
 * with a warning that names `where`. */
ql_status ql_values_add(ql_frame *frame, const char *name, const ql_values *v, const char *where,
                        ql_notes *notes, ql_err *err);

/* A column could not be read: out of memory is a failure, anything else a warning. */
ql_status ql_column_left_out(const char *where, ql_status st, const ql_err *why, ql_notes *notes,
                             ql_err *err);

#endif
