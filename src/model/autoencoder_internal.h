/* The phases that training and inference share. Private to src/model. */
#ifndef QUELL_AUTOENCODER_INTERNAL_H
#define QUELL_AUTOENCODER_INTERNAL_H

#include "quell/autoencoder.h"

/* Where a thread of the team stands: all count phases alike. */
typedef struct {
    ql_team *team;
    int rank;
    int64_t phase;
} ql_ae_worker;

/* Steps of training are below it: what is drawn in inference is nothing that training has drawn. */
#define QL_INFERENCE_STEP ((uint64_t)1 << 43)

/* Every item of [0, n) on some thread, then meet. */
#define QL_AE_EACH(worker, n, item, body)                                                          \
    do {                                                                                           \
        int64_t item;                                                                              \
        while ((item = ql_team_next((worker)->team, (worker)->rank, (worker)->phase, (n))) >= 0) { \
            body;                                                                                  \
        }                                                                                          \
        (worker)->phase++;                                                                         \
        ql_team_barrier((worker)->team);                                                           \
    } while (0)

/* Items of `per` each that n make. */
static inline int64_t ql_ae_items(int64_t n, int64_t per)
{
    return (n + per - 1) / per;
}

/* The kernels of training: with products in bfloat16 where that was asked for. */
static inline const ql_kern *ql_ae_train_kern(const ql_ae *ae)
{
    return ae->cfg.bf16 ? &ae->bf16_kern : ae->kern;
}

/* A minibatch that is to be filled. */
typedef struct {
    ql_batch *batch;
    const ql_batch_source *source;
    const int64_t *rows; /* [batch->n]; NULL: at, at + 1, ... */
    int64_t at;
} ql_ae_filling;

/* Its cells are filled a few at a time: in so many items; items [first, end), then all meet. */
int64_t ql_ae_fill_items(int64_t n);
void ql_ae_fill(const ql_ae *ae, ql_ae_worker *w, const ql_ae_filling *f, int64_t first,
                int64_t end);

/* The first layer (autoencoder_input.c). What its dense part sees: genes, or what a convolution
 * makes of them; scratch of a thread for inputs that are not sparse, in numbers (0: they are); its
 * terms; and what a convolution takes, of the batches too. */
int64_t ql_ae_input_width(const ql_ae_config *cfg, int64_t n_genes);
int64_t ql_ae_input_scratch(const ql_ae_config *cfg);
void ql_ae_input_declare_terms(ql_ae *ae);
QL_MUST_USE ql_status ql_ae_input_alloc_conv(ql_ae *ae, ql_err *err);

/* Every thread calls these. The partial sums of all strips; c NULL: in inference, without
 * corruption. Their sums over the strips. Update, and the partial sums of the next minibatch (NULL:
 * none). */
void ql_ae_input_forward(ql_ae *ae, ql_ae_worker *w, const ql_batch *b, const ql_corrupt *c);
void ql_ae_input_reduce(ql_ae *ae, ql_ae_worker *w, const ql_batch *b);
void ql_ae_input_backward(ql_ae *ae, ql_ae_worker *w, const ql_batch *b, const ql_batch *next,
                          const ql_opt_step *step);

/* From the input layer's sums to the last hidden layers, on one thread. */
void ql_ae_hidden_forward(ql_ae *ae, const ql_batch *b, const ql_batch_source *source,
                          ql_pass pass);

/* Weights, biases, dispersions and the optimizer of a network that is declared and allocated
 * (autoencoder_start.c). log_rate [genes]: as in ql_ae_new. */
void ql_ae_start(ql_ae *ae, const ql_real *log_rate);

/* Fill the first batch from rows[at..at + n) of the source and run it to the last hidden layer, in
 * inference. Every thread of the team calls it; afterwards all see the hidden layers. */
void ql_ae_forward(ql_ae *ae, ql_ae_worker *w, const ql_batch_source *source, const int64_t *rows,
                   int64_t at, int64_t n);

