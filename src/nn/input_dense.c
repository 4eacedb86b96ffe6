#include "quell/input_dense.h"

#include <stddef.h>

/* Inputs without counts, then what the counts add. */
static void place_entries(const ql_input_layer *in, const ql_batch *b, int64_t tile, int64_t first,
                          int64_t n, ql_real *x)
{
    const ql_span genes = ql_tile_genes(&in->tiling, tile);
    const int64_t ld = ql_pad(n);
    for (int64_t g = 0; g < genes.count; g++)
        for (int64_t i = 0; i < ld; i++) x[g * ld + i] = in->shift ? in->shift[genes.first + g] : 0;
    for (int64_t i = 0; i < n; i++) {
        ql_span e = ql_entries_in(&b->in, &b->tiling, first + i, tile);
        for (int64_t k = e.first; k < e.first + e.count; k++)
            x[(b->in.gene[k] - genes.first) * ld + i] += b->in.value[k];
    }
}

/* x [genes of the tile, pad(n)]: corrupted inputs of cells [first, first + n), n at most QL_BLOCK.
 * c->kind NULL: as they are. */
static void input_block(const ql_input_layer *in, const ql_batch *b, const ql_corrupt *c,
                        int64_t tile, int64_t first, int64_t n, ql_real *x)
{
    const ql_span genes = ql_tile_genes(&in->tiling, tile);
    const ql_corrupt_place at = {b->seed, b->epoch, b->row + first, genes.first};
    place_entries(in, b, tile, first, n, x);
    if (ql_corrupt_is_dense(c) && !b->clean)
        ql_corrupt_block(c, &at, genes.count, n, in->shift ? in->shift + genes.first : NULL, x,
                         ql_pad(n));
}

static int64_t block_cells(const ql_batch *b, int64_t first)
{
    return b->n - first < QL_BLOCK ? b->n - first : QL_BLOCK;
}

void ql_input_dense_forward_tile(ql_input_layer *in, const ql_params *p, const ql_kern *kern,
                                 const ql_batch *b, const ql_corrupt *c, int64_t strip,
                                 int64_t tile, ql_real *x)
{
    const int64_t h = ql_pad(in->n_out);
    const ql_span genes = ql_tile_genes(&in->tiling, tile);
    for (int64_t first = 0; first < b->n; first += QL_BLOCK) {
        const int64_t n = block_cells(b, first);
        input_block(in, b, c, tile, first, n, x);
        kern->gemm(&(ql_gemm){.m = n,
                              .n = h,
                              .p = genes.count,
                              .a = x,
                              .a_row = 1,
                              .a_col = ql_pad(n),
                              .b = ql_param(p, in->weight) + genes.first * h,
                              .ldb = h,
                              .c = ql_input_part(in, strip) + first * h,
                              .ldc = h,
                              .start = QL_FROM_C});
    }
}

void ql_input_dense_backward_tile(const ql_input_layer *in, ql_params *p, const ql_kern *kern,
                                  const ql_batch *b, const ql_corrupt *c, int64_t tile,
                                  const ql_real *d_t, ql_real *dw, ql_real *x,
                                  const ql_input_terms *terms, const ql_opt_step *step)
{
    const int64_t h = ql_pad(in->n_out);
    const ql_span genes = ql_tile_genes(&in->tiling, tile);
    for (int64_t first = 0; first < b->n; first += QL_BLOCK) {
        const int64_t n = block_cells(b, first);
        input_block(in, b, c, tile, first, n, x);
        kern->gemm(&(ql_gemm){.m = genes.count,
                              .n = h,
                              .p = n,
                              .a = x,
                              .a_row = ql_pad(n),
                              .a_col = 1,
                              .b = d_t + first * h,
                              .ldb = h,
                              .c = dw,
                              .ldc = h,
                              .start = first ? QL_FROM_C : QL_FROM_ZERO});
    }
    ql_input_terms_add(terms, p, kern, tile, dw);
    ql_params_update(p, in->weight, genes.first, genes.count, dw, step);
}
