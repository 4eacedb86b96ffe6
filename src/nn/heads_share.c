/* Means that are a gene's share of its cell's molecules: logits normalised over all genes, so that
 * a minibatch takes three sweeps over the tiles instead of one.
 *
 *   1. logits, and for each shard the largest of each cell and the sum of their exponentials;
 *   2. with ln rho = logit - ln sum of exp(logit) the likelihood as for any other mean, which gives
 *      t = d loss / d ln mu; the other heads learn. Its sum over the genes is the cell's pull S;
 *   3. the gradient by the logits, t - rho S, and what follows from it.
 *
 * Logits and t stay for the length of a minibatch: two numbers for each of its cells and genes, as
 * much as a head's weights at 64 cells a block of 128 units. Of very large minibatches they are
 * made again instead. */
#include <string.h>

#include "heads_internal.h"
#include "quell/alloc.h"

#define LEAST_LOGIT (ql_real) - 1e30

int64_t ql_head_share_reals(const ql_heads *h, int64_t capacity)
{
    const int64_t by_shard = 3 * (int64_t)h->tiling.n_shards + 1;
    if (!ql_head_has_offset(h)) return 0;
    if (!h->share) return capacity;
    return (by_shard + 1) * capacity + (h->keep ? 2 * h->tiling.n_genes * capacity : 0);
}

ql_status ql_head_share_alloc(ql_heads *h, ql_err *err)
{
    const int64_t by_shard = h->tiling.n_shards * h->capacity;
    if (!ql_head_has_offset(h)) return QL_OK;
    QL_TRY(QL_NEW(h->offset, h->capacity, "output heads", err));
    if (!h->share) return QL_OK;
    QL_TRY(QL_NEW(h->most, by_shard, "output heads", err));
    QL_TRY(QL_NEW(h->sum, by_shard, "output heads", err));
    QL_TRY(QL_NEW(h->pull, by_shard + h->capacity, "output heads", err));
    if (!h->keep) return QL_OK;
    QL_TRY(QL_NEW(h->logit, h->tiling.n_genes * h->capacity, "logits of a minibatch", err));
    return QL_NEW(h->slope, h->tiling.n_genes * h->capacity, "logits of a minibatch", err);
}

void ql_head_share_free(ql_heads *h)
{
    ql_real *const all[] = {h->offset, h->most, h->sum, h->pull, h->logit, h->slope};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) ql_free(all[i]);
}

/* ---- the first sweep ---- */

void ql_heads_norm_shard(ql_heads *h, const ql_params *p, const ql_kern *kern,
                         const ql_head_pass *pass, int64_t shard, ql_head_space *space)
{
    const ql_batch *b = pass->batch;
    const ql_span tiles = ql_shard_tiles(&h->tiling, shard);
    ql_real *most = h->most + shard * h->capacity, *sum = h->sum + shard * h->capacity;
    for (int64_t i = 0; i < b->n_pad; i++) {
        most[i] = LEAST_LOGIT;
        sum[i] = 0;
    }
    for (int64_t tile = tiles.first; tile < tiles.first + tiles.count; tile++) {
        for (int64_t first = 0; first < b->n; first += QL_BLOCK) {
            tile_block t = ql_head_block_at(h, b, tile, first);
            ql_real *x = h->keep ? ql_head_kept(h, &t, h->logit) : space->act[QL_HEAD_MEAN];
            ql_head_dense(h, p, kern, pass, &t, QL_HEAD_MEAN, x);
            kern->soft_sums(t.genes.count, t.ld, x, most + first, sum + first);
        }
    }
}