/* Of variational models (autoencoder_variational.c). */
void ql_ae_variational_declare(ql_ae *ae);
int64_t ql_ae_variational_bytes(const ql_ae *ae, int64_t cells);
QL_MUST_USE ql_status ql_ae_variational_alloc(ql_ae *ae, ql_err *err);
void ql_ae_variational_free(ql_ae *ae);

/* Their covariates (autoencoder_covariates.c), declared, allocated and freed by them. Columns that
 * layer i (n_hidden: the heads) sees beside its input; groups of cells that have dispersions of
 * their own. */
int64_t ql_ae_extra(const ql_ae *ae, int i);
int64_t ql_ae_groups(const ql_ae_config *cfg);
void ql_ae_cov_declare(ql_ae *ae);
int64_t ql_ae_cov_bytes(const ql_ae *ae, int64_t cells);
QL_MUST_USE ql_status ql_ae_cov_alloc(ql_ae *ae, ql_err *err);
void ql_ae_cov_free(ql_ae *ae);

/* Before the layers of a batch: the covariates of its cells. decode NULL: those of the source. */
void ql_ae_cov_begin(ql_ae *ae, const ql_batch *b, const ql_batch_source *source);
void ql_ae_cov_decode(ql_ae *ae, const ql_batch *b, const ql_cov_values *decode);

/* What layer i (n_hidden: the heads) sees, and the same transposed. */
const ql_real *ql_ae_layer_in(ql_ae *ae, int i, const ql_batch *b);
const ql_real *ql_ae_layer_in_t(const ql_ae *ae, int i);

/* What the covariates add to the first layer's pre-activations; and backward, from their gradient.
 */
void ql_ae_input_cov_forward(ql_ae *ae, const ql_batch *b);
void ql_ae_input_cov_backward(ql_ae *ae, const ql_batch *b, const ql_opt_step *step);

/* A library size that is drawn (autoencoder_library.c); nothing happens where it is observed. Units
 * of its first layer; starting weights, fan_in of that layer; forward with the encoder, so that the
 * batch's library sizes are those drawn; the observed ones instead; backward before the input
 * layer's, adding to the loss what is returned; after it, the gradients of both first layers side
 * by side; the divergence of cell i. */
int64_t ql_ae_library_width(const ql_ae_config *cfg);
void ql_ae_library_declare(ql_ae *ae);
int64_t ql_ae_library_bytes(const ql_ae *ae, int64_t cells);
QL_MUST_USE ql_status ql_ae_library_alloc(ql_ae *ae, ql_err *err);
void ql_ae_library_free(ql_ae *ae);
void ql_ae_library_start(ql_ae *ae, int64_t fan_in);
void ql_ae_library_forward(ql_ae *ae, const ql_batch *b, const ql_batch_source *source,
                           const ql_kern *kern, ql_pass pass);
void ql_ae_library_observe(ql_ae *ae);
double ql_ae_library_backward(ql_ae *ae, const ql_batch *b, const ql_kern *kern,
                              const ql_opt_step *step);
void ql_ae_library_join(ql_ae *ae, const ql_batch *b);

/* Gradient by the units of the input layer, [cells, pad(units)], and its sum over the cells. */
static inline const ql_real *ql_ae_input_grad(const ql_ae *ae, const ql_real **sum)
{
    const bool both = ae->library.n_groups > 0;
    *sum = both ? ae->library.grad_sum : ae->hidden[0].db;
    return both ? ae->library.grad_t : ae->hidden[0].out_t;
}

/* Labels from the code (autoencoder_variational.c); backward while the gradient by it is made. */
void ql_ae_labels_forward(ql_ae *ae, const ql_batch *b, const ql_batch_source *source,
                          const ql_kern *kern, ql_pass pass);
double ql_ae_labels_backward(ql_ae *ae, const ql_batch *b, const ql_kern *kern,
                             const ql_opt_step *step);

