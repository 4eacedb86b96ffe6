/* How large a matrix is, from what a file says of it, before its entries are read: the pieces that
 * formats make their measure() of. Private to src/io. */
#ifndef QUELL_IO_READ_SIZES_H
#define QUELL_IO_READ_SIZES_H

#include <hdf5.h>

#include "quell/reader.h"

/* What readers of text hold beside the result: blocks of the file in work. */
enum { QL_TEXT_BUFFERS = 72 << 20 };

/* From the sizes and what is special about a format to all of whole_bytes and band_bytes. twice:
 * the entries are there two times while they are read whole. */
void ql_sizes_finish(ql_read_sizes *z, bool twice);

/* The longest of the compressed rows in group, and how many entries they have together: max_row,
 * nnz and the band_bytes of their chunks. Errors as ql_sparse_h5_open and ql_sparse_h5_check. */
QL_MUST_USE ql_status ql_sizes_of_rows(hid_t file, const char *group, int64_t n_rows,
                                       ql_read_sizes *z, ql_err *err);

/* The h5ad matrix at path, finished. Errors as ql_matrix_h5_info. */
QL_MUST_USE ql_status ql_sizes_of_matrix(hid_t file, const char *path, ql_read_sizes *z,
                                         ql_err *err);

/* Of a table nothing is known but its bytes: measure() of the formats that are such. */
QL_MUST_USE ql_status ql_sizes_of_text(const char *path, const ql_read_options *opt,
                                       ql_read_sizes *out, ql_err *err);

/* Does the file at path begin as gzip does? False when it cannot be read. */
bool ql_is_gzip_file(const char *path);

#endif
