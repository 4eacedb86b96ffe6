/* The numbers of a dataset, fast: chunks are inflated by several threads without HDF5's help
 * where their layout allows, read in blocks otherwise. Private to src/io. */
#ifndef QUELL_IO_H5_VALUES_H
#define QUELL_IO_H5_VALUES_H

#include "h5_read.h"

/* Takes n packed elements of type a->num that belong at `at`. Called from several threads, for
 * disjoint ranges, in any order. */
typedef void ql_h5r_place(void *ctx, int64_t at, const void *values, int64_t n);

/* The first n elements, each handed to place once. n must not exceed a->n. */
ql_status ql_h5r_stream(const ql_h5r_array *a, int64_t n, int threads, ql_h5r_place *place,
                        void *ctx, ql_err *err);

/* The same when the chunks can be decoded here; *done says whether they could (nothing has been
 * placed if not). */
ql_status ql_h5r_stream_chunks(const ql_h5r_array *a, int64_t n, int threads, ql_h5r_place *place,
                               void *ctx, bool *done, ql_err *err);

/* Rows first .. first + n - 1 of a 2-D dataset into out [n, dim[1]] of type a->num, when they are
 * whole rows of chunks that can be decoded here; *done says so. */
ql_status ql_h5r_band_chunks(const ql_h5r_array *a, int64_t first, int64_t n, int threads,
                             void *out, bool *done, ql_err *err);

/* Elements first .. first + n - 1 of a list into out, of type a->num, when its chunks can be
 * decoded here and have at most `largest` elements (those at the ends are decoded whole); *done
 * says so. */
ql_status ql_h5r_range_chunks(const ql_h5r_array *a, int64_t first, int64_t n, int64_t largest,
                              int threads, void *out, bool *done, ql_err *err);

/* The first n elements converted into out. */
ql_status ql_h5r_read_f32(const ql_h5r_array *a, int64_t n, int threads, float *out, ql_err *err);
ql_status ql_h5r_read_i64(const ql_h5r_array *a, int64_t n, int threads, int64_t *out, ql_err *err);

/* Indices, each in [0, limit); what names the things counted in the message ("genes"). */
ql_status ql_h5r_read_indices(const ql_h5r_array *a, int64_t n, int64_t limit, const char *what,
                              int threads, int32_t *out, ql_err *err);

#endif
