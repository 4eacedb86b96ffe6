/* Entries of a matrix as files list them: row, column, value. Private to src/io. */
#ifndef QUELL_IO_TRIPLETS_H
#define QUELL_IO_TRIPLETS_H

#include "quell/csr.h"

/* Zero-initialise; release with ql_triplets_free. */
typedef struct {
    int32_t *row, *col; /* [cap]; owned */
    float *value;       /* [cap]; owned */
    int64_t n, cap;
} ql_triplets;

/* Room for cap entries at least; those that are there stay. QL_EMEMORY. */
QL_MUST_USE ql_status ql_triplets_reserve(ql_triplets *t, int64_t cap, ql_err *err);
void ql_triplets_free(ql_triplets *t); /* leaves *t zero */

/* n entries of [n_rows, n_cols], their indices in range, as rows; the order within a row is that of
 * the list, and what is listed twice is there twice (ql_csr_normalise). QL_EMEMORY. */
QL_MUST_USE ql_status ql_triplets_to_csr(const int32_t *row, const int32_t *col, const float *value,
                                         int64_t n, int64_t n_rows, int64_t n_cols, ql_csr *m,
                                         ql_err *err);

#endif
