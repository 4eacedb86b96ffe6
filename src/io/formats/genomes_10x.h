/* Several genomes of a 10x file made one matrix, as Cell Ranger 3 does: the genes stacked, the
 * cells those of any genome, matched by barcode. Private to src/io. */
#ifndef QUELL_IO_GENOMES_10X_H
#define QUELL_IO_GENOMES_10X_H

#include "../mtx/features_10x.h"

/* The counts of one genome, cells x genes, with their names. All owned. */
typedef struct {
    ql_csr counts;
    ql_names cells;
    ql_features features;
} ql_genome;

void ql_genome_free(ql_genome *g); /* harmless on a zeroed one */

/* names->n genomes of these names into *out (zero-initialised; released by the caller also after a
 * failure). Cells are in order of first appearance; features.genome says where a gene is from. */
QL_MUST_USE ql_status ql_genomes_join(const ql_genome *parts, const ql_names *names, ql_genome *out,
                                      ql_notes *notes, ql_err *err);

#endif
