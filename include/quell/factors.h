/* Poisson factors: a cell's expected counts are its depth times a mixture of a few gene profiles.
 *
 *     mu[i, g] = depth[i] * sum over k of w[i, k] h[k, g],   rows of w and of h add up to 1
 *
 * This is non-negative matrix factorisation under the Kullback-Leibler loss (Lee and Seung 1999),
 * which keeps the cells' depths, and the same model as probabilistic latent semantic analysis
 * (Hofmann 1999). Fitted by EM, an iteration of which costs one pass over the counts that are not
 * 0; Dirichlet priors hold loadings and profiles towards their means. */
#ifndef QUELL_FACTORS_H
#define QUELL_FACTORS_H

#include "quell/real.h"
#include "quell/rows.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { QL_FACTORS_MOST = 256 };

typedef struct {
    int rank;
    int rounds;        /* at most */
    double tolerance;  /* stop when ten rounds gain less than this: nats per molecule */
    double cell_prior; /* molecules that a cell is given besides its own, of the mean cell */
    double gene_prior; /* molecules that a profile is given besides its own, of the mean profile */
    uint64_t seed;
} ql_factors_options;

typedef struct {
    int64_t n_genes;
    int rank, width; /* width: padded rank */
    float *profile;  /* [n_genes, width]; each of the rank columns adds up to 1; owned */
    float *usage;    /* [width] mean loading; owned */
    double cell_prior;
    double log_lik; /* of the cells it was fitted to, under their last loadings, nats a molecule:
                       sum of x ln(mu / depth) over sum of x */
    int rounds;     /* that the fit took */
} ql_factors;

/* Fit to the given rows. Reads them in their order, so in ascending order is fastest. */
QL_MUST_USE ql_status ql_factors_fit(const ql_rows *counts, const int64_t *rows, int64_t n,
                                     const ql_factors_options *opt, ql_factors *out, ql_err *err);
void ql_factors_free(ql_factors *f); /* harmless on a zeroed one */

/* Room for a model whose profiles the caller fills in. */
QL_MUST_USE ql_status ql_factors_alloc(ql_factors *f, int64_t n_genes, int rank, ql_err *err);
int64_t ql_factors_bytes(int64_t n_cells, int64_t n_genes, int rank);

/* out [n_genes, ld]: expected counts of rows[0..n), n <= ld, whose loadings are fitted to their
 * counts with the profiles as they are. */
QL_MUST_USE ql_status ql_factors_rates(const ql_factors *f, const ql_rows *counts,
                                       const int64_t *rows, int64_t n, int64_t ld, ql_real *out,
                                       ql_err *err);

/* Leave out genes (lacks [n_genes], not 0): profiles of the others add up to 1 again. */
void ql_factors_lack(ql_factors *f, const uint8_t *lacks);

#ifdef __cplusplus
}
#endif
#endif
