/* How the arrays of a sparse matrix (data, indices, indptr) are stored, whoever writes them.
 * Private to src/io. */
#ifndef QUELL_IO_H5AD_ENTRIES_H
#define QUELL_IO_H5AD_ENTRIES_H

#include "../hdf5/chunk_writer.h"
#include "quell/h5ad_writer.h"

/* Values in a chunk: 256 KiB, of wide row pointers 512 KiB. */
enum { QL_SPARSE_CHUNK = 65536 };

/* An array [n] of type in group; name is borrowed. */
ql_chunk_spec ql_h5ad_entries(hid_t group, const char *name, hid_t type, int64_t n,
                              const ql_write_options *opt);

/* The whole array at once: values [n]. */
QL_MUST_USE ql_status ql_h5ad_write_entries(hid_t group, const char *name, hid_t type, int64_t n,
                                            const void *values, const ql_write_options *opt,
                                            ql_err *err);

#endif