/* The same of scANVI (scanvi.c), whose divergence takes the place of that from N(0, 1):
 * ql_ae_scanvi_latent comes after its backward pass, when center->grad is the gradient by the code.
 * What they return belongs to the loss. */
void ql_ae_scanvi_declare(ql_ae *ae);
int64_t ql_ae_scanvi_bytes(const ql_ae *ae, int64_t cells);
QL_MUST_USE ql_status ql_ae_scanvi_alloc(ql_ae *ae, ql_err *err);
void ql_ae_scanvi_free(ql_ae *ae);
void ql_ae_scanvi_start(ql_ae *ae);
void ql_ae_scanvi_forward(ql_ae *ae, const ql_batch *b, const ql_batch_source *source,
                          const ql_kern *kern, ql_pass pass);
double ql_ae_scanvi_backward(ql_ae *ae, const ql_batch *b, const ql_kern *kern,
                             const ql_opt_step *step);
double ql_ae_scanvi_latent(ql_ae *ae, const ql_batch *b);

/* Those of a second code (ladder.c), called by them; ql_ae_ladder_add after the code's own backward
 * pass. */
void ql_ae_ladder_declare(ql_ae *ae);
int64_t ql_ae_ladder_bytes(const ql_ae *ae, int64_t cells);
QL_MUST_USE ql_status ql_ae_ladder_alloc(ql_ae *ae, ql_err *err);
void ql_ae_ladder_free(ql_ae *ae);
void ql_ae_ladder_start(ql_ae *ae);
void ql_ae_ladder_forward(ql_ae *ae, const ql_batch *b, const ql_kern *kern, ql_pass pass,
                          const ql_latent_pass *draw);
double ql_ae_ladder_gradient(ql_ae *ae, const ql_batch *b, const ql_kern *kern,
                             const ql_opt_step *step);
void ql_ae_ladder_add(ql_ae *ae, const ql_batch *b, const ql_kern *kern);

/* Of cell i of a batch in inference with draws, each without the constant -units ln(2 pi) / 2.
 * scANVI's code z1 is that drawn or given, with a z2 for each label y that the cell may have; z1 of
 * a ladder is given here.
 *
 * ln [p(z1, z2) / q(z2 | x)], or ln sum_y [p(z1, z2, y) / q(z2 | z1, y)]. */
double ql_ae_ladder_log_prior(const ql_ae *ae, int64_t i, const float *z);
double ql_ae_scanvi_log_prior(const ql_ae *ae, int64_t i);

/* p(z1 | z2) of unit u; of scANVI the moments of p(z1 | z2, y) with y ~ f. */
ql_normal ql_ae_ladder_above(const ql_ae *ae, int64_t i, int64_t u);
ql_normal ql_ae_scanvi_above(const ql_ae *ae, int64_t i, int64_t u);

/* What its bound has beside -ln p(x | z1) and ln q(z1 | x). */
double ql_ae_scanvi_cost(const ql_ae *ae, int64_t i);

/* p(z1 | z2) or p(z1 | z2, y) of n columns of z2 [units, pad(n)], n at most the capacity: mean and
 * var of ladder.prior.var and scanvi.lower.var. */
void ql_ae_ladder_prior(ql_ae *ae, const ql_real *z2, int64_t n);
void ql_ae_scanvi_prior(ql_ae *ae, const ql_real *z2, const int64_t *label, int64_t n);

/* Divergence of the codes of cell i of a batch in inference from their prior; of a drawn code of
 * scANVI as in its bound. */
double ql_ae_cell_divergence(const ql_ae *ae, int64_t i);

/* After the bottleneck's forward pass: the code; or given codes in the place of it. Around its
 * backward pass: returns what the divergence adds to the loss. */
void ql_ae_latent_forward(ql_ae *ae, const ql_batch *b, const ql_batch_source *source,
                          const ql_kern *kern, ql_pass pass);
