#include "shuffle.h"

#include <string.h>

#include "quell/alloc.h"
#include "quell/rng.h"

static int64_t pieces(int64_t n, int64_t size)
{
    return (n + size - 1) / size;
}

ql_status ql_shuffle_new(ql_shuffle *s, int64_t n, ql_err *err)
{
    int64_t n_blocks = pieces(n, QL_BLOCK_ROWS);
    *s = (ql_shuffle){.n = n, .n_windows = pieces(n_blocks, QL_WINDOW_BLOCKS)};
    QL_TRY(QL_NEW(s->order, n, "cell order", err));
    QL_TRY(QL_NEW(s->block, n_blocks, "cell order", err));
    return QL_NEW(s->end, s->n_windows, "cell order", err);
}

void ql_shuffle_free(ql_shuffle *s)
{
    ql_free(s->order);
    ql_free(s->block);
    ql_free(s->end);
    *s = (ql_shuffle){0};
}

/* Put a block's rows at order[at..); returns where they end. */
static int64_t place_block(ql_shuffle *s, const int64_t *rows, int64_t block, int64_t at)
{
    int64_t first = block * QL_BLOCK_ROWS, left = s->n - first;
    int64_t n = left < QL_BLOCK_ROWS ? left : QL_BLOCK_ROWS;
    memcpy(s->order + at, rows + first, (size_t)n * sizeof *rows);
    return at + n;
}

static void shuffle_windows(ql_shuffle *s, const int64_t *rows, ql_rng *rng)
{
    const int64_t n_blocks = pieces(s->n, QL_BLOCK_ROWS);
    int64_t at = 0;
    for (int64_t b = 0; b < n_blocks; b++) s->block[b] = b;
    ql_rng_shuffle(rng, s->block, n_blocks);
    for (int64_t w = 0; w < s->n_windows; w++) {
        int64_t start = at, last = (w + 1) * QL_WINDOW_BLOCKS;
        for (int64_t b = w * QL_WINDOW_BLOCKS; b < last && b < n_blocks; b++)
            at = place_block(s, rows, s->block[b], at);
        ql_rng_shuffle(rng, s->order + start, at - start);
        s->end[w] = at;
    }
}

void ql_shuffle_rows(ql_shuffle *s, const int64_t *rows, uint64_t seed, uint64_t epoch)
{
    ql_rng rng = ql_rng_start(seed, QL_RNG_SHUFFLE, epoch, 0);
    if (s->n_windows > 1) {
        shuffle_windows(s, rows, &rng);
        return;
    }
    memcpy(s->order, rows, (size_t)s->n * sizeof *rows);
    ql_rng_shuffle(&rng, s->order, s->n);
    if (s->n_windows) s->end[0] = s->n;
}
