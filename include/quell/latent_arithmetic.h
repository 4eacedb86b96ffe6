/* Sums of codes (scGen: Lotfollahi et al. 2019): what a condition adds to cells, learned on some
 * types and applied to another; and how well predicted gene means agree with those of real cells.
 */
#ifndef QUELL_LATENT_ARITHMETIC_H
#define QUELL_LATENT_ARITHMETIC_H

#include "quell/generative.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Codes of some cells, and the stratum (cell type) of each, from 0. */
typedef struct {
    const float *z;         /* [n, n_latent] */
    const int64_t *stratum; /* [n]; NULL: all are of one */
    int64_t n;
} ql_latent_group;

/* shift [n_latent]: mean of a less mean of b, over the strata that both have, each weighing the
 * same: the expectation of resampling every type of either condition to the same number of cells.
 * With `to` (NULL: not) strata near those cells weigh more: exp(-s d^2), d the distance of the
 * means of codes of b's cells of the stratum and of `to`. s is one of a grid from 0 (all alike),
 * the one by which the shift of each stratum is best foretold, by squared distance, from those of
 * the others: what is to be predicted has no part in it. weight [n_strata]: what each weighs, 0 of
 * those that one of the two lacks. QL_EDATA when there is none in common. */
QL_MUST_USE ql_status ql_latent_shift(const ql_latent_group *a, const ql_latent_group *b,
                                      const ql_latent_group *to, int64_t n_latent, int64_t n_strata,
                                      double *shift, double *weight, ql_err *err);

/* mean [n_genes]: mean over cells of molecules per 10000 of the model's genes; log_mean: that of
 * ln(1 + these); log_var: their variance, for which log_mean is needed. Each may be NULL. */
typedef struct {
    double *mean, *log_mean, *log_var;
} ql_gene_means;
QL_MUST_USE ql_status ql_means_of_cells(const ql_rows *counts, const int64_t *row, int64_t n,
                                        const double *total, const ql_gene_means *out, ql_err *err);

/* The same of what codes decode to; as expected counts of 10000 molecules (log_var is that of the
 * decoded means, without the noise of counts). */
QL_MUST_USE ql_status ql_means_of_codes(const ql_generative *g, const ql_gen_codes *codes,
                                        const ql_gene_means *out, ql_err *err);

/* out[g] = ln(1 + mean[g]), the scale on which agreement is told: a few genes hold most molecules.
 */
void ql_log_of_means(const double *mean, int64_t n_genes, double *out);

/* Agreement of two lists over some genes (NULL: all). */
typedef struct {
    double r2;        /* squared correlation (scGen's R2) */
    double explained; /* 1 - sum (x - y)^2 / sum (y - mean y)^2; y is the truth */
    double slope;     /* of y on x */
    int64_t n;
} ql_agreement;
ql_agreement ql_agree(const double *x, const double *y, const int64_t *gene, int64_t n);

/* The `most` genes that differ most between two groups by Welch's t of ln(1 + molecules per 10000),
 * largest first, into gene. Returns their number. */
QL_MUST_USE ql_status ql_top_genes(const ql_gene_means *a, int64_t n_a, const ql_gene_means *b,
                                   int64_t n_b, int64_t n_genes, int64_t most, int64_t *gene,
                                   int64_t *n, ql_err *err);

/* codes [steps, n_latent] on the way from a to b, both ends included. Straight, or along the arc
 * (White 2016, "Sampling generative networks"), which keeps the length that codes of the prior
 * have. */
void ql_latent_walk(const double *a, const double *b, int64_t n_latent, int64_t steps, bool arc,
                    float *codes);

#ifdef __cplusplus
}
#endif
#endif
