/* The output heads, as wide as the genes: for one tile and minibatch, pre-activations, likelihood,
 * gradient by the hidden layer, gradient and update of the tile's weights, without leaving the
 * cache. Nothing of size cells x genes reaches memory. What all genes share (heads with one unit,
 * scalars) is summed by strip and updated once the strips are done. */
#ifndef QUELL_HEADS_H
#define QUELL_HEADS_H

#include "quell/batch.h"
#include "quell/optimizer.h"
#include "quell/params.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { QL_HEAD_MEAN, QL_HEAD_DISP, QL_HEAD_PI, QL_MAX_HEADS };

/* Where the pre-activations of a head come from. */
typedef enum {
    QL_KIND_NONE,    /* there is no such head */
    QL_KIND_GENE,    /* a free parameter per gene (dispersion only) */
    QL_KIND_DENSE,   /* dense, as wide as the genes */
    QL_KIND_UNIT,    /* dense with one unit: one value per cell, for all genes */
    QL_KIND_ELEMENT, /* k u + c, u the mean's pre-activation (dropout only) */
    QL_KIND_GROUP    /* a free parameter per gene and group of cells (dispersion only) */
} ql_head_kind;

/* What heads a likelihood has. fork: dense heads other than the mean's have decoder layers of their
 * own, instead of reading the mean's. */
typedef struct {
    ql_head_kind kind[QL_MAX_HEADS];
    bool fork;
    bool share;     /* the mean is the gene's share of the cell's molecules times their number: its
                       pre-activations are normalised over the genes */
    bool odds;      /* the mean is a probability: ln of the size factor is added to its log-odds */
    int64_t groups; /* of QL_KIND_GROUP */
} ql_head_layout;

typedef struct {
    int64_t n_in; /* units of the last hidden layer (of each branch) */
    ql_tiling tiling;
    ql_head_kind kind[QL_MAX_HEADS];
    int n_branches;           /* last hidden layers that the heads read */
    int branch[QL_MAX_HEADS]; /* which of them a dense head reads; the mean's is 0 */
    int weight[QL_MAX_HEADS]; /* tensors [genes, n_in]; UNIT: [1, n_in]; ELEMENT: k [1, genes or 1]
                               */
    int bias[QL_MAX_HEADS];   /* tensors [1, genes]; UNIT: [1, 1]; ELEMENT: c [1, genes or 1] */
    int disp_gene;            /* tensor [genes] of QL_KIND_GENE; -1: none */
    int64_t n_groups;         /* of QL_KIND_GROUP, whose tensor is weight[QL_HEAD_DISP] [genes,
                                 groups] */
    bool share, odds;         /* as the layout says */
    bool keep;                /* share: e and its gradients are kept for a minibatch; else
                                 they are computed again when they are wanted */
    bool shared_pi;           /* k and c of ELEMENT are one number each */
    const ql_lik_kern *lik;   /* from the kernel table in use */
    bool tied; /* the mean's weights are the tensor weight[QL_HEAD_MEAN] of another layer, set */
    ql_real *kept; /* before the heads are declared; their gradient [genes, pad(n_in)] goes here,
                      and they are not updated; borrowed */
    ql_input_map inverse; /* values are inputs, to be turned back into counts; inv_sd NULL: not */
    ql_real ridge;
    double disp_rate; /* the learning rate of disp_gene is this times the others' */
    int64_t capacity;
    ql_real *parts; /* [strips, branches, n_in, capacity] partial gradients by the last hidden
                       layers; owned */
    double *loss;   /* [strips, capacity] partial losses of the cells; owned */
    ql_real *unit;  /* [QL_MAX_HEADS, strips, capacity] partial gradients by the pre-activations of
                       UNIT heads, [n_in] scratch; owned, NULL without such heads */
    double *scalar; /* [strips, 2] partial gradients by a shared k and c; owned, NULL without */
    /* of share and odds (head_softmax.c); owned */
    ql_real *offset; /* odds: [capacity] added to the mean's pre-activations */
    ql_real *most;   /* [tiles, capacity] largest logit */
    ql_real *scale;  /* [tiles, capacity] sum of e = exp(logit - largest); once normalised, what
                        makes a share of e */
    ql_real *pull;   /* [strips + 1, capacity] gradient by a common shift of the logits */
    ql_real *exp, *slope; /* [genes, capacity] blocks of tiles, with keep: e; d loss / d ln mu */
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
    ql_real *product;            /* [QL_BLOCK] of a likelihood's ratios */
    ql_real *size;               /* [QL_BLOCK] what makes mu of a tile's e */
    void *memory;                /* owner of all of these */
} ql_head_space;

