/* The count autoencoder: genes -> hidden layers -> bottleneck -> hidden layers -> likelihood heads.
 *
 * One object carries what the DCA types and the classic family share; a kind is a setting, not a
 * copy. The work of a minibatch is a few phases that a team of threads goes through together
 * (docs/engine.md). */
#ifndef QUELL_AUTOENCODER_H
#define QUELL_AUTOENCODER_H

#include "quell/conv_layer.h"
#include "quell/heads.h"
#include "quell/hidden.h"
#include "quell/input_dense.h"
#include "quell/likelihood.h"
#include "quell/parallel.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { QL_MAX_HIDDEN = 16 };

typedef struct {
    int n_hidden;
    int64_t
        hidden[QL_MAX_HIDDEN]; /* widths; the middle one (index n_hidden / 2) is the bottleneck */
    const ql_likelihood *likelihood;
    const ql_activation *act;
    bool linear_latent; /* the bottleneck has neither batch norm nor activation */
    bool batch_norm;
    double dropout;                /* of the hidden layers other than the bottleneck */
    double ridge;                  /* penalty of pi^2 */
    double l1, l2, l1_enc, l2_enc; /* penalties; the _enc ones rule up to the bottleneck if not 0 */
    const ql_opt_rule *optimizer;
    double rate, clip, weight_decay; /* rate 0, weight_decay NaN: the optimizer's own */
    double disp_rate;                /* learning rate of the dispersions per gene, times rate */
    double start_theta;              /* initial dispersion per gene */
    bool mean_loss;        /* gradients of the mean over cells and genes (as the reference);
                              else of the mean over cells of the sum over genes */
    bool keep_short_batch; /* a short last minibatch stays on its own, as the reference has it */
    bool start_at_means;   /* initial mean biases: log of the gene means */
    bool match_depth;   /* predictions are scaled so that a cell's means add up to its molecules */
    ql_conv_shape conv; /* before the first hidden layer; filters 0: none */
    ql_corrupt corrupt; /* of the input, while training */
    bool bf16; /* products of the training in bfloat16; the weights and all else stay float32 */
    uint64_t seed;
} ql_ae_config;

typedef struct {
    ql_ae_config cfg;
    int64_t n_genes;
    const ql_kern *kern;
    ql_kern bf16_kern;    /* kern with other products, for training with cfg.bf16 */
    const char *bf16_how; /* instructions used for them; NULL: none */
    ql_input_map map;     /* borrowed arrays */
    ql_params params;
    ql_input_layer input;
    ql_conv conv; /* with cfg.conv: what the input layer sees instead of the genes */
    ql_hidden hidden[QL_MAX_HIDDEN];
    int n_hidden, center;
    ql_heads heads;
    ql_optimizer opt;
    ql_batch batch[2]; /* while one is trained on, the next is filled; inference uses the first */
    int64_t capacity;  /* most cells of a minibatch, padded */
    int n_threads;
    ql_head_space *space; /* [n_threads] */
    ql_real **tile_dw;    /* [n_threads] scratch of the input layer's gradient */
    ql_real **tile_x; /* [n_threads] scratch of dense inputs (or of conv); NULL: they are sparse */
    uint64_t step;    /* minibatches trained on so far */
} ql_ae;

/* Sizes that decide the memory a model takes. */
typedef struct {
    int64_t n_genes, max_row_nnz, batch_size;
    int n_threads;
    bool separate_targets; /* inputs and targets may differ (thinning) */
} ql_ae_sizes;

/* Build and initialise. log_rate [n_genes] starts the biases (may be NULL if !start_at_means). On
 * failure everything is released. QL_EUSAGE: bfloat16 is asked for and the processor has none. */
ql_status ql_ae_new(ql_ae *ae, const ql_ae_config *cfg, const ql_ae_sizes *sizes, ql_input_map map,
                    const ql_real *log_rate, const ql_kern *kern, ql_err *err);
void ql_ae_free(ql_ae *ae);

/* Start the configured optimizer anew at this rate; its moments are the caller's business. */
void ql_ae_start_optimizer(ql_ae *ae, double rate);

/* Bytes ql_ae_new takes. */
int64_t ql_ae_bytes(const ql_ae_config *cfg, const ql_ae_sizes *sizes);

/* One pass over the rows order[0..n) in minibatches; the last one is merged with its neighbour when
 * it is shorter than half a minibatch (unless keep_short_batch). *loss: mean over cells and genes,
 * in nats, of the running model, without ln y!. Returns QL_EDIVERGED as soon as a minibatch's loss
 * is not finite, and QL_EINT or QL_ETERM when a signal has come. */
ql_status ql_ae_train_epoch(ql_ae *ae, const ql_batch_source *source, const int64_t *order,
                            int64_t n, int64_t batch_size, double *loss, ql_err *err);

/* Loss of each of n rows (sum over genes, nats, without ln y!) in inference mode; cell_loss [n]. */
ql_status ql_ae_cell_loss(ql_ae *ae, const ql_batch_source *source, const int64_t *rows, int64_t n,
                          double *cell_loss, ql_err *err);

/* Penalties of the weights (l1, l2), as they enter the loss. */
double ql_ae_penalty(const ql_ae *ae);

/* What the model says of one tile of genes and up to QL_BLOCK cells. */
typedef struct {
    const ql_batch *batch;
    int64_t shard, tile;
    ql_span genes;
    int64_t first_row; /* position in rows[] of the batch's first cell */
    int64_t first, n;  /* cells of the batch */
    int64_t ld;        /* row stride of the values */
    const ql_real *mean, *theta,
        *pi;          /* [genes, ld] at the cells' own depth; NULL where there is none */
    ql_real *scratch; /* [QL_TILE * QL_BLOCK], this thread's own */
} ql_ae_tile;

/* counts [genes of the tile, ld] in t->scratch: the counts of the tile's cells, dense. Of a source
 * without targets of its own m is NULL: the batch has the counts as targets. Else m is the source's
 * matrix, of which row i of the batch is row first_row + i. */
const ql_real *ql_ae_tile_counts(const ql_ae_tile *t, const ql_csr *m);

/* Called from any thread for each tile (tile may be NULL), and from one thread for each batch after
 * its forward pass (cells may be NULL). Shards of a batch run on different threads, tiles of a
 * shard in order on one. */
typedef struct {
    void (*tile)(void *ctx, const ql_ae_tile *tile);
    ql_status (*cells)(void *ctx, const ql_ae *ae, int64_t first_row, int64_t n, ql_err *err);
    ql_status (*done)(void *ctx, int64_t first_row, int64_t n,
                      ql_err *err); /* the batch's tiles are done */
    void *ctx;
} ql_ae_visitor;

/* Run n rows through the model in inference mode, in blocks of at most `block` cells (0: capacity).
 */
ql_status ql_ae_visit(ql_ae *ae, const ql_batch_source *source, const int64_t *rows, int64_t n,
                      int64_t block, const ql_ae_visitor *visitor, ql_err *err);

/* Width of the bottleneck, and its values for the cell at position i of the batch just visited: the
 * output of its dense part, before batch norm and activation. */
int64_t ql_ae_latent_width(const ql_ae *ae);
void ql_ae_latent(const ql_ae *ae, int64_t i, float *out);

#ifdef __cplusplus
}
#endif
#endif
