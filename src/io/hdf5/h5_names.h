/* Names of cells or genes from HDF5, in any of the forms they are stored in. Private to src/io. */
#ifndef QUELL_IO_H5_NAMES_H
#define QUELL_IO_H5_NAMES_H

#include "h5_read.h"

/* The strings at path into out (zero-initialised): a dataset (a list, or n x 1) of variable- or
 * fixed-length strings or of integers, or a group of encoding nullable-string-array or categorical.
 * Missing values become empty strings. */
QL_MUST_USE ql_status ql_h5r_names(hid_t file, const char *path, ql_names *out, ql_err *err);

/* The strings of an open list. type: their string type in the file; mem: that type again, or a
 * compound of one member of it when a is a list of compounds. */
QL_MUST_USE ql_status ql_h5r_strings(const ql_h5r_array *a, hid_t type, hid_t mem, ql_names *out,
                                     ql_err *err);

/* One value repeated, for members stored as a scalar: n copies when the dataset has one element and
 * n is another number. */
QL_MUST_USE ql_status ql_h5r_names_of(hid_t file, const char *path, int64_t n, ql_names *out,
                                      ql_err *err);

/* How many names are at path, without reading them. */
QL_MUST_USE ql_status ql_h5r_names_count(hid_t file, const char *path, int64_t *n, ql_err *err);

#endif
