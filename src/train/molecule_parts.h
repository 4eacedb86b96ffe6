/* The molecules of cells in three parts: eight tenths to fit to, a tenth to choose by, and a tenth
 * that is looked at by nothing but the final figures. Private to src/train. */
#ifndef QL_MOLECULE_PARTS_H
#define QL_MOLECULE_PARTS_H

#include "quell/covariates.h"
#include "quell/rows.h"

typedef struct {
    ql_csr seen, select, report;     /* [cells, genes]: genes that are seen */
    int64_t *gene;                   /* [genes] their numbers among all */
    double select_lost, report_lost; /* molecules of the other genes */
    ql_covariates cov;               /* of these cells, where there are any; value owned */
} ql_molecule_parts;

/* Of all cells, or of a draw of most_cells by cell_seed (0: all); divided by seed and seed + 1.
 * cov: NULL: none. */
QL_MUST_USE ql_status ql_molecule_parts_make(const ql_rows *counts, const ql_covariates *cov,
                                             int64_t most_cells, uint64_t cell_seed, uint64_t seed,
                                             ql_molecule_parts *out, ql_err *err);
void ql_molecule_parts_free(ql_molecule_parts *p); /* harmless on a zeroed one */

#endif
