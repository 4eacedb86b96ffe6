/* Products in bfloat16, on x86 processors that have them. Private to src/kern. */
#ifndef QUELL_GEMM_BF16_H
#define QUELL_GEMM_BF16_H

#include <stdbool.h>

#include "quell/kern.h"

/* The compiler knew the instructions; without them the functions do nothing. */
extern const bool ql_gemm_bf16_built;

/* The contract of ql_kern.gemm, with A (of which a_row or a_col is 1) and B rounded to bfloat16 and
 * sums in float32, in an order of their own. n is a multiple of 32. The first needs AMX-BF16 and
 * the permission to use it, both AVX-512 with BF16. */
void ql_gemm_amx(const ql_gemm *g);
void ql_gemm_dot(const ql_gemm *g);

#endif
