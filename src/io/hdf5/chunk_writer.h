/* Large arrays written in bands of rows: compressed by several threads, stored by one. Private to
 * src/io.
 *
 * With a level, the array is chunked and each chunk is shuffled and deflated (filters every HDF5
 * has), or kept as it is after the shuffle where deflating would not shrink it. Without, or when
 * there are no elements, it is contiguous. Chunks depend on the shape only, so the bytes do not
 * depend on the number of threads; they do depend on the compressor: libdeflate and zlib, and some
 * of their versions, choose different codes for the same data. */
#ifndef QUELL_IO_CHUNK_WRITER_H
#define QUELL_IO_CHUNK_WRITER_H

#include <hdf5.h>
#include <stdbool.h>
#include <stdint.h>

#include "quell/status.h"

/* Rank 2: an array [n_rows, n_cols] in chunks of [chunk_rows, chunk_cols]. Rank 1: an array of
 * n_rows * n_cols values in chunks of chunk_rows * n_cols (chunk_cols is not used). Chunks are cut
 * down to the array. */
typedef struct {
    hid_t parent;
    const char *name; /* of the dataset in parent; borrowed until the close */
    hid_t type;       /* a native number */
    int rank;
    int64_t n_rows, n_cols, chunk_rows, chunk_cols;
    int level; /* 0 to 9 */
    int threads;
    bool encode; /* carry the attributes of an "array" */
} ql_chunk_spec;

/* A list [n] in chunks of so many values, without attributes; name is borrowed. */
static inline ql_chunk_spec ql_chunk_list(hid_t parent, const char *name, hid_t type, int64_t n,
                                          int64_t chunk, int level, int threads)
{
    return (ql_chunk_spec){.parent = parent,
                           .name = name,
                           .type = type,
                           .rank = 1,
                           .n_rows = n,
                           .n_cols = 1,
                           .chunk_rows = chunk,
                           .level = level,
                           .threads = threads};
}

typedef struct ql_chunk_writer ql_chunk_writer;

QL_MUST_USE ql_status ql_chunks_open(const ql_chunk_spec *spec, ql_chunk_writer **out, ql_err *err);

/* Number of rows the writer wants at a time, at least 1; depends on the shape only. */
int64_t ql_chunks_band(const ql_chunk_writer *w);

/* The next n rows, [n, n_cols]. n is a multiple of chunk_rows unless they are the last. */
QL_MUST_USE ql_status ql_chunks_rows(ql_chunk_writer *w, const void *rows, int64_t n, ql_err *err);

/* Close the dataset, after all rows; w is freed in any case. */
QL_MUST_USE ql_status ql_chunks_close(ql_chunk_writer *w, ql_err *err);
void ql_chunks_abort(ql_chunk_writer *w); /* NULL is allowed */

/* All of these at once: rows [n_rows, n_cols]. */
QL_MUST_USE ql_status ql_chunks_write(const ql_chunk_spec *spec, const void *rows, ql_err *err);

#endif
