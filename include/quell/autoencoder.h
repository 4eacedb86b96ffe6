/* The count autoencoder: genes -> hidden layers -> bottleneck -> hidden layers -> likelihood heads.
 *
 * One object carries what the DCA types and the classic family share; a kind is a setting, not a
 * copy. The work of a minibatch is a few phases that a team of threads goes through together
 * (docs/engine.md). */
#ifndef QUELL_AUTOENCODER_H
#define QUELL_AUTOENCODER_H

#include "quell/code.h"
#include "quell/conv_layer.h"
#include "quell/covariates.h"
#include "quell/gauss_net.h"
#include "quell/heads.h"
#include "quell/hidden.h"
#include "quell/init.h"
#include "quell/input_dense.h"
#include "quell/input_layer.h"
#include "quell/input_terms.h"
#include "quell/label_head.h"
#include "quell/ladder.h"
#include "quell/latent.h"
#include "quell/likelihood.h"
#include "quell/parallel.h"
#include "quell/scanvi.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { QL_MAX_HIDDEN = 16 };

/* Where in the bottleneck the latent space is read. */
typedef enum {
    QL_LATENT_LINEAR,    /* output of its dense part */
    QL_LATENT_NORM,      /* after batch norm */
    QL_LATENT_ACTIVATION /* after the activation */
} ql_latent_at;

/* What makes an autoencoder a variational one: a code that is drawn, means that are shares of a
 * cell's molecules, covariates (docs/vae.md). */
typedef struct {
    bool on;
    ql_kl_rule kl;
    ql_cov_shape cov;
    bool shallow;            /* of the decoder's layers only the first sees the covariates */
    bool encode_covariates;  /* the encoder sees the covariates too; the decoder always does */
    bool group_by_label;     /* dispersions per group: groups are labels; else levels of the first
                                covariate */
    bool latent_library;     /* the library size is drawn as well, by an encoder of its own */
    int64_t latent2;         /* units of a second code above the code (ladder.h); 0: none */
    bool scanvi;             /* with labels: the code has a prior for each label (scanvi.h) */
    bool library_sees_total; /* which is told the cell's molecules, as the inputs do not say them */
} ql_vae_config;

typedef struct {
    int n_hidden;
    int64_t
        hidden[QL_MAX_HIDDEN]; /* widths; the middle one (index n_hidden / 2) is the bottleneck */
    const ql_likelihood *likelihood;
    const ql_activation *act;
    const ql_activation *code_act; /* of the bottleneck; NULL: act, or linear if linear_latent */
    double slope;                  /* of leakyrelu below zero */
    int stage; /* above 0: built are the first so many hidden layers, the last of which the heads
                  read, and the layers below it do not learn (layer-wise pretraining) */
    bool linear_latent; /* the bottleneck has no norm, nor an activation unless code_act is one */
    ql_latent_at latent_at;
    bool batch_norm, layer_norm; /* at most one */
    double dropout;              /* of the hidden layers other than the bottleneck */
    int n_dropouts;              /* above 0: each layer has its own: */
    double dropouts[QL_MAX_HIDDEN];
    double ridge;                  /* penalty of pi^2 */
    double l1, l2, l1_enc, l2_enc; /* penalties; the _enc ones rule up to the bottleneck if not 0 */
    double code_l1, code_kl, code_rho; /* penalties of the code (code.h) */
    int64_t code_k;                    /* so many units of a code pass; 0: all */
    bool code_unit; /* with code_l1: weights out of the code have length 1 unless they are tied */
    double orthogonal;  /* penalty of |W W' - 1|^2 of each encoder layer, a unit a row */
    double contractive; /* penalty of the squared Jacobian of the code by the input (contract.h) */
    bool nonnegative_encoder, nonnegative_decoder; /* weights, the decoder's with the mean's */
    bool tied; /* the decoder's weights are the encoder's, transposed, and the mean's the input's */
    const ql_opt_rule *optimizer;
    double rate, clip, weight_decay; /* rate 0, weight_decay NaN: the optimizer's own */
    double eps;                      /* of the optimizer; 0: its own */
    double disp_rate;                /* learning rate of the dispersions per gene, times rate */
    double start_theta;              /* initial dispersion per gene */
    bool mean_loss;        /* gradients of the mean over cells and genes (as the reference);
                              else of the mean over cells of the sum over genes */
    bool keep_short_batch; /* a short last minibatch stays on its own, as the reference has it */
    bool start_at_means;   /* initial mean biases: log of the gene means */
    bool shared_pi;        /* zinb-elempi: one k and one c for all genes */
    const ql_init *init;   /* of the weights; NULL: glorot_uniform */
    bool match_depth;   /* predictions are scaled so that a cell's means add up to its molecules */
    ql_conv_shape conv; /* before the first hidden layer; filters 0: none */
    ql_corrupt corrupt; /* of the input, while training */
    bool bf16; /* products of the training in bfloat16; the weights and all else stay float32 */
    ql_vae_config vae;
    bool norm_gain;      /* batch norm has a gain (ql_hidden) */
    bool theta_normal;   /* logarithms of the dispersions start as standard normal numbers */
    double label_weight; /* above 0, and with labels in vae.cov: a classifier on the code, whose
                            mean loss of a labelled cell counts so much beside the loss of a cell */
    bool recompute;      /* of means that are shares: these are made again instead of kept for a
                            minibatch; the same bits, less memory */
    uint64_t seed;
} ql_ae_config;