void ql_ae_latent_given(ql_ae *ae, const ql_batch *b);
double ql_ae_latent_gradient(ql_ae *ae, const ql_batch *b, const ql_kern *kern,
                             const ql_opt_step *step);
void ql_ae_latent_backward(ql_ae *ae, const ql_batch *b, const ql_kern *kern,
                           const ql_opt_step *step);

/* From the code to the last hidden layers, on one thread. */
void ql_ae_decoder_forward(ql_ae *ae, const ql_batch *b, const ql_kern *kern, ql_pass pass);

/* Means that are shares are normalised before anything else looks at the batch; every thread calls
 * it. */
void ql_ae_normalise(ql_ae *ae, ql_ae_worker *w, const ql_kern *kern, const ql_head_pass *pass);

/* Of means that are averaged over several covariates (autoencoder_decode.c): what the heads see of
 * each, for the batch at hand. */
typedef struct {
    int n;
    ql_real *hidden;       /* [n, n_in, capacity] */
    ql_real *most, *scale; /* [n, tiles, capacity] of shares */
    ql_real *group;        /* [n, groups, capacity] */
} ql_ae_decodings;
QL_MUST_USE ql_status ql_ae_decodings_new(const ql_ae *ae, int n, ql_ae_decodings *d, ql_err *err);
void ql_ae_decodings_free(ql_ae_decodings *d);

/* Every thread calls it, when the batch has its codes. */
void ql_ae_decodings_make(ql_ae *ae, ql_ae_worker *w, const ql_batch_source *source,
                          ql_ae_decodings *d);

/* The averages of a tile's values into space->act. */
void ql_ae_decodings_values(ql_ae *ae, const ql_ae_decodings *d, int64_t tile, int64_t first,
                            int64_t n, ql_head_space *space);

/* Settings of a variational model that contradict each other. */
QL_MUST_USE ql_status ql_ae_variational_check(const ql_ae_config *cfg, ql_err *err);

/* The penalties of a step of training (autoencoder_penalty.c). Before the weights change, sums over
 * a strip of the genes. On one thread: after the heads, the penalty of the code's Jacobian, whose
 * gradients wait in the layers; when the gradient by the bottleneck's output is there, that of the
 * code, which is added to it; after the update of the hidden layers, the scale of the weights out
 * of the code. */
void ql_ae_penalty_strip(ql_ae *ae, int64_t strip);
double ql_ae_jacobian_penalty(ql_ae *ae, const ql_batch *b);
double ql_ae_code_penalty(ql_ae *ae, const ql_batch *b);
void ql_ae_unit_code(ql_ae *ae);

/* Hidden layer i on the way to the heads of a branch; up to the bottleneck there is one for all. */
static inline ql_hidden *ql_ae_layer(ql_ae *ae, int branch, int i)
{
    return branch > 0 && i > ae->center ? &ae->fork[branch - 1][i] : &ae->hidden[i];
}

/* The heads' view of a batch whose hidden layers are done; step NULL: nothing is learnt. */
ql_head_pass ql_ae_head_pass(ql_ae *ae, const ql_batch *b, const ql_opt_step *step);

/* The decoder layers of branches other than the first (autoencoder_fork.c): declared after the
 * first's, which they are like; forward after the first's, backward before the bottleneck's, to
 * whose gradient they add. */
void ql_ae_fork_declare(ql_ae *ae);
int64_t ql_ae_fork_bytes(const ql_ae *ae, int64_t cells);
QL_MUST_USE ql_status ql_ae_fork_alloc(ql_ae *ae, ql_err *err);
void ql_ae_fork_free(ql_ae *ae);
void ql_ae_fork_forward(ql_ae *ae, const ql_kern *kern, const ql_batch *b, ql_pass pass);
void ql_ae_fork_backward(ql_ae *ae, const ql_kern *kern, const ql_batch *b,
                         const ql_opt_step *step);

#endif
