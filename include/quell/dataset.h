/* Counts with the names of their cells and genes, as a reader hands them over. */
#ifndef QUELL_DATASET_H
#define QUELL_DATASET_H

#include <stdbool.h>
#include <stdint.h>

#include "quell/csr.h"
#include "quell/frame.h"
#include "quell/rows.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    ql_csr counts;       /* [cells, genes]; of a streamed matrix the shape alone, without arrays */
    ql_row_store *store; /* where a streamed matrix is; NULL: counts has it; owned */
    ql_frame cells;      /* index: unique cell names (barcodes) */
    ql_frame genes;  /* index: unique gene names; columns as found (gene_ids, feature_types, ...) */
    char *path;      /* as the user gave it, or "<stdin>"; owned */
    char *format;    /* registry name of the format, e.g. "h5ad", "10x-h5", "10x-mtx"; owned */
    char *matrix;    /* which matrix of the file, e.g. "X", "layers/counts", "raw/X"; owned */
    ql_names others; /* with ql_read_options.columns: what else the file holds, for which there is
                      * no place here ("obsm/X_pca", "uns/log1p", a column of an unknown kind) */
    bool is_counts;  /* every entry is finite, >= 0 and whole */
    float count_max; /* largest entry when reading has shown that all are counts; 0: not known */
    bool genes_differ; /* the matrix has other genes than the file's var (raw/X) */
} ql_dataset;

void ql_dataset_free(ql_dataset *ds);

/* The counts row by row, wherever they are. */
ql_rows ql_dataset_rows(const ql_dataset *ds);

/* Move counts in memory into a store in folder. near_bytes: as in ql_store_finish. */
QL_MUST_USE ql_status ql_dataset_stream(ql_dataset *ds, const char *folder, int64_t near_bytes,
                                        ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
