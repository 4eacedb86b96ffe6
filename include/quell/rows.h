/* Counts row by row, wherever they are: the one form in which preprocessing, training, prediction
 * and output see a count matrix.
 *
 * A ql_rows is either a view of a ql_csr in memory or of a packed store in a temporary file, of
 * which only what is being worked on is in memory. Both give the same entries in the same order, so
 * a result does not depend on which it was (docs/memory.md). */
#ifndef QUELL_ROWS_H
#define QUELL_ROWS_H

#include <stdint.h>

#include "quell/row_store.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A view; nothing is owned. Rows satisfy the invariant of ql_csr. */
typedef struct {
    int64_t n_rows, n_cols, nnz;
    int64_t max_row;     /* most entries of a row */
    ql_csr *csr;         /* in memory, or */
    ql_row_store *store; /* in a file */
} ql_rows;

/* m is changed by nothing but ql_rows_renumber and ql_rows_pick. */
ql_rows ql_rows_of_csr(const ql_csr *m);
ql_rows ql_rows_of_store(ql_row_store *store);

/* Lists of row numbers: 0 .. n-1 in a new one, the caller's; one put in ascending order. */
QL_MUST_USE ql_status ql_rows_list(int64_t n, int64_t **rows, ql_err *err);
void ql_rows_sort(int64_t *rows, int64_t n);

/* Columns get the numbers map[old column], below n_cols; ascending where there are entries. In
 * memory this is done in place; a store does it whenever it is read. */
QL_MUST_USE ql_status ql_rows_renumber(ql_rows *rows, const int32_t *map, int64_t n_cols,
                                       ql_err *err);

/* The same where columns may be left out (map -1) and come in another order: no two get the same
 * number. Each row's entries are put in order again. Afterwards nnz and max_row may be more than
 * there is. */
QL_MUST_USE ql_status ql_rows_pick(ql_rows *rows, const int32_t *map, int64_t n_cols, ql_err *err);

/* Copy a row into gene[] and count[], both with room for max_row entries; returns how many there
 * are. Any thread. A row that cannot be read is empty, and ql_rows_check tells. */
int64_t ql_rows_get(const ql_rows *rows, int64_t row, int32_t *gene, float *count);

/* QL_OK, or why a row could not be read since the rows were made (QL_EIO, QL_EMEMORY). */
QL_MUST_USE ql_status ql_rows_check(const ql_rows *rows, ql_err *err);

/* ---- reading on and on ---- */

typedef struct {
    int64_t n;
    const int32_t *gene; /* [n] */
    const float *count;  /* [n] */
} ql_row_view;

/* Reads rows in ascending order; each thread has its own. */
typedef struct {
    const ql_rows *rows;
    int64_t first, end; /* rows whose bytes are in the buffer */
    uint8_t *bytes;     /* [cap]; owned */
    int64_t cap;
    int32_t *gene; /* [max_row]; owned */
    float *count;  /* [max_row]; owned */
} ql_row_cursor;

QL_MUST_USE ql_status ql_cursor_open(ql_row_cursor *c, const ql_rows *rows, ql_err *err);
void ql_cursor_close(ql_row_cursor *c); /* harmless on a zeroed one */

/* Valid until the next call; of rows in memory without a copy. */
ql_row_view ql_cursor_row(ql_row_cursor *c, int64_t row);

/* Bytes that a cursor takes at most. */
int64_t ql_cursor_bytes(int64_t max_row);

/* ---- reading in another order ---- */

/* Say that the rows order[0..n) are wanted next, in any order, and after them the n_after that
 * follow in order[]: finds where they are in the file and tells the system what comes after.
 * Returns the number of pieces to be loaded, 0 when nothing is to be done. One thread, while no
 * other reads. Rows that were not announced are read one by one: slower, the same. */
int64_t ql_rows_want(const ql_rows *rows, const int64_t *order, int64_t n, int64_t n_after);

/* Load a piece; any thread. All pieces must be there before a row is read. */
void ql_rows_load(const ql_rows *rows, int64_t piece);

#ifdef __cplusplus
}
#endif
#endif
