/* In-painting: what masked genes of a cell would have, from the genes that are not masked.
 *
 * The encoder has never seen cells that lack genes, so that leaving them out (0) would mislead it:
 * they are filled with what the model expects and encoded again, a few times (Rezende et al. 2014,
 * section F, with means in the place of draws). The molecules of the masked genes, which the depth
 * of a cell includes, are expected ones too: total = seen / (1 - share of the masked genes). */
#ifndef QUELL_IMPUTE_H
#define QUELL_IMPUTE_H

#include "quell/generative.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    ql_gen_cells cells;
    const uint8_t *masked; /* [n_genes] */
    int rounds;            /* encodings after the first; 0: masked genes are 0 */
    int64_t batch;         /* to be decoded in; QL_OWN_BATCH */
} ql_masking;

/* Expected molecules of the masked genes, in the order of their numbers, for a cell in turn:
 * `expected` [n, masked genes] of cells first .. first + n - 1, seen [n] their molecules in other
 * genes, z [n, n_latent] the codes. */
typedef struct {
    ql_status (*cells)(void *ctx, int64_t first, int64_t n, const float *expected,
                       const double *seen, const float *z, ql_err *err);
    void *ctx;
} ql_imputed;

QL_MUST_USE ql_status ql_impute(const ql_generative *g, const ql_masking *m, const ql_imputed *sink,
                                ql_err *err);

/* ---- how far off, where the truth is known ---- */

/* Sums over cells of a masked gene. Zero-initialise. */
typedef struct {
    double x, m, xx, mm, xm; /* of ln(1 + molecules per 10000), real and imputed */
    double count, expected;  /* molecules */
    double log_lik;          /* sum of count ln(expected) */
    double log_seen;         /* sum of count ln(seen) */
} ql_impute_sums;

/* A cell: its count of the gene, what was imputed, its molecules in genes that are not masked and
 * in all. */
void ql_impute_add(ql_impute_sums *s, double count, double expected, double seen, double total);

/* Nats per molecule by which the imputed means explain the masked counts better than the gene's own
 * mean share of what is seen (Poisson); seen: of all cells. NaN without counts. */
double ql_impute_gain(const ql_impute_sums *s, double seen);

/* Over n cells, of the logarithms; NaN where either does not vary. */
double ql_impute_correlation(const ql_impute_sums *s, double n);

#ifdef __cplusplus
}
#endif
#endif
