/* A likelihood at one entry, in float64: every lane holds the same. */
#ifndef FIXTURE_LANES_H
#define FIXTURE_LANES_H

#include <math.h>

#include "quell/likelihood.h"

typedef struct {
    double head[3][QL_PAD]; /* in: pre-activations; out: d loss / d pre-activation */
    double gene[QL_PAD], count[QL_PAD], size[QL_PAD], weight[QL_PAD], loss[QL_PAD], product[QL_PAD];
    ql_lik_args args;
} lanes;

static inline void lanes_fill(double *x, double value)
{
    for (int i = 0; i < QL_PAD; i++) x[i] = value;
}

static inline void lanes_heads(lanes *l, const double a[3])
{
    for (int i = 0; i < 3; i++) lanes_fill(l->head[i], a[i]);
}

/* Loss of count y, ln y! included, as the engine makes it: the sweep for count 0, then the list on
 * top where there is a count. The gradients by a are then in grad; l->args are those of a sweep. */
static inline double lanes_loss(lanes *l, const ql_likelihood *lik, const double a[3], double y,
                                double size, double ridge, double grad[3])
{
    const ql_lik_kern *k = lik->kernel(ql_kern_find("scalar"));
    const int sweep_lane = 3, list_lane = 5;
    l->args = (ql_lik_args){.n = 1,
                            .ld = QL_PAD,
                            .mean = l->head[0],
                            .disp = l->head[1],
                            .pi = l->head[2],
                            .disp_gene = l->gene,
                            .count = l->count,
                            .size = l->size,
                            .weight = l->weight,
                            .loss = l->loss,
                            .product = l->product,
                            .ridge = ridge};
    lanes_heads(l, a);
    lanes_fill(l->gene, a[1]);
    lanes_fill(l->count, y);
    lanes_fill(l->size, size);
    lanes_fill(l->weight, 1);
    lanes_fill(l->loss, 0);
    k->sweep(&l->args);
    double loss = l->loss[sweep_lane];
    for (int i = 0; i < 3; i++) grad[i] = l->head[i][sweep_lane];
    if (y <= 0) return loss;
    l->args.n = QL_PAD;
    lanes_heads(l, a);
    k->list(&l->args);
    l->args.n = 1;
    for (int i = 0; i < 3; i++) grad[i] = l->head[i][list_lane];
    return loss + l->loss[list_lane] + (lik->gaussian ? 0 : lgamma(y + 1));
}

#endif
