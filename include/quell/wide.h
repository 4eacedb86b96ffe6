/* Dense layers as wide as the genes around a small network that one thread trains alone: sparse
 * cells into a few units, and a few units out to every gene with the error of the reconstruction,
 * tile by tile, so that no matrix of cells x genes is formed. Gradients are kept, not applied: the
 * caller looks at all of them before a step.
 *
 * Weights of both have a gene a row: [ql_pad(n_genes), ld], ld the padded width, pads 0. */
#ifndef QUELL_WIDE_H
#define QUELL_WIDE_H

#include <stdbool.h>

#include "quell/csr.h"
#include "quell/kern.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The cells of a minibatch: inputs and targets at once. Genes of a cell ascend. */
typedef struct {
    int64_t n, capacity;
    int64_t *start; /* [capacity + 1] first entry of each cell; owned */
    int32_t *gene;  /* owned */
    ql_real *value; /* owned */
} ql_wide_batch;

/* Room for capacity cells of at most max_row entries. */
QL_MUST_USE ql_status ql_wide_batch_new(ql_wide_batch *b, int64_t capacity, int64_t max_row,
                                        ql_err *err);
void ql_wide_batch_free(ql_wide_batch *b);
int64_t ql_wide_batch_bytes(int64_t capacity, int64_t max_row);

/* The rows list[0..n) of cells, n at most the capacity. */
void ql_wide_batch_fill(ql_wide_batch *b, const ql_csr *cells, const int64_t *list, int64_t n);

/* out [n, ld] = x weight + bias [ld] */
void ql_wide_in(const ql_kern *kern, const ql_wide_batch *x, const ql_real *weight,
                const ql_real *bias, int64_t ld, ql_real *out);

/* Gradients from d [n, ld]: by the weights of n_genes genes and by the bias [ld]. */
void ql_wide_in_back(const ql_kern *kern, const ql_wide_batch *x, const ql_real *d, int64_t n_genes,
                     int64_t ld, ql_real *by_weight, ql_real *by_bias);

/* Work space of ql_wide_out. */
typedef struct {
    ql_real *turned; /* a tile's weights, transposed; owned */
    ql_real *error;  /* [cells, tile]; owned */
    ql_real *loss;   /* [cells, tile]; owned */
    ql_real *sum;    /* [cells]; owned */
    int64_t *next;   /* [cells] where each cell's entries go on; owned */
} ql_wide_work;

/* For minibatches of up to `capacity` cells and rows of ld (QL_EMEMORY); the bytes of it. */
QL_MUST_USE ql_status ql_wide_work_new(ql_wide_work *w, int64_t capacity, int64_t ld, ql_err *err);
void ql_wide_work_free(ql_wide_work *w);
int64_t ql_wide_work_bytes(int64_t capacity, int64_t ld);

/* h [n, ld] out to the genes, and the error of that. */
typedef struct {
    const ql_kern *kern;
    const ql_wide_batch *target;
    int64_t n_genes, width, ld;
    const ql_real *weight, *bias, *h; /* bias [ql_pad(n_genes)] */
    bool absolute;                    /* error |e| instead of e^2 */
    double scale;                     /* of the gradients */
    ql_real *by_weight, *by_bias, *by_h;
} ql_wide_out;

/* Returns the sum of the errors of all cells and genes; by_... are set to scale times its
 * gradients. */
double ql_wide_out_run(const ql_wide_out *o, const ql_wide_work *w);

#ifdef __cplusplus
}
#endif
#endif
