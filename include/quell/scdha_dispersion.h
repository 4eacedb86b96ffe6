/* Genes by how much they vary beyond others of their mean (Satija et al. 2015, Nat. Biotechnol. 33,
 * 495): what quell chooses genes by where scDHA trains a network for it (docs/scdha.md). */
#ifndef QUELL_SCDHA_DISPERSION_H
#define QUELL_SCDHA_DISPERSION_H

#include "quell/scdha_scale.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Normalised dispersion of each kept gene into score [s->n_kept]. Counts are divided by their
 * cell's total over the median total, other values are taken as they are; the logarithm of variance
 * over mean of a gene is held against those of its bin, of 20 of equal width in ln(1 + mean): minus
 * their mean, divided by their standard deviation. 1 for a gene alone in its bin; the smallest of
 * all for one that does not vary. Two passes over the rows; the same everywhere. */
QL_MUST_USE ql_status ql_scdha_dispersion(const ql_scdha_scale *s, const ql_rows *rows,
                                          double *score, ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
