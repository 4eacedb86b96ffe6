/* Means that are a gene's share of its cell's molecules: a softmax over all genes, so that a
 * minibatch takes three sweeps over the tiles instead of one.
 *
 *   1. logits; for each tile the largest of each cell, e = exp(logit - largest), its sum. Of these
 *      follows for each tile what makes shares of its e: rho = e scale;
 *   2. with mu = e scale L the likelihood as for any other mean, which gives t = d loss / d ln mu;
 *      the other heads learn. Its sum over the genes is the cell's pull S;
 *   3. the gradient by the logits, t - rho S, and what follows from it.
 *
 * So there is one exponential for each cell and gene. e and t stay for the length of a minibatch:
 * two numbers for each of its cells and genes, as much as a head's weights at 64 cells a block of
 * 128 units. Of very large minibatches they are made again instead. */
#include <string.h>

#include "heads_internal.h"
#include "quell/alloc.h"

int64_t ql_head_share_reals(const ql_heads *h, int64_t capacity)
{
    const int64_t rows = 2 * (int64_t)h->tiling.n_tiles + (int64_t)h->tiling.n_strips + 1;
    if (h->odds) return capacity;
    if (!h->share) return 0;
    return rows * capacity + (h->keep ? 2 * h->tiling.n_genes * capacity : 0);
}

ql_status ql_head_share_alloc(ql_heads *h, ql_err *err)
{
    const int64_t by_tile = h->tiling.n_tiles * h->capacity;
    const int64_t kept = h->tiling.n_genes * h->capacity;
    if (h->odds) return QL_NEW(h->offset, h->capacity, "output heads", err);
    if (!h->share) return QL_OK;
    QL_TRY(QL_NEW(h->most, by_tile, "output heads", err));
    QL_TRY(QL_NEW(h->scale, by_tile, "output heads", err));
    QL_TRY(QL_NEW(h->pull, (h->tiling.n_strips + 1) * h->capacity, "output heads", err));
    if (!h->keep) return QL_OK;
    QL_TRY(QL_NEW(h->exp, kept, "shares of a minibatch", err));
    return QL_NEW(h->slope, kept, "shares of a minibatch", err);
}

void ql_head_share_free(ql_heads *h)
{
    ql_real *const all[] = {h->offset, h->most, h->scale, h->pull, h->exp, h->slope};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) ql_free(all[i]);
}

/* ---- the first sweep ---- */

void ql_heads_norm_strip(ql_heads *h, const ql_params *p, const ql_kern *kern,
                         const ql_head_pass *pass, int64_t strip, ql_head_space *space)
{
    const ql_batch *b = pass->batch;
    const ql_span tiles = ql_strip_tiles(&h->tiling, strip);
    for (int64_t tile = tiles.first; tile < tiles.first + tiles.count; tile++) {
        for (int64_t first = 0; first < b->n; first += QL_BLOCK) {
            tile_block t = ql_head_block_at(h, b, tile, first);
            const int64_t at = tile * h->capacity + first;
            ql_real *x = h->keep ? ql_head_kept(h, &t, h->exp) : space->act[QL_HEAD_MEAN];
            ql_head_dense(h, p, kern, pass, &t, QL_HEAD_MEAN, x);
            kern->soft_exp(t.genes.count, t.ld, x, h->most + at, h->scale + at);
        }
    }
}

/* Into most [n_pad]: the largest logits of all tiles. */
static void largest(const ql_heads *h, int64_t n_pad, ql_real *most)
{
    memcpy(most, h->most, (size_t)n_pad * sizeof *most);
    for (int64_t tile = 1; tile < h->tiling.n_tiles; tile++) {
        const ql_real *own = h->most + tile * h->capacity;
        for (int64_t i = 0; i < n_pad; i++)
            if (own[i] > most[i]) most[i] = own[i];
    }
}

/* scale: from the sums of e to exp(largest of the tile - largest of all) / (sum over all tiles, in
 * their order). */
