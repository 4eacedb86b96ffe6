/* Terms of the input layer's weight gradient that do not come from the cells' entries: penalties
 * that need sums over all genes, and the mean head of a tied model. */
#ifndef QUELL_INPUT_TERMS_H
#define QUELL_INPUT_TERMS_H

#include "quell/params.h"
#include "quell/tile.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the contractive penalty asks of the weights W [genes, units]. */
typedef enum {
    QL_JACOBIAN_NONE,
    QL_JACOBIAN_PROBE, /* W'u with u of random signs, drawn anew each step */
    QL_JACOBIAN_EXACT  /* lengths of the columns of W */
} ql_jacobian;

typedef struct {
    int64_t n_out;
    ql_tiling tiling;
    int weight; /* tensor */
    ql_jacobian jacobian;
    double orthogonal; /* penalty of |W'W - 1|^2 */
    bool tied;         /* kept is added */
    uint64_t seed;
    uint64_t step;   /* number of the training step, of which the signs are; set by the caller */
    ql_real *parts;  /* [strips, 1 + units, pad(units)]; the units only if orthogonal; owned */
    ql_real *sums;   /* [1 + units, pad(units)] Jacobian; 4 orthogonal (W'W - 1); owned */
    ql_real *spread; /* [pad(units)] gradient by the Jacobian's row of sums, to be filled by the
                        caller; owned */
    ql_real *kept;   /* [genes, pad(units)] gradient of the mean head's weights; owned */
} ql_input_terms;

/* Is there anything to be summed over the genes before a step? */
static inline bool ql_input_terms_sums(const ql_input_terms *t)
{
    return t->jacobian != QL_JACOBIAN_NONE || t->orthogonal > 0;
}

/* Memory for what the fields above ask for (QL_EMEMORY); the bytes of it. */
QL_MUST_USE ql_status ql_input_terms_alloc(ql_input_terms *t, ql_err *err);
void ql_input_terms_free(ql_input_terms *t);
int64_t ql_input_terms_bytes(const ql_input_terms *t);

/* Partial sums of one strip; strips may run on different threads. */
void ql_input_terms_strip(const ql_input_terms *t, const ql_params *p, const ql_kern *kern,
                          int64_t strip);

/* sums, once all strips are there. */
void ql_input_terms_reduce(const ql_input_terms *t, const ql_kern *kern);

/* Add the terms to the gradient dw [genes of the tile, pad(units)]. */
void ql_input_terms_add(const ql_input_terms *t, const ql_params *p, const ql_kern *kern,
                        int64_t tile, ql_real *dw);

/* orthogonal * |W'W - 1|^2, from sums. */
double ql_input_terms_penalty(const ql_input_terms *t);

#ifdef __cplusplus
}
#endif
#endif
