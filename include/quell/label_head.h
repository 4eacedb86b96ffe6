/* A classifier on the code: a label of each cell by a softmax of a linear map. Cells that have a
 * label pull the code to where labels can be told apart; the others say nothing (semi-supervised;
 * in the manner of Xu et al. 2021, without their second layer of codes). */
#ifndef QUELL_LABEL_HEAD_H
#define QUELL_LABEL_HEAD_H

#include "quell/hidden.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    int64_t n_in, n_labels; /* n_labels 0: there is no such head */
    int weight, bias;       /* tensors [labels, units], [1, labels] */
    ql_real *prob;          /* [labels, cells] probabilities; owned, as all that follow */
    ql_real *grad;          /* [labels, cells] gradient by the logits */
    ql_real *turned;        /* [units, cells] what it adds to the gradient by the code */
    ql_real *most, *sum;    /* [cells] */
    const ql_real *more;    /* [labels, cells] gradient by the logits that others have made; NULL:
                               none; borrowed */
    ql_real *dw, *db;       /* [labels, pad(units)], [pad(labels)] */
    int32_t *label;         /* [cells] -1: unlabelled */
} ql_label_head;

/* Tensors "label/weight" [labels, units] and "label/bias" [labels]; memory for minibatches of up to
 * `capacity` padded cells (QL_EMEMORY), none where there is no such head. */
void ql_label_declare(ql_label_head *h, ql_params *p);
QL_MUST_USE ql_status ql_label_alloc(ql_label_head *h, int64_t capacity, ql_err *err);
void ql_label_free(ql_label_head *h);
int64_t ql_label_bytes(const ql_label_head *h, int64_t capacity);

/* Probabilities of each cell's labels from the code [units, n_pad]. */
void ql_label_forward(ql_label_head *h, const ql_params *p, const ql_kern *kern,
                      const ql_real *code, int64_t n_pad);

/* factor times the mean over the labelled cells of -ln p(label), returned; its gradient is added to
 * that by the code, and the head's tensors are updated. code_t [n_pad, pad(units)] */
double ql_label_backward(ql_label_head *h, ql_params *p, const ql_kern *kern, double factor,
                         const ql_real *code_t, ql_real *by_code, int64_t n, int64_t n_pad,
                         const ql_opt_step *step);

#ifdef __cplusplus
}
#endif
#endif
