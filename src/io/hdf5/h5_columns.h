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
 * or nullable. Missing values are "" among strings and NaN among floats; integers with missing
 * values become float64 (QL_EDATA above 2^53), bools with missing values the strings "True",
 * "False" and "". n values are expected (-1: any number); with others QL_EDATA, before the memory
 * is taken. */
QL_MUST_USE ql_status ql_h5r_values(hid_t file, const char *path, int64_t n, ql_values *out,
                                    ql_err *err);

/* Member number `member` of an open list of compounds. */
QL_MUST_USE ql_status ql_h5r_member_values(const ql_h5r_array *a, unsigned member, ql_values *out,
                                           ql_err *err);

/* Replace codes (integers; -1: missing) by the categories they stand for. Fails with QL_EDATA when
 * one is out of range; where names the column. */
QL_MUST_USE ql_status ql_values_decode(ql_values *codes, const ql_values *categories,
                                       const char *where, ql_err *err);

/* Where columns go that cannot be taken: their paths to lost if there is one, else a warning each
 * to notes. */
typedef struct {
    ql_names *lost;
    ql_notes *notes;
} ql_left_out;

/* A column that was read with status st: v is added to the frame, or, when st (why says what) or
 * its length forbids it, left out. where: its path without the leading slash. Fails for want of
 * memory only. Releases v. */
QL_MUST_USE ql_status ql_column_take(ql_frame *frame, const char *name, const char *where,
                                     ql_status st, const ql_err *why, ql_values *v,
                                     const ql_left_out *left, ql_err *err);

/* Leave the column at `where` out. */
QL_MUST_USE ql_status ql_column_leave(const char *where, const char *why, const ql_left_out *left,
                                      ql_err *err);

#endif
