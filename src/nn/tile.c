#include "quell/tile.h"

#include <string.h>

ql_tiling ql_tiling_of(int64_t n_genes)
{
    ql_tiling t = {.n_genes = n_genes};
    t.n_tiles = (int)((n_genes + QL_TILE - 1) / QL_TILE);
    t.n_strips = t.n_tiles < QL_STRIPS ? t.n_tiles : QL_STRIPS;
    return t;
}

ql_span ql_tile_genes(const ql_tiling *tiling, int64_t tile)
{
    int64_t first = tile * QL_TILE, left = tiling->n_genes - first;
    return (ql_span){first, left < QL_TILE ? left : QL_TILE};
}

ql_span ql_strip_tiles(const ql_tiling *tiling, int64_t strip)
{
    int64_t first = strip * tiling->n_tiles / tiling->n_strips;
    int64_t end = (strip + 1) * tiling->n_tiles / tiling->n_strips;
    return (ql_span){first, end - first};
}

void ql_strip_sum(const ql_kern *kern, int n_strips, ql_real *parts, int64_t stride, int64_t first,
                  int64_t n, ql_real *out)
{
    int left = n_strips;
    for (; left > 1; left = (left + 1) / 2) {
        int half = (left + 1) / 2;
        for (int s = 0; s + half < left; s++) {
            ql_real *a = parts + s * stride + first;
            const ql_real *b = parts + (s + half) * stride + first;
            kern->add(n, b, a);
        }
    }
    memcpy(out, parts + first, (size_t)n * sizeof *out);
}
