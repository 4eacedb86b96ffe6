/* What rows.c needs of the store. Private to src/mat. */
#ifndef QL_ROW_STORE_INTERNAL_H
#define QL_ROW_STORE_INTERNAL_H

#include "quell/row_store.h"

QL_MUST_USE ql_status ql_store_renumber(ql_row_store *s, const int32_t *map, ql_err *err);
/* With columns left out and in another order; see ql_row_pick. */
QL_MUST_USE ql_status ql_store_pick(ql_row_store *s, const int32_t *map, ql_err *err);

int64_t ql_store_get(ql_row_store *s, int64_t row, int32_t *gene, float *count);
QL_MUST_USE ql_status ql_store_check(const ql_row_store *s, ql_err *err);
int64_t ql_store_want(ql_row_store *s, const int64_t *order, int64_t n, int64_t n_after);
void ql_store_load(ql_row_store *s, int64_t piece);

/* Its shape and entries; max_row: most entries of a row. */
typedef struct {
    int64_t n_rows, n_cols, nnz, max_row;
} ql_store_extent;
ql_store_extent ql_store_extent_of(const ql_row_store *s);

/* Bytes of the longest row. */
int64_t ql_store_longest(const ql_row_store *s);

/* Read the bytes of as many rows from `row` on as fit into cap, at least this one; returns the row
 * after the last (the row itself when reading failed). */
int64_t ql_store_read(ql_row_store *s, int64_t row, uint8_t *bytes, int64_t cap);

/* Unpack a row of bytes that ql_store_read filled from row `first` on. */
int64_t ql_store_unpack(ql_row_store *s, int64_t first, int64_t row, const uint8_t *bytes,
                        int32_t *gene, float *count);

#endif
