/* The part of scANVI (Xu et al. 2021) above the code z1 of a variational model: a second code z2
 * and a label y, of which z1 is drawn.
 *
 *     p(z2) = N(0, 1)   p(y) = 1 / labels   p(z1 | z2, y) = N(m_p, V_p)
 *     q(z2 | z1, y) = N(m_2, V_2)           q(y | z1) = f_y, a classifier
 *
 * In the place of KL(q(z1 | x) || N(0, 1)) a cell has, with z1 and z2 drawn and w the weight of the
 * divergence,
 *
 *     ln q(z1 | x) + sum_y f_y [-ln p(z1 | z2_y, y) + w KL(q(z2 | z1, y) || N(0, 1))]
 *                  + w KL(f || 1 / labels)
 *
 * where f_y of a labelled cell is 1 for its label; beside it stands the mean over the labelled
 * cells of -ln f_y at the mean of z1. A row is a cell with a label it may have: a labelled cell has
 * one, another one as many as there are labels. */
#ifndef QUELL_SCANVI_H
#define QUELL_SCANVI_H

#include "quell/gauss_net.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    int64_t n_labels;   /* 0: there is no such part */
    ql_hidden layer;    /* of the classifier, below its softmax (label_head.h) */
    ql_gauss_net upper; /* q(z2 | z1, y) */
    ql_gauss_net lower; /* p(z1 | z2, y) */
    /* of the minibatch at hand; owned */
    int64_t n_rows, row_pad;
    int64_t *cell, *label, *key; /* [rows] cell of the minibatch, label, number of the noise */
    ql_real *seen, *seen_t;      /* [units, cells], [cells, pad(units)] the classifier's input */
    ql_real *by_seen;            /* [units, cells] gradient by it */
    ql_real *in, *in_t;          /* [units + labels, rows] z1 with y; z2 with y where lower is */
    ql_real *low, *low_t;
    ql_real *by_in, *by_low; /* [units, rows] */
    ql_real *by_logit;       /* [labels, cells] of the unlabelled cells */
    double *fit, *kl;        /* [rows] -ln p(z1 | z2, y) without its constant; KL of z2 */
    double *by_f;            /* [labels] scratch */
} ql_scanvi;

#ifdef __cplusplus
}
#endif
#endif
