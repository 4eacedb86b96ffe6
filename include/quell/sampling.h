/* Cells drawn from a generative model: a code, from the prior or from a real cell's posterior, then
 * counts from the law at what the code decodes to. */
#ifndef QUELL_SAMPLING_H
#define QUELL_SAMPLING_H

#include "quell/csr.h"
#include "quell/generative.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { QL_ANY_LABEL = -1 };

typedef struct {
    bool prior;    /* codes from the prior; else from the posterior of the cell they go with */
    int64_t label; /* of the prior's codes, where they have labels; QL_ANY_LABEL: drawn */
    /* Sample i goes with cell i: it has its covariates and, but for `library`, its molecules. With
     * a prior and a library given counts may be NULL. */
    ql_gen_cells cells;
    const double *total;   /* [rows of the counts] molecules in the model's genes */
    const double *library; /* [n] molecules to be expected instead; NULL */
    int64_t batch;         /* QL_OWN_BATCH or a level */
    int64_t draw;          /* number of the sample where several are drawn for the same cell */
    uint64_t seed;
} ql_sampling;

/* Counts of cells.n samples into *out, their codes into z [n, n_latent] (NULL: not wanted). Keyed
 * by seed, sample and gene. A sample without molecules stays one. */
QL_MUST_USE ql_status ql_sample(const ql_generative *g, const ql_sampling *s, ql_csr *out, float *z,
                                ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
