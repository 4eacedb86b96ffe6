/* The numbers of a dataset, fast: chunks are inflated by several threads without HDF5's help
 * where their layout allows, read in blocks otherwise. Private to src/io. */
#ifndef QUELL_IO_H5_VALUES_H
#define QUELL_IO_H5_VALUES_H

#include "../counts/count_check.h"
#include "h5_read.h"

/* Takes n packed elements of type a->num that belong at `at`. Called from several threads, for
 * disjoint ranges, in any order; all are of one length, but for the last. */
typedef void ql_h5r_place(void *ctx, int64_t at, const void *values, int64_t n);

typedef struct {
    ql_h5r_place *place;
    void *ctx;
    void *out; /* [n] elements of a->num: values are put there, and place (NULL: nothing to do) sees
                * them there, still in the cache; NULL: place puts them where they belong */
} ql_h5r_taker;

/* Hand n elements of `size` bytes over. */
void ql_h5r_take(const ql_h5r_taker *t, size_t size, int64_t at, const void *values, int64_t n);

/* The first n elements, each handed over once, when the chunks can be decoded here; *done says
 * whether they could (nothing has been placed if not). */
QL_MUST_USE ql_status ql_h5r_stream_chunks(const ql_h5r_array *a, int64_t n, int threads,
                                           const ql_h5r_taker *taker, bool *done, ql_err *err);

/* Before H5Dread, which believes that a chunk decodes to its full size and reads beyond the end of
 * one that does not: fails with QL_EDATA at the first such chunk. Costs a decoding of all chunks
 * when they are filtered. What has filters that are not known here cannot be checked. */
QL_MUST_USE ql_status ql_h5r_check_chunks(const ql_h5r_array *a, int threads, ql_err *err);

/* Rows first .. first + n - 1 of a 2-D dataset into out [n, dim[1]] of type a->num, when they are
 * whole rows of chunks that can be decoded here; *done says so. */
QL_MUST_USE ql_status ql_h5r_band_chunks(const ql_h5r_array *a, int64_t first, int64_t n,
                                         int threads, void *out, bool *done, ql_err *err);

/* Elements first .. first + n - 1 of a list into out, of type a->num, when its chunks can be
 * decoded here and have at most `largest` elements (those at the ends are decoded whole); *done
 * says so. */
QL_MUST_USE ql_status ql_h5r_range_chunks(const ql_h5r_array *a, int64_t first, int64_t n,
                                          int64_t largest, int threads, void *out, bool *done,
                                          ql_err *err);

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
