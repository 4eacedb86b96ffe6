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

/* Fill the first batch from rows[0..n) of the source and run it to the last hidden layer, in
 * inference. Every thread of the team calls it; afterwards all see the hidden layers. */
void ql_ae_forward(ql_ae *ae, ql_ae_worker *w, const ql_batch_source *source, const int64_t *rows,
                   int64_t n);

/* The penalties of a step of training (autoencoder_penalty.c). Before the weights change, sums over
 * a shard of the genes. On one thread: after the heads, the penalty of the code's Jacobian, whose
 * gradients wait in the layers; when the gradient by the bottleneck's output is there, that of the
 * code, which is added to it; after the update of the hidden layers, the scale of the weights out
 * of the code. */
void ql_ae_penalty_shard(ql_ae *ae, uint64_t step, int64_t shard);
double ql_ae_jacobian_penalty(ql_ae *ae, const ql_batch *b);
double ql_ae_code_penalty(ql_ae *ae, const ql_batch *b);
void ql_ae_unit_code(ql_ae *ae);

static inline const ql_hidden *ql_ae_last(const ql_ae *ae)
{
    return &ae->hidden[ae->n_hidden - 1];
}

#endif
