/* A dataset's chunks fetched and decoded by several threads, without libhdf5's help where their
 * layout allows. Private to src/io. */
#ifndef QUELL_IO_H5_CHUNKS_H
#define QUELL_IO_H5_CHUNKS_H

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

#endif
