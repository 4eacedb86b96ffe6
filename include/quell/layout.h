/* A layout of a graph of neighbours in the plane: UMAP (McInnes, Healy and Melville 2018).
 *
 * The order of the moves is fixed: within an epoch the nodes are taken in a fixed number of parts,
 * one part after the other, the nodes of a part side by side, each seeing the others where they
 * were when the part began. So the layout does not depend on the number of threads. */
#ifndef QUELL_LAYOUT_H
#define QUELL_LAYOUT_H

#include "quell/csr.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    double min_dist, spread; /* 0 <= min_dist <= spread */
    int epochs;              /* >= 1 */
    int negatives;           /* points pushed away for each that pulls */
    double rate;             /* of the first epoch; falls to 0 */
    uint64_t seed;
    int threads;
    void (*tell)(void *ctx, int epoch); /* from one thread; may be NULL */
    void *ctx;
} ql_layout_options;

/* Move xy [n, 2] to a layout of a symmetric graph, whatever its start. QL_EINT, QL_ETERM,
 * QL_EMEMORY, QL_EDIVERGED (never seen). */
QL_MUST_USE ql_status ql_layout_umap(const ql_csr *graph, const ql_layout_options *opt, float *xy,
                                     ql_err *err);

/* A start: the first two principal components of points x [n, n_dims], scaled to -10 .. 10, with
 * normal noise of 1e-4 against points in one place. */
QL_MUST_USE ql_status ql_layout_start(const float *x, int64_t n, int64_t n_dims, uint64_t seed,
                                      float *xy, ql_err *err);

/* The curve 1 / (1 + a d^2b) nearest (least squares over 300 distances up to 3 spread) to 1 up to
 * min_dist and exp(-(d - min_dist) / spread) beyond. */
void ql_layout_curve(double min_dist, double spread, double *a, double *b);

#ifdef __cplusplus
}
#endif
#endif
