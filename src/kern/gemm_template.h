/* The small matrix product: a block of up to GEMM_ROWS x GEMM_VECS vectors of C is held in
 * registers while k runs; each element of C is one chain of fused multiply-adds in the order of k.
 */

QL_INLINE void gemm_block(const ql_gemm *g, int64_t i0, int64_t j0, const int rows, const int vecs)
{
    vf acc[GEMM_ROWS][GEMM_VECS];
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
        for (int v = 0; v < vecs; v++) {
            if (g->start == QL_FROM_C)
                acc[r][v] = v_load(g->c + (i0 + r) * g->ldc + j0 + v * VL);
            else
                acc[r][v] = v_set(g->start == QL_FROM_BIAS ? g->bias[i0 + r] : 0);
        }
    }
    const ql_real *a = g->a + i0 * g->a_row, *b = g->b + j0;
    const int64_t a_row = g->a_row, a_col = g->a_col, ldb = g->ldb;
    for (int64_t k = 0; k < g->p; k++, a += a_col, b += ldb) {
        vf bv[GEMM_VECS];
#pragma GCC unroll 4
        for (int v = 0; v < vecs; v++) bv[v] = v_load(b + v * VL);
#pragma GCC unroll 16
        for (int r = 0; r < rows; r++) {
            vf av = v_set(a[r * a_row]);
#pragma GCC unroll 4
            for (int v = 0; v < vecs; v++) acc[r][v] = v_fma(av, bv[v], acc[r][v]);
        }
    }
#pragma GCC unroll 16
    for (int r = 0; r < rows; r++) {
#pragma GCC unroll 4
        for (int v = 0; v < vecs; v++) v_store(g->c + (i0 + r) * g->ldc + j0 + v * VL, acc[r][v]);
    }
}

/* All rows of C for the columns j0 .. j0 + vecs * VL - 1. */
QL_INLINE void gemm_column(const ql_gemm *g, int64_t j0, const int vecs)
{
    int64_t i = 0;
    for (; i + GEMM_ROWS <= g->m; i += GEMM_ROWS) gemm_block(g, i, j0, GEMM_ROWS, vecs);
    for (; i + 4 <= g->m; i += 4) gemm_block(g, i, j0, 4, vecs);
    for (; i < g->m; i++) gemm_block(g, i, j0, 1, vecs);
}

static void gemm(const ql_gemm *g)
{
    int64_t j = 0;
    for (; j + GEMM_VECS * VL <= g->n; j += GEMM_VECS * VL) gemm_column(g, j, GEMM_VECS);
    for (; j < g->n; j += VL) gemm_column(g, j, 1);
}
