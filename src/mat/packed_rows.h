/* A row of counts in few bytes. Private to src/mat.
 *
 *     n        varint: number of entries, times two, plus one if the counts are float32 as they are
 *     genes    list of n: gene - gene before - 1
 *     counts   list of n: count - 1; or n float32
 *
 * A list is a byte w, n values of w bits (low bits first), and as varints, for each value of all
 * ones, what is to be added to it. So a few large values do not widen the others. Nothing is added
 * with w 0 (all values are 0) and w 32 (all fit). */
#ifndef QL_PACKED_ROWS_H
#define QL_PACKED_ROWS_H

#include <stdint.h>

/* Most bytes a row of n entries takes. */
int64_t ql_pack_bound(int64_t n);

/* Pack n entries, genes strictly ascending from 0 on; out has room for ql_pack_bound(n), scratch
 * for n. Returns the bytes written. */
int64_t ql_pack_row(const int32_t *gene, const float *count, int64_t n, uint32_t *scratch,
                    uint8_t *out);

/* Unpack the row in bytes[0..size) into gene[] and count[], which have room for `room` entries.
 * Returns how many there are, or -1 when the bytes are no row of genes below n_cols; nothing beyond
 * size and room is touched whatever the bytes say. */
int64_t ql_unpack_row(const uint8_t *bytes, int64_t size, int64_t room, int64_t n_cols,
                      int32_t *gene, float *count);

#endif
