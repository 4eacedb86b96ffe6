#include "quell/transpose.h"

void ql_transpose(int64_t rows, int64_t cols, const ql_real *src, int64_t ld_src, ql_real *dst,
                  int64_t ld_dst)
{
    enum { BLOCK = 16 };
    for (int64_t j0 = 0; j0 < cols; j0 += BLOCK) {
        for (int64_t i0 = 0; i0 < rows; i0 += BLOCK) {
            int64_t j1 = j0 + BLOCK < cols ? j0 + BLOCK : cols;
            int64_t i1 = i0 + BLOCK < rows ? i0 + BLOCK : rows;
            for (int64_t j = j0; j < j1; j++)
                for (int64_t i = i0; i < i1; i++) dst[j * ld_dst + i] = src[i * ld_src + j];
        }
    }
    for (int64_t j = 0; j < cols; j++)
        for (int64_t i = rows; i < ld_dst; i++) dst[j * ld_dst + i] = 0;
}
