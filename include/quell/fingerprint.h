/* Numbers that tell one count matrix, or one set of values, from another. */
#ifndef QUELL_FINGERPRINT_H
#define QUELL_FINGERPRINT_H

#include "quell/hash.h"
#include "quell/rows.h"

#ifdef __cplusplus
extern "C" {
#endif

/* FNV-1a over the counts, then over where each row's entries end. The same wherever the rows are.
 */
QL_MUST_USE ql_status ql_rows_fingerprint(const ql_rows *rows, uint64_t *hash, ql_err *err);

/* FNV-1a over the bits of n values; goes on from hash, which begins as QL_HASH_START. */
uint64_t ql_floats_fingerprint(const float *x, int64_t n, uint64_t hash);
uint64_t ql_doubles_fingerprint(const double *x, int64_t n, uint64_t hash);

#ifdef __cplusplus
}
#endif
#endif
