/* The order of an epoch. Private to src/train.
 *
 * Up to QL_WINDOW_ROWS rows are shuffled as one. More are cut into blocks of QL_BLOCK_ROWS
 * consecutive rows; the blocks are shuffled, QL_WINDOW_BLOCKS of them make a window, and the rows
 * of a window are shuffled among themselves. So a stream needs one window in memory, and the order
 * is the same for counts that are in memory. */
#ifndef QUELL_TRAIN_SHUFFLE_H
#define QUELL_TRAIN_SHUFFLE_H

#include <stdint.h>

#include "quell/status.h"

enum {
    QL_BLOCK_ROWS = 256,
    QL_WINDOW_BLOCKS = 64,
    QL_WINDOW_ROWS = QL_BLOCK_ROWS * QL_WINDOW_BLOCKS
};

/* Zero-initialise; arrays owned. */
typedef struct {
    int64_t *order; /* [n] */
    int64_t n;
    int64_t *block; /* [blocks] scratch: their order */
    int64_t *end;   /* [n_windows] where each window of order[] ends */
    int64_t n_windows;
} ql_shuffle;

QL_MUST_USE ql_status ql_shuffle_new(ql_shuffle *s, int64_t n, ql_err *err);
void ql_shuffle_free(ql_shuffle *s);

/* Order the n given rows for an epoch. Depends on rows, seed and epoch alone. */
void ql_shuffle_rows(ql_shuffle *s, const int64_t *rows, uint64_t seed, uint64_t epoch);

#endif
