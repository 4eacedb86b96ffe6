/* Counts with the names of their cells and genes, as a reader hands them over. */
#ifndef QUELL_DATASET_H
#define QUELL_DATASET_H

#include <stdbool.h>
#include <stdint.h>

#include "quell/csr.h"
#include "quell/frame.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    ql_csr counts;   /* [cells, genes] */
    ql_frame cells;  /* index: unique cell names (barcodes) */
    ql_frame genes;  /* index: unique gene names; columns as found (gene_ids, feature_types, ...) */
    char *path;      /* as the user gave it, or "<stdin>"; owned */
    char *format;    /* registry name of the format, e.g. "h5ad", "10x-h5", "10x-mtx"; owned */
    char *matrix;    /* which matrix of the file, e.g. "X", "layers/counts", "raw/X"; owned */
    ql_names others; /* with ql_read_options.columns: what else the file holds, for which there is
                      * no place here ("obsm/X_pca", "uns/log1p", a column of an unknown kind) */
    bool is_counts;  /* every entry is finite, >= 0 and whole */
    bool genes_differ; /* the matrix has other genes than the file's var (raw/X) */
} ql_dataset;

void ql_dataset_free(ql_dataset *ds);

#ifdef __cplusplus
}
#endif
#endif
