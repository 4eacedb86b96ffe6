/* What the parts of the output heads share. Private to src/nn. */
#ifndef QUELL_HEADS_INTERNAL_H
#define QUELL_HEADS_INTERNAL_H

#include "quell/heads.h"

/* One block of cells of one tile. */
typedef struct {
    int64_t tile, first, n, ld; /* cells first .. first + n - 1, rows of ld = pad(n) */
    ql_span genes;
} tile_block;

/* Does the head have pre-activations for each cell and gene of a tile? */
static inline bool ql_in_tile(ql_head_kind kind)
{
    return kind == QL_KIND_DENSE || kind == QL_KIND_UNIT || kind == QL_KIND_ELEMENT ||
           kind == QL_KIND_GROUP;
}

static inline bool ql_is_last_block(const ql_batch *b, const tile_block *t)
{
    return t->first + t->n == b->n;
}

/* A strip's partial gradient by the last hidden layer of a branch. */
static inline ql_real *ql_head_part(const ql_heads *h, int64_t strip, int branch)
{
    return h->parts + (strip * h->n_branches + branch) * h->n_in * h->capacity;
}

/* ---- heads with weights for each gene (head_dense.c) ---- */

/* Pre-activations in the block: out [genes, ld]. */
void ql_head_dense(const ql_heads *h, const ql_params *p, const ql_kern *kern,
                   const ql_head_pass *pass, const tile_block *t, int head, ql_real *out);

/* What the block adds to the gradient by the hidden layer: part [n_in, n_pad]. */
void ql_head_hidden_gradient(const ql_heads *h, const ql_params *p, const ql_kern *kern,
                             const ql_head_pass *pass, const tile_block *t, int head, ql_real *part,
                             const ql_head_space *s);

/* What the block adds to the gradient by the weights (begun anew at the first block); with the last
 * block the weights are updated. */
void ql_head_weight_gradient(const ql_heads *h, ql_params *p, const ql_kern *kern,
                             const ql_head_pass *pass, const tile_block *t, int head,
                             ql_head_space *s);

/* sums [genes]: of the rows of x [genes, ld], begun anew at the batch's first block. */
void ql_head_row_sums(const ql_kern *kern, const tile_block *t, const ql_real *x, ql_real *scratch,
                      ql_real *sums);

/* Update the block's genes in a vector over genes; rate: times the optimizer's. */
void ql_head_update_vector(ql_params *p, int tensor, ql_span genes, ql_real *grad,
                           const ql_head_pass *pass, double rate);

/* ---- what all genes share (head_unit.c) ---- */

/* UNIT: the one row of pre-activations, for every gene of the block, into s->act[head]. */
void ql_head_unit(const ql_heads *h, const ql_params *p, const ql_kern *kern,
                  const ql_head_pass *pass, const tile_block *t, int head, ql_head_space *s);

/* UNIT: add the block's gradients, summed over its genes, to the strip's. */
void ql_head_unit_backward(ql_heads *h, const ql_kern *kern, const tile_block *t, int head,
                           int64_t strip, const ql_head_space *s);

/* ELEMENT: pre-activations of the dropout from those of the mean. */
void ql_head_element(const ql_heads *h, const ql_params *p, const tile_block *t, ql_head_space *s);

/* ELEMENT: gradients by k and c, and what the dropout adds to the gradient by the mean's
 * pre-activation. Comes before the mean's own backward. */
void ql_head_element_backward(ql_heads *h, ql_params *p, const ql_kern *kern,
                              const ql_head_pass *pass, const tile_block *t, int64_t strip,
                              ql_head_space *s);

/* Memory of what the genes share; begin a strip's sums. */
QL_MUST_USE ql_status ql_head_shared_alloc(ql_heads *h, ql_err *err);
int64_t ql_head_shared_bytes(const ql_heads *h, int64_t capacity);
void ql_head_shared_begin(ql_heads *h, const ql_batch *b, int64_t strip);

/* ---- means that are shares or chances ---- */

/* Is the mean more than its pre-activation: a share, or log-odds with an offset of the cell? */
static inline bool ql_head_is_special(const ql_heads *h)
{
    return h->share || h->odds;
}

/* A block's part of exp or slope. */
static inline ql_real *ql_head_kept(const ql_heads *h, const tile_block *t, ql_real *of)
{
    return of + t->genes.first * h->capacity + t->first * t->genes.count;
}

/* What makes shares of the block's e: [t->ld]. */
static inline const ql_real *ql_head_scale(const ql_heads *h, const tile_block *t)
{
    return h->scale + t->tile * h->capacity + t->first;
}

/* Where the mean's pre-activations, or e, are to be read. */
static inline const ql_real *ql_head_mean_in(const ql_heads *h, const tile_block *t,
                                             const ql_head_space *s)
{
    return h->share && h->keep ? ql_head_kept(h, t, h->exp) : s->act[QL_HEAD_MEAN];
}

/* head_softmax.c: numbers of what normalising takes; allocate it. */
int64_t ql_head_share_reals(const ql_heads *h, int64_t capacity);
QL_MUST_USE ql_status ql_head_share_alloc(ql_heads *h, ql_err *err);
void ql_head_share_free(ql_heads *h);

/* ---- a block (head_block.c) ---- */

tile_block ql_head_block_at(const ql_heads *h, const ql_batch *b, int64_t tile, int64_t first);

/* The mean's log-odds with their offset, or e unless it is kept, into s->act[QL_HEAD_MEAN]. */
void ql_head_special_mean(const ql_heads *h, const ql_params *p, const ql_kern *kern,
                          const ql_head_pass *pass, const tile_block *t, ql_head_space *s);

/* Of all heads. The mean's come first: others may be made of them. Of shares they are e, and may be
 * kept. */
void ql_head_pre_activations(const ql_heads *h, const ql_params *p, const ql_kern *kern,
                             const ql_head_pass *pass, const tile_block *t, ql_head_space *s);

/* What a mean is multiplied with, for each cell of the block: [t->ld]. */
const ql_real *ql_head_size(const ql_heads *h, const ql_batch *b, const tile_block *t,
                            const ql_head_space *s);

/* Pre-activations and likelihood: losses are added to loss, pre-activations become gradients. */
void ql_head_block(const ql_heads *h, const ql_params *p, const ql_kern *kern,
                   const ql_head_pass *pass, const tile_block *t, ql_head_space *s, double *loss);

/* Gradients by the heads [from, to) of a block, and with the tile's last block the update of its
 * parameters. */
void ql_head_backward(ql_heads *h, ql_params *p, const ql_kern *kern, const ql_head_pass *pass,
                      const tile_block *t, int64_t strip, int from, int to, ql_head_space *s);

#endif
