/* A number that tells one count matrix from another. */
#ifndef QUELL_FINGERPRINT_H
#define QUELL_FINGERPRINT_H

#include "quell/rows.h"

#ifdef __cplusplus
extern "C" {
#endif

/* FNV-1a over the counts, then over where each row's entries end. The same wherever the rows are.
 */
QL_MUST_USE ql_status ql_rows_fingerprint(const ql_rows *rows, uint64_t *hash, ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
