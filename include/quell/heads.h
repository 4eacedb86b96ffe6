/* The output heads, as wide as the genes: for one tile and minibatch, pre-activations, likelihood,
 * gradient by the hidden layer, gradient and update of the tile's weights, without leaving the
 * cache. Nothing of size cells x genes reaches memory. */
#ifndef QUELL_HEADS_H
#define QUELL_HEADS_H

#include "quell/batch.h"
#include "quell/optimizer.h"
#include "quell/params.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { QL_HEAD_MEAN, QL_HEAD_DISP, QL_HEAD_PI, QL_MAX_HEADS };

typedef struct {
    int64_t n_in; /* units of the last hidden layer */
    ql_tiling tiling;
    ql_disp_kind disp;
    bool dense[QL_MAX_HEADS]; /* heads that are dense layers */
    int weight[QL_MAX_HEADS]; /* tensors [genes, n_in] */
    int bias[QL_MAX_HEADS];   /* tensors [genes] */
    int disp_gene;            /* tensor [genes] of QL_DISP_GENE */
    const ql_lik_kern *lik;   /* from the kernel table in use */
    ql_input_map inverse; /* values are inputs, to be turned back into counts; inv_sd NULL: not */
    ql_real ridge;
    double disp_rate; /* the learning rate of disp_gene is this times the others' */
    int64_t capacity;
    ql_real *parts; /* [shards, n_in, capacity] partial gradients by the hidden layer; owned */
    double *loss;   /* [shards, capacity] partial losses of the cells; owned */
} ql_heads;

/* Work space of one thread. */
typedef struct {
    ql_real *act[QL_MAX_HEADS];  /* [QL_TILE, QL_BLOCK] pre-activations, then gradients */
    ql_real *list[QL_MAX_HEADS]; /* the same for the entries with counts */
    ql_entry_lists entries;      /* [QL_TILE * QL_BLOCK] */
    ql_real *loss;               /* of the entries */
    ql_real *dw[QL_MAX_HEADS];   /* [QL_TILE, pad(n_in)] */
    ql_real *db[QL_MAX_HEADS];   /* [QL_TILE] */
    ql_real *sums;               /* [QL_TILE] */
    ql_real *block_loss;         /* [QL_BLOCK] */
    void *memory;                /* owner of all of these */
} ql_head_space;

/* Declare the tensors of a likelihood with these kinds of heads. */
void ql_heads_declare(ql_heads *h, ql_params *p, int64_t n_genes, int64_t n_in, ql_disp_kind disp,
                      bool has_pi);
ql_status ql_heads_alloc(ql_heads *h, int64_t capacity, ql_err *err);
void ql_heads_free(ql_heads *h);
ql_status ql_head_space_alloc(ql_head_space *s, int64_t width, ql_err *err);
void ql_head_space_free(ql_head_space *s);
int64_t ql_head_space_bytes(int64_t width);

/* What the tile pass reads and how it updates. */
typedef struct {
    const ql_batch *batch;
    const ql_real *hidden;   /* [n_in, n_pad] */
    const ql_real *hidden_t; /* [n_pad, pad(n_in)] */
    const ql_optimizer *opt; /* NULL: loss only, no gradients */
    const ql_opt_step *step;
} ql_head_pass;

/* All tiles of a shard: partial losses, and (training) partial gradients and updated weights.
 * Shards may run on different threads, each with a space of its own. */
void ql_heads_shard(ql_heads *h, ql_params *p, const ql_kern *kern, const ql_head_pass *pass,
                    int64_t shard, ql_head_space *space);

/* out [n_in, n_pad]: sum of the partial gradients, for elements [first, first + n). */
void ql_heads_reduce(ql_heads *h, const ql_kern *kern, const ql_batch *b, int64_t first, int64_t n,
                     ql_real *out);

/* Loss of each cell of the batch, summed over the shards in their order. loss [b->n]. */
void ql_heads_cell_loss(const ql_heads *h, const ql_batch *b, double *loss);

/* mu, theta and pi of one tile for cells [first, first + n) (first a multiple of QL_PAD, n at most
 * QL_BLOCK), left in space->act with row stride pad(n). Theta per gene: every row holds it. With
 * `inverse` mu is what the predicted input means in counts. */
void ql_heads_values(const ql_heads *h, const ql_params *p, const ql_kern *kern,
                     const ql_head_pass *pass, int64_t tile, int64_t first, int64_t n,
                     ql_head_space *space);

#ifdef __cplusplus
}
#endif
#endif
