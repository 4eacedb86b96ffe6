/* How the genes are cut: tiles of QL_TILE genes whose weights belong to one thread at a time, and
 * strips of consecutive tiles, the unit in which sums over genes are taken. Both are part of what a
 * result means, because they fix the order of sums; neither depends on the number of threads. */
#ifndef QUELL_TILE_H
#define QUELL_TILE_H

#include <stdint.h>

#include "quell/kern.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
    QL_TILE = 128,  /* genes in a tile */
    QL_STRIPS = 32, /* most strips of a gene axis */
    QL_BLOCK = 128  /* cells handled at a time inside a tile */
};

typedef struct {
    int64_t n_genes;
    int n_tiles, n_strips;
} ql_tiling;

typedef struct {
    int64_t first, count; /* genes of a tile, or tiles of a strip */
} ql_span;

/* How so many genes are cut; the genes of a tile; the tiles of a strip. */
ql_tiling ql_tiling_of(int64_t n_genes);
ql_span ql_tile_genes(const ql_tiling *tiling, int64_t tile);
ql_span ql_strip_tiles(const ql_tiling *tiling, int64_t strip);

/* The one sum over strips: out[i] = part_0[i] + part_1[i] + ... for i in [first, first + n),
 * in the order of a fixed binary tree over the strips. Part s begins at parts + s * stride; the
 * parts are overwritten. first and n are multiples of QL_PAD. */
void ql_strip_sum(const ql_kern *kern, int n_strips, ql_real *parts, int64_t stride, int64_t first,
                  int64_t n, ql_real *out);

#ifdef __cplusplus
}
#endif
#endif
