/* Shares of the genes in pairs of cells drawn from two groups. Private to src/infer. */
#ifndef QL_DE_PAIRS_H
#define QL_DE_PAIRS_H

#include "quell/differential.h"
#include "quell/kern.h"

enum { DE_SCRATCH_ROWS = 64 };

typedef struct {
    const ql_generative *g;
    const ql_kern *kern;
    int64_t n, ld;         /* pairs, and padded */
    float *z[2];           /* [n, n_latent] */
    int64_t *cell[2];      /* [n] row of the covariates */
    int64_t *batch;        /* [n] level that both are decoded in, ascending, or QL_OWN_BATCH */
    double *library;       /* [n] ones */
    float *most[2];        /* [n_genes] largest share, after de_pairs_extremes */
    int64_t genes_at_once; /* that there is room for */
    float *share[2];       /* [genes_at_once, ld] of the genes at hand; pads: 1 */
    int64_t first, n_here; /* genes at hand; n_here 0: none */
    float *scratch;        /* [DE_SCRATCH_ROWS, 2, ld] */
} de_pairs;

QL_MUST_USE ql_status de_pairs_draw(de_pairs *p, const ql_generative *g, const ql_de_groups *groups,
                                    const ql_de_options *opt, ql_err *err);
void de_pairs_free(de_pairs *p);

/* Largest shares of all genes. */
QL_MUST_USE ql_status de_pairs_extremes(de_pairs *p, ql_err *err);

/* The shares of genes first .. first + n - 1; nothing is done where they are at hand. */
QL_MUST_USE ql_status de_pairs_fill(de_pairs *p, int64_t first, int64_t n, ql_err *err);

/* Two rows [ld], of gene k of DE_SCRATCH_ROWS. */
static inline float *de_pairs_scratch(const de_pairs *p, int64_t k)
{
    return p->scratch + k * 2 * p->ld;
}

#endif
