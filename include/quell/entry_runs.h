/* Entries of a sparse matrix that come in any order, brought into rows within bounded memory: an
 * external sort by row. Entries are gathered into runs; a full one is sorted by row and appended to
 * a temporary file; in the end all runs are merged, a band of rows at a time. The sort is stable:
 * entries of a row stay in the order in which they came, however many runs there were. */
#ifndef QUELL_ENTRY_RUNS_H
#define QUELL_ENTRY_RUNS_H

#include <stdbool.h>
#include <stdint.h>

#include "quell/csr.h"
#include "quell/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ql_entry_runs ql_entry_runs;

/* Room for run_entries entries at a time. The file is made in folder (borrowed) when the first run
 * is full, and has no name there. */
QL_MUST_USE ql_status ql_runs_new(const char *folder, int64_t run_entries, ql_entry_runs **out,
                                  ql_err *err);
void ql_runs_free(ql_entry_runs *r); /* NULL is allowed */

/* The next n entries; rows and columns are not negative. QL_ECREATE, QL_EIO, QL_EMEMORY. */
QL_MUST_USE ql_status ql_runs_add(ql_entry_runs *r, const int32_t *row, const int32_t *col,
                                  const float *value, int64_t n, ql_err *err);

int64_t ql_runs_bytes(const ql_entry_runs *r); /* of the file, for tests */

/* Takes a band of rows, in order; a row's entries are as they came: unsorted, with duplicates.
 * *stop: no more are wanted. May change the band. */
typedef ql_status ql_rows_taker(void *ctx, ql_csr *band, bool *stop, ql_err *err);

/* All entries are there: rows [0, n_rows) in bands of about band_entries entries (at least one
 * row). Rows and columns must be below n_rows and n_cols. Once. */
QL_MUST_USE ql_status ql_runs_merge(ql_entry_runs *r, int64_t n_rows, int64_t n_cols,
                                    int64_t band_entries, ql_rows_taker *take, void *ctx,
                                    ql_err *err);

/* Bytes that runs of run_entries hold at most when nnz entries of n_rows rows are added and merged
 * in such bands, of rows of at most max_row entries. */
int64_t ql_runs_held(int64_t run_entries, int64_t band_entries, int64_t nnz, int64_t n_rows,
                     int64_t max_row);

#ifdef __cplusplus
}
#endif
#endif
