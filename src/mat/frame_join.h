/* Frames joined: cells below cells, genes beside genes. Private to src/mat. */
#ifndef QUELL_MAT_FRAME_JOIN_H
#define QUELL_MAT_FRAME_JOIN_H

#include "quell/frame.h"

/* Append the rows of `from`. Columns that one of them lacks, or that are text in one and numbers in
 * the other, are removed from `to`; their names go to lost. */
QL_MUST_USE ql_status ql_frame_append(ql_frame *to, const ql_frame *from, ql_names *lost,
                                      ql_err *err);

/* Row i of `from` is row at[i] of `to`, -1: of none. Rows of `to` beyond n_old (its index has them
 * already) get the values of `from`, in order; in the others the values must be the same. Columns
 * where they are not, and those that one of them lacks, are removed; their names go to lost, with
 * an example where values differ. */
QL_MUST_USE ql_status ql_frame_merge(ql_frame *to, int64_t n_old, const ql_frame *from,
                                     const int32_t *at, ql_names *lost, ql_err *err);

/* Keep the rows whose flag is not 0. */
QL_MUST_USE ql_status ql_frame_keep(ql_frame *frame, const uint8_t *keep, ql_err *err);

#endif