/* Other models of the same genes, whose expected counts are mixed with this one's wherever it is
 * visited (quell/ensemble.h). */
typedef struct {
    /* out [n_genes, ld]: what the others add for rows[0..n) of the source's counts */
    ql_status (*rates)(void *ctx, const ql_batch_source *source, const int64_t *rows, int64_t n,
                       int64_t ld, ql_real *out, ql_err *err);
    const ql_real *weight; /* [n_genes] what this model's own are multiplied by */
    void *ctx;
} ql_ae_company;

/* What a layer sees that has covariates beside its input: rows of both. */
typedef struct {
    int64_t n_below, n_extra; /* n_extra 0: it sees the layer below as it is */
    ql_real *in, *in_t; /* [n_below + n_extra, cells], [cells, pad(n_below + n_extra)]; owned */
} ql_joined;

/* The encoder of a library size that is drawn (Lopez et al. 2018): the logarithm l of a cell's
 * molecules has the prior N(mean, var) of its batch and the posterior N(m, V) of a network of its
 * own; means are shares times exp(l). autoencoder_library.c. */
typedef struct {
    ql_gauss_net net; /* its first layer's weights are the last units of the input layer's */
    int prior;        /* tensor [2, groups], not trained: means, variances; the last group: of cells
                         of no known batch */
    int total;        /* tensor [1, units] that the logarithm of the molecules comes through, -1 */
    int64_t n_groups; /* 0: the library size is observed */
    int64_t *group;   /* [cells] of the batch at hand; owned, as all that follow */
    ql_real *log_total;         /* [cells] standardised by the prior */
    ql_real *observed;          /* [cells] what the library size would be */
    ql_real *grad_t, *grad_sum; /* [cells, pad(units)], [pad(units)] gradients by all units of the
                                   input layer, by cell and their sums */
} ql_library_encoder;

