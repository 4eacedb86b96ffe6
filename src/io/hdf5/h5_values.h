/* The numbers of a dataset, fast: from chunks that are decoded here where their layout allows
 * (h5_chunks.h), read in blocks otherwise. Private to src/io. */
#ifndef QUELL_IO_H5_VALUES_H
#define QUELL_IO_H5_VALUES_H

#include "../counts/count_check.h"
#include "h5_chunks.h"

/* The first n elements converted into out; seen (may be NULL) says what they are. */
QL_MUST_USE ql_status ql_h5r_read_f32(const ql_h5r_array *a, int64_t n, int threads, float *out,
                                      ql_entries_seen *seen, ql_err *err);
QL_MUST_USE ql_status ql_h5r_read_i64(const ql_h5r_array *a, int64_t n, int threads, int64_t *out,
                                      ql_err *err);

/* Rows that indices belong to: sound pointers, the last of which is their number. */
typedef struct {
    const int64_t *indptr; /* [n_rows + 1] */
    int64_t n_rows;
    bool ascending; /* out: strictly, within every row */
} ql_h5r_rows;

/* Indices, each in [0, limit); what names the things counted in the message ("genes"). */
QL_MUST_USE ql_status ql_h5r_read_indices(const ql_h5r_array *a, int64_t n, int64_t limit,
                                          const char *what, int threads, int32_t *out,
                                          ql_h5r_rows *rows, ql_err *err);

#endif
