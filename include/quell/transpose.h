/* Minibatches are held both ways: units along rows for vectors over cells, cells along rows for
 * products over units. */
#ifndef QUELL_TRANSPOSE_H
#define QUELL_TRANSPOSE_H

#include <stdint.h>

#include "quell/real.h"

#ifdef __cplusplus
extern "C" {
#endif

/* dst [cols, ld_dst] = transpose of src [rows, ld_src]; pads of dst rows are set to zero. */
void ql_transpose(int64_t rows, int64_t cols, const ql_real *src, int64_t ld_src, ql_real *dst,
                  int64_t ld_dst);

#ifdef __cplusplus
}
#endif
#endif