/* offset = -(most + ln sum) over all shards, in their order */
static void normalise(ql_heads *h, const ql_kern *kern, int64_t n_pad)
{
    const int64_t ld = h->capacity;
    ql_real *most = h->most, *scaled = h->pull; /* which is not in use yet */
    for (int s = 1; s < h->tiling.n_shards; s++)
        for (int64_t i = 0; i < n_pad; i++)
            if (h->most[s * ld + i] > most[i]) most[i] = h->most[s * ld + i];
    memset(h->offset, 0, (size_t)n_pad * sizeof *h->offset);
    for (int s = 0; s < h->tiling.n_shards; s++) {
        const ql_real *own = s == 0 ? h->pull + ld * h->tiling.n_shards : h->most + s * ld;
        for (int64_t i = 0; i < n_pad; i++) scaled[i] = own[i] - most[i];
        kern->exp(n_pad, scaled, scaled);
        for (int64_t i = 0; i < n_pad; i++)
            h->offset[i] = h->offset[i] + scaled[i] * h->sum[s * ld + i];
    }
    kern->log(n_pad, h->offset, h->offset);
    for (int64_t i = 0; i < n_pad; i++) h->offset[i] = -(most[i] + h->offset[i]);
}

void ql_heads_norm_finish(ql_heads *h, const ql_kern *kern, const ql_batch *b)
{
    if (!h->share) {
        if (h->odds) kern->log(b->n_pad, b->size, h->offset);
        return;
    }
    /* the first shard's maxima become those of all: its own are wanted once more */
    memcpy(h->pull + h->capacity * h->tiling.n_shards, h->most, (size_t)b->n_pad * sizeof *h->most);
    normalise(h, kern, b->n_pad);
}

void ql_head_offset_mean(const ql_heads *h, const ql_params *p, const ql_kern *kern,
                         const ql_head_pass *pass, const tile_block *t, ql_head_space *s)
{
    ql_real *x = s->act[QL_HEAD_MEAN];
    const ql_real *logit = x;
    if (h->share && h->keep)
        logit = ql_head_kept(h, t, h->logit);
    else
        ql_head_dense(h, p, kern, pass, t, QL_HEAD_MEAN, x);
    kern->add_row(t->genes.count, t->ld, logit, h->offset + t->first, x);
}

/* ---- the third sweep ---- */

void ql_heads_pull_finish(ql_heads *h, const ql_kern *kern, const ql_batch *b)
{
    ql_real *all = h->pull + h->capacity * h->tiling.n_shards;
    if (h->share) ql_shard_sum(kern, h->tiling.n_shards, h->pull, h->capacity, 0, b->n_pad, all);
}

/* Into s->act[QL_HEAD_MEAN]: the gradient by the logits. */
static void share_gradient(ql_heads *h, const ql_kern *kern, const tile_block *t,
                           const ql_real *logit, const ql_real *slope, ql_head_space *s)
{
    const ql_real *pull = h->pull + h->capacity * h->tiling.n_shards + t->first;
    kern->share_gradient(t->genes.count, t->ld, logit, h->offset + t->first, pull, slope,
                         s->act[QL_HEAD_MEAN]);
}

void ql_heads_share_shard(ql_heads *h, ql_params *p, const ql_kern *kern, const ql_head_pass *pass,
                          int64_t shard, ql_head_space *space)
{
    const ql_batch *b = pass->batch;
    const ql_span tiles = ql_shard_tiles(&h->tiling, shard);
    for (int64_t tile = tiles.first; tile < tiles.first + tiles.count; tile++) {
        for (int64_t first = 0; first < b->n; first += QL_BLOCK) {
            tile_block t = ql_head_block_at(h, b, tile, first);
            if (h->keep) {
                share_gradient(h, kern, &t, ql_head_kept(h, &t, h->logit),
                               ql_head_kept(h, &t, h->slope), space);
            } else {
                double known[QL_BLOCK] = {0}; /* the losses, which the second sweep has counted */
                ql_real *logit = space->list[QL_HEAD_MEAN]; /* of use to the likelihood only */
                ql_head_block(h, p, kern, pass, &t, space, known);
                ql_head_dense(h, p, kern, pass, &t, QL_HEAD_MEAN, logit);
                ql_head_backward(h, p, kern, pass, &t, shard, QL_HEAD_DISP, QL_MAX_HEADS, space);
                share_gradient(h, kern, &t, logit, space->act[QL_HEAD_MEAN], space);
            }
            ql_head_backward(h, p, kern, pass, &t, shard, QL_HEAD_MEAN, QL_HEAD_DISP, space);
        }
    }
}