static void normalise(ql_heads *h, const ql_kern *kern, int64_t n_pad)
{
    ql_real *most = h->pull, *sum = most + h->capacity; /* which is not in use yet */
    largest(h, n_pad, most);
    memset(sum, 0, (size_t)n_pad * sizeof *sum);
    for (int64_t at = 0; at < h->tiling.n_tiles * h->capacity; at += h->capacity) {
        ql_real *own = h->scale + at, rise[QL_PAD];
        for (int64_t i = 0; i < n_pad; i += QL_PAD) {
            for (int64_t j = 0; j < QL_PAD; j++) rise[j] = h->most[at + i + j] - most[i + j];
            kern->exp(QL_PAD, rise, rise);
            for (int64_t j = 0; j < QL_PAD; j++) {
                sum[i + j] = sum[i + j] + rise[j] * own[i + j];
                own[i + j] = rise[j];
            }
        }
    }
    for (int64_t at = 0; at < h->tiling.n_tiles * h->capacity; at += h->capacity)
        for (int64_t i = 0; i < n_pad; i++) h->scale[at + i] = h->scale[at + i] / sum[i];
}

void ql_heads_norm_finish(ql_heads *h, const ql_kern *kern, const ql_batch *b)
{
    if (h->share) normalise(h, kern, b->n_pad);
    if (h->odds) kern->log(b->n_pad, b->size, h->offset);
}

/* ---- the third sweep ---- */

void ql_heads_pull_finish(ql_heads *h, const ql_kern *kern, const ql_batch *b)
{
    ql_real *all = h->pull + h->capacity * h->tiling.n_strips;
    if (h->share) ql_strip_sum(kern, h->tiling.n_strips, h->pull, h->capacity, 0, b->n_pad, all);
}

/* Into s->act[QL_HEAD_MEAN]: the gradient by the logits. */
static void share_gradient(ql_heads *h, const ql_kern *kern, const tile_block *t, const ql_real *e,
                           const ql_real *slope, ql_head_space *s)
{
    const ql_real *pull = h->pull + h->capacity * h->tiling.n_strips + t->first;
    const ql_real *scale = ql_head_scale(h, t);
    for (int64_t i = 0; i < t->ld; i++) s->size[i] = scale[i] * pull[i];
    kern->share_gradient(t->genes.count, t->ld, e, s->size, slope, s->act[QL_HEAD_MEAN]);
}

/* One block without what would be kept of it. */
static void share_again(ql_heads *h, ql_params *p, const ql_kern *kern, const ql_head_pass *pass,
                        const tile_block *t, int64_t strip, ql_head_space *s)
{
    double known[QL_BLOCK] = {0};       /* the losses, which the second sweep has counted */
    ql_real *e = s->list[QL_HEAD_MEAN]; /* of use to the likelihood only */
    ql_real *slope = s->act[QL_HEAD_MEAN];
    ql_head_block(h, p, kern, pass, t, s, known);
    s->act[QL_HEAD_MEAN] = e;
    ql_head_special_mean(h, p, kern, pass, t, s);
    s->act[QL_HEAD_MEAN] = slope;
    ql_head_backward(h, p, kern, pass, t, strip, QL_HEAD_DISP, QL_MAX_HEADS, s);
    share_gradient(h, kern, t, e, slope, s);
}

void ql_heads_share_strip(ql_heads *h, ql_params *p, const ql_kern *kern, const ql_head_pass *pass,
                          int64_t strip, ql_head_space *space)
{
    const ql_batch *b = pass->batch;
    const ql_span tiles = ql_strip_tiles(&h->tiling, strip);
    for (int64_t tile = tiles.first; tile < tiles.first + tiles.count; tile++) {
        for (int64_t first = 0; first < b->n; first += QL_BLOCK) {
            tile_block t = ql_head_block_at(h, b, tile, first);
            if (h->keep)
                share_gradient(h, kern, &t, ql_head_kept(h, &t, h->exp),
                               ql_head_kept(h, &t, h->slope), space);
            else
                share_again(h, p, kern, pass, &t, strip, space);
            ql_head_backward(h, p, kern, pass, &t, strip, QL_HEAD_MEAN, QL_HEAD_DISP, space);
        }
    }
}