typedef struct {
    ql_ae_config cfg;
    int64_t n_genes;
    const ql_kern *kern;
    ql_kern bf16_kern;    /* kern with other products, for training with cfg.bf16 */
    const char *bf16_how; /* instructions used for them; NULL: none */
    ql_input_map map;     /* borrowed arrays */
    ql_params params;
    ql_input_layer input;
    ql_input_terms input_terms;
    ql_conv conv; /* with cfg.conv: what the input layer sees instead of the genes */
    ql_hidden hidden[QL_MAX_HIDDEN];
    int n_hidden, center;
    /* of heads with decoder layers of their own: those of branch b > 0 are fork[b - 1][i], i >
       center, and fork_grad [bottleneck, capacity] takes their gradient by the bottleneck */
    ql_hidden fork[QL_MAX_HEADS - 1][QL_MAX_HIDDEN];
    ql_real *fork_grad; /* NULL without */
    ql_heads heads;
    ql_optimizer opt;
    ql_batch batch[2]; /* while one is trained on, the next is filled; inference uses the first */
    int64_t capacity;  /* most cells of a minibatch, padded */
    int n_threads;
    ql_head_space *space; /* [n_threads] */
    ql_real **tile_dw;    /* [n_threads] scratch of the input layer's gradient */
    double *code_scale;   /* [code] scratch of code_unit */
    ql_real **tile_x; /* [n_threads] scratch of dense inputs (or of conv); NULL: they are sparse */
    uint64_t step;    /* minibatches trained on so far */
    /* of a variational model (autoencoder_variational.c) */
    ql_label_head labels; /* of any model; n_labels 0: none */
    ql_latent latent;
    ql_library_encoder library;
    ql_scanvi scanvi;
    ql_ladder ladder;
    ql_cov_values cov;          /* of the cells, where a source gives none; value NULL: none */
    int input_cov;              /* tensor [units, columns] of the first layer; -1: none */
    ql_real *cov_in, *cov_in_t; /* [columns, cells] what the encoder sees; owned */
    ql_real *cov_out;           /* the same of the decoder */
    ql_real *cov_dw;            /* [units, pad(columns)] */
    ql_real *group, *group_t;   /* as in ql_head_pass; owned */
    ql_joined joined[QL_MAX_HIDDEN + 1]; /* of layer i; the last: of the heads */
    const uint8_t *lacks; /* [n_genes] genes that the counts do not have, of which nothing is seen:
                           * depths are matched over the others; NULL: none; borrowed */
    const ql_ae_company *company; /* NULL: none; borrowed */
    /* [n_genes] means become weight mu + (1 - weight) share x molecules of the cell when they are
     * visited; NULL: they stay; borrowed */
    const float *mix_weight, *mix_share;
} ql_ae;

/* Sizes that decide the memory a model takes. */
typedef struct {
    int64_t n_genes, max_row_nnz, batch_size;
    int n_threads;
    bool separate_targets; /* inputs and targets may differ (thinning) */
} ql_ae_sizes;

/* QL_EUSAGE, with the option's name, where settings contradict each other. */
QL_MUST_USE ql_status ql_ae_check(const ql_ae_config *cfg, ql_err *err);

/* Build and initialise. log_rate [n_genes] starts the biases (may be NULL if !start_at_means). On
 * failure everything is released. QL_EUSAGE: as ql_ae_check, or bfloat16 is asked for and the
 * processor has none. */
QL_MUST_USE ql_status ql_ae_new(ql_ae *ae, const ql_ae_config *cfg, const ql_ae_sizes *sizes,
                                ql_input_map map, const ql_real *log_rate, const ql_kern *kern,
                                ql_err *err);
void ql_ae_free(ql_ae *ae);

/* Layers and named tensors of a configuration, without memory for them: what a model file must
 * hold. Nothing to be freed. */
void ql_ae_declare(ql_ae *ae, const ql_ae_config *cfg, int64_t n_genes);

/* Start the configured optimizer anew at this rate; its moments are the caller's business. */
void ql_ae_start_optimizer(ql_ae *ae, double rate);

/* From now on so many threads work on it. After a failure it can only be freed. */
QL_MUST_USE ql_status ql_ae_set_threads(ql_ae *ae, int n_threads, ql_err *err);

/* Bytes ql_ae_new takes. */
int64_t ql_ae_bytes(const ql_ae_config *cfg, const ql_ae_sizes *sizes);

/* Bytes of a copy of the weights, their moments and the best weights. */
int64_t ql_ae_state_bytes(const ql_ae_config *cfg, int64_t n_genes);

/* One pass over the rows order[0..n) in minibatches; the last one is merged with its neighbour when
 * it is shorter than half a minibatch (unless keep_short_batch). *loss: mean over cells and genes,
 * in nats, of the running model, without ln y!. Returns QL_EDIVERGED as soon as a minibatch's loss
 * is not finite, and QL_EINT or QL_ETERM when a signal has come. */
QL_MUST_USE ql_status ql_ae_train_epoch(ql_ae *ae, const ql_batch_source *source,
                                        const int64_t *order, int64_t n, int64_t batch_size,
                                        double *loss, ql_err *err);

/* How far an epoch has come. */
typedef struct {
    int64_t at;  /* cells of its order that were trained on */
    double loss; /* sum over them and the genes, nats */
} ql_ae_progress;

/* Asked by one thread after each minibatch; true: stop there. */
typedef struct {
    bool (*due)(void *ctx);
    void *ctx;
} ql_ae_pause;

/* The epoch from *p (zero: its start) to its end or to where the pause (NULL: none) is due; *p says
 * where that is, also with QL_EINT and QL_ETERM, where the minibatch is finished first. The weights
 * are then those of a run that was not stopped, so that going on from *p gives the same bits. */
