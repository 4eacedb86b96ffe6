/* The parameters of a model: named tensors in one block, with the optimizer's moments beside them.
 * One block makes the best weights a single copy and a model file a loop over names. */
#ifndef QUELL_PARAMS_H
#define QUELL_PARAMS_H

#include <stdbool.h>
#include <stdint.h>

#include "quell/real.h"
#include "quell/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Enough for the deepest autoencoder: QL_MAX_HIDDEN layers of six tensors, the half of them behind
 * the bottleneck three times over, input layer, heads. */
enum { QL_MAX_TENSORS = 224 };

/* [rows, cols] row-major with row stride ld (cols padded to QL_PAD; vectors are one row). Pads are
 * zero and stay zero. */
typedef struct {
    char name[32];
    int64_t rows, cols, ld;
    int64_t offset; /* of the first element in the block */
    bool trained;   /* false: state that is saved but not updated by an optimizer (moving means) */
    bool frozen;    /* training leaves it as it is */
    bool decays;    /* the optimizer's weight decay applies */
    bool nonnegative; /* held at 0 or above after each step */
    ql_real l1, l2;   /* penalties */
} ql_tensor;

typedef struct {
    ql_tensor tensor[QL_MAX_TENSORS];
    int n_tensors;
    int64_t size;       /* elements of the block */
    ql_real *w, *m, *v; /* weights, first and second moments; owned */
} ql_params;

/* Declare a tensor; returns its index. Call before ql_params_alloc. */
int ql_params_add(ql_params *p, const char *name, int64_t rows, int64_t cols, bool trained);

/* The block of all declared tensors, zeroed; moments for n_moments (0, 1 or 2) arrays:
 * 1 gives v only. */
QL_MUST_USE ql_status ql_params_alloc(ql_params *p, int n_moments, ql_err *err);
void ql_params_free(ql_params *p);

/* Of a model that learns no more. */
void ql_params_drop_moments(ql_params *p);

/* Bytes ql_params_alloc would take. */
int64_t ql_params_bytes(const ql_params *p, int n_moments);

/* FNV-1a over the shapes and, in float32, the values of all tensors: tells models from each other.
 */
uint64_t ql_params_fingerprint(const ql_params *p);

const ql_tensor *ql_params_find(const ql_params *p, const char *name); /* NULL: none */

static inline ql_real *ql_param(const ql_params *p, int tensor)
{
    return p->w + p->tensor[tensor].offset;
}

#ifdef __cplusplus
}
#endif
#endif
