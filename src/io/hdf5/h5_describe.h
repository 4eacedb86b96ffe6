/* Matrices of an HDF5 file in words, for `quell info`. Private to src/io. */
#ifndef QUELL_IO_H5_DESCRIBE_H
#define QUELL_IO_H5_DESCRIBE_H

#include <hdf5.h>

#include "quell/frame.h"
#include "quell/strbuf.h"

/* One line on the matrix at path: type, layout, size, filters; nothing where there is none. The
 * words for rows and columns may be "". */
void ql_h5_describe_matrix(hid_t file, const char *path, const char *rows, const char *cols,
                           ql_str *out);

/* The same of each matrix in the group layers. */
void ql_h5_describe_layers(hid_t file, const char *rows, const char *cols, ql_str *out);

/* Names of a group's members, at most max, and how many there are; out, the text that they are
 * for, fails where there is no memory for them. */
int64_t ql_h5_describe_list(hid_t file, const char *group, int64_t max, ql_names *names,
                            ql_str *out);

#endif