QL_MUST_USE ql_status ql_ae_train_part(ql_ae *ae, const ql_batch_source *source,
                                       const int64_t *order, int64_t n, int64_t batch_size,
                                       ql_ae_progress *p, const ql_ae_pause *pause, ql_err *err);

/* Loss of each of n rows (sum over genes, nats, without ln y!) in inference mode; cell_loss [n]. */
QL_MUST_USE ql_status ql_ae_cell_loss(ql_ae *ae, const ql_batch_source *source, const int64_t *rows,
                                      int64_t n, double *cell_loss, ql_err *err);

/* The same at the depth that ql_ae_visit shows (match_depth) and without penalties, with
 * log_theta [n_genes] instead of the model's dispersions per gene (NULL, or a likelihood without
 * them: the model's own). Without ln y!. */
QL_MUST_USE ql_status ql_ae_cell_nll(ql_ae *ae, const ql_batch_source *source, const int64_t *rows,
                                     int64_t n, const ql_real *log_theta, double *cell_nll,
                                     ql_err *err);

/* Is anything but the likelihood part of the loss? */
bool ql_ae_has_penalty(const ql_ae_config *cfg);

/* Penalties of the weights (l1, l2, orthogonal), as they enter the loss. Those of the code and of
 * its Jacobian are in the loss of an epoch. */
double ql_ae_penalty(const ql_ae *ae);

/* What the model says of one tile of genes and up to QL_BLOCK cells. */
typedef struct {
    const ql_batch *batch;
    int64_t strip, tile;
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
 * its forward pass (cells may be NULL). Strips of a batch run on different threads, tiles of a
 * strip in order on one. */
typedef struct {
    void (*tile)(void *ctx, const ql_ae_tile *tile);
    ql_status (*cells)(void *ctx, const ql_ae *ae, int64_t first_row, int64_t n, ql_err *err);
    ql_status (*done)(void *ctx, int64_t first_row, int64_t n,
                      ql_err *err); /* the batch's tiles are done */
    void *ctx;
} ql_ae_visitor;

/* Run n rows through the model in inference mode, in blocks of at most `block` cells (0: capacity).
 * The means that a tile shows are those of the mixture if there is company. */
QL_MUST_USE ql_status ql_ae_visit(ql_ae *ae, const ql_batch_source *source, const int64_t *rows,
                                  int64_t n, int64_t block, const ql_ae_visitor *visitor,
                                  ql_err *err);

/* Is the bottleneck's output what a latent space should be? So where the code has an activation or
 * a rule of its own; else it is that of its dense part, before norm and activation. */
bool ql_ae_code_is_output(const ql_ae_config *cfg);

/* Divergence of the code of the cell at position i of the batch just visited from its prior, and of
 * the second code, where there is one, from N(0, 1); of each unit into unit (NULL: not wanted). */
double ql_ae_code_kl(const ql_ae *ae, int64_t i, double *unit);
double ql_ae_second_kl(const ql_ae *ae, int64_t i, double *unit);

/* Of a latent library size: posterior and prior of ln molecules of the cell at position i of the
 * batch just visited. */
typedef struct {
    double mean, var, prior_mean, prior_var;
} ql_ae_library;
ql_ae_library ql_ae_library_of(const ql_ae *ae, int64_t i);

/* The divergence of that posterior from the prior, nats; 0 where the library size is observed. */
double ql_ae_library_kl(const ql_ae *ae, int64_t i);

/* The prior of each group (library.n_groups), of which variances below 1e-4 become that; begin: the
 * posterior of all cells begins at the last group's. */
void ql_ae_library_set_prior(ql_ae *ae, const double *mean, const double *var, bool begin);

/* Group of a cell whose row of covariates is this. */
int64_t ql_ae_library_group(const ql_ae *ae, const float *row);

/* Probabilities of the labels of the cell at position i of the batch just visited, out [labels]. */
void ql_ae_label_probs(const ql_ae *ae, int64_t i, float *out);

/* Width of the bottleneck, and its values for the cell at position i of the batch just visited. */
int64_t ql_ae_latent_width(const ql_ae *ae);
void ql_ae_latent(const ql_ae *ae, ql_latent_at at, int64_t i, float *out);

#ifdef __cplusplus
}
#endif
#endif
