/* Which genes depend on what the model has found out about the cells, by their counts. A gene that
 * does not is no gene of which the model can say anything beyond depth, whatever it fits. */
#ifndef QUELL_GENE_SCREEN_H
#define QUELL_GENE_SCREEN_H

#include "quell/fitted.h"

#ifdef __cplusplus
extern "C" {
#endif

/* p [kept genes]: how often a gene whose counts say nothing about the cells beyond their depth
 * would seem to depend on the latent space as much as this one. The square roots of the gene's
 * counts (whose variance hardly depends on their mean) are regressed on the cells' ranks in each
 * latent unit, after what a linear spline of ln(molecules) explains of either: the F test of a
 * linear regression, its tail by Paulson 1942 (Annals of Mathematical Statistics 13). 1 where there
 * are too few cells, or nothing varies. counts as ql_fit left them. */
QL_MUST_USE ql_status ql_gene_screen(ql_fitted *f, const ql_rows *counts, double *p, ql_err *err);

/* Bytes that it takes beside the model, whose latent space has so many units, and cursors. */
int64_t ql_gene_screen_bytes(const ql_rows *counts, int64_t units);

/* Probability that F(n1, n2) is above f: within 0.002, and within a tenth of itself down to 1e-4,
 * for n1, n2 >= 3. */
double ql_f_above(double f, double n1, double n2);

#ifdef __cplusplus
}
#endif
#endif
