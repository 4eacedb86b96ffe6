/* How much the model knows of each gene beyond the cells' depth, by molecules it has not seen; and
 * genes of which it knows little, moved back towards their mean. */
#ifndef QUELL_GENE_GAIN_H
#define QUELL_GENE_GAIN_H

#include "quell/fitted.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Make f->gene_gain and f->gene_gain_error anew: for each gene the gain of score.h, of the
 * posterior mean (without dispersions: of the mean) in nats per held-out molecule of the gene, NaN
 * without any; and its standard error over cells, that of a ratio. */
QL_MUST_USE ql_status ql_gene_gain_make(struct ql_fitted *f, const ql_held_out *parts, ql_err *err);

/* Give each gene a weight w in [0, 1], so that its means become w mu + (1 - w) share x molecules of
 * the cell from here on, in every visit of f->ae. By the Poisson likelihood of molecules held out
 * of the validation cells' `report_seen` (so not of those that are reported), in QL_SHRINK_SPLITS
 * splits, on a grid of w; a prior over the grid is estimated from genes of about the same
 * expression (EM), and w is the posterior mean; but 0 for genes whose counts do not depend on the
 * latent space (gene_screen.h, p from QL_SCREEN_LEVEL on). Dispersions of genes are fitted to what
 * the means are then. Nothing is done without molecules of validation cells. counts as ql_fit left
 * them. */
enum { QL_SHRINK_SPLITS = 5 };
#define QL_SCREEN_LEVEL 0.001
QL_MUST_USE ql_status ql_shrink_genes(struct ql_fitted *f, const ql_rows *counts, ql_err *err);

/* Bytes that it takes beside the fit (ql_fit_bytes). */
int64_t ql_shrink_genes_bytes(const ql_rows *counts, const ql_fit_options *opt);

#ifdef __cplusplus
}
#endif
#endif