/* Declare the tensors of a likelihood with these heads. shared_pi: see ql_heads. */
void ql_heads_declare(ql_heads *h, ql_params *p, int64_t n_genes, int64_t n_in,
                      const ql_head_layout *layout, bool shared_pi);
/* Bytes ql_heads_alloc takes. */
int64_t ql_heads_bytes(const ql_heads *h, int64_t capacity);
QL_MUST_USE ql_status ql_heads_alloc(ql_heads *h, int64_t capacity, ql_err *err);
/* Means are kept between the sweeps of a minibatch of at most so many cells. */
enum { QL_KEEP_CELLS = 256 };
void ql_heads_free(ql_heads *h);
QL_MUST_USE ql_status ql_head_space_alloc(ql_head_space *s, int64_t width, ql_err *err);
void ql_head_space_free(ql_head_space *s);
int64_t ql_head_space_bytes(int64_t width);

/* What the tile pass reads and how it updates. */
typedef struct {
    const ql_batch *batch;
    const ql_real *hidden[QL_MAX_HEADS];   /* of each branch: [n_in, n_pad] */
    const ql_real *hidden_t[QL_MAX_HEADS]; /* the same transposed: [n_pad, pad(n_in)] */
    const ql_real *group, *group_t; /* [groups, n_pad] 1 where the cell is of the group, and the
                                       same transposed [n_pad, pad(groups)]; NULL without groups */
    const ql_opt_step *step;        /* NULL: loss only, no gradients */
} ql_head_pass;

/* Of means that are shares: the logits of a strip and their sums, before anything else looks at the
 * batch; then, on one thread, what normalises them. Without shares (but with odds) the second
 * alone.
 */
void ql_heads_norm_strip(ql_heads *h, const ql_params *p, const ql_kern *kern,
                         const ql_head_pass *pass, int64_t strip, ql_head_space *space);
void ql_heads_norm_finish(ql_heads *h, const ql_kern *kern, const ql_batch *b);

/* And after ql_heads_strip has gone over all of them in training: on one thread the sum of the
 * pulls, then for each strip the gradient by the logits, and what follows from it. */
void ql_heads_pull_finish(ql_heads *h, const ql_kern *kern, const ql_batch *b);
void ql_heads_share_strip(ql_heads *h, ql_params *p, const ql_kern *kern, const ql_head_pass *pass,
                          int64_t strip, ql_head_space *space);

/* All tiles of a strip: partial losses, and (training) partial gradients and updated weights.
 * Strips may run on different threads, each with a space of its own. */
void ql_heads_strip(ql_heads *h, ql_params *p, const ql_kern *kern, const ql_head_pass *pass,
                    int64_t strip, ql_head_space *space);

/* out [n_in, n_pad]: sum of the partial gradients by a branch, for elements [first, first + n). */
void ql_heads_reduce(ql_heads *h, const ql_kern *kern, const ql_batch *b, int branch, int64_t first,
                     int64_t n, ql_real *out);

/* After all strips and reductions, on one thread: gradients and updates of what the genes share;
 * what UNIT heads add goes to the gradient by the first branch, grad [n_in, n_pad]. */
void ql_heads_finish(ql_heads *h, ql_params *p, const ql_kern *kern, const ql_head_pass *pass,
                     ql_real *grad);

/* Loss of each cell of the batch, summed over the strips in their order. loss [b->n]. */
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
