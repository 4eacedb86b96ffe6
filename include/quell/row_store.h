/* Counts packed row by row in a temporary file, from a matrix that memory does not hold whole;
 * read through ql_rows (rows.h). */
#ifndef QUELL_ROW_STORE_H
#define QUELL_ROW_STORE_H

#include <stdint.h>

#include "quell/csr.h"
#include "quell/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ql_row_store ql_row_store;

/* A new store of n_rows rows in an own temporary file in folder, which has no name there as soon as
 * it is open (or, where the system does not allow that, goes when the store is freed or a signal
 * ends the program). With QL_ROWS_UNKNOWN rows there are as many as are added. QL_ECREATE,
 * QL_EMEMORY. */
enum { QL_ROWS_UNKNOWN = -1 };
QL_MUST_USE ql_status ql_store_new(const char *folder, int64_t n_rows, int64_t n_cols,
                                   ql_row_store **out, ql_err *err);
void ql_store_free(ql_row_store *store); /* NULL is allowed */

/* Append the rows of a band. QL_EIO: the disk is full. */
QL_MUST_USE ql_status ql_store_add(ql_row_store *store, const ql_csr *band, ql_err *err);

/* All rows are there: from here on it is read. near_bytes: room for the rows of ql_rows_want. */
QL_MUST_USE ql_status ql_store_finish(ql_row_store *store, int64_t near_bytes, ql_err *err);

int64_t ql_store_bytes(const ql_row_store *store); /* of the file */
int64_t ql_store_held(const ql_row_store *store);  /* bytes in memory */
const char *ql_store_folder(const ql_row_store *store);

#ifdef __cplusplus
}
#endif
#endif
