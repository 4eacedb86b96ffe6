/* What `quell report` takes out of an h5ad. Private to src/cmd. */
#ifndef QL_REPORT_DATA_H
#define QL_REPORT_DATA_H

#include "quell/command.h"
#include "quell/dataset.h"
#include "quell/h5ad_results.h"

enum {
    REPORT_GENES = 12,
    REPORT_EPOCHS = 100000,
    REPORT_POINTS = 20000,      /* cells of one map */
    REPORT_MAP_POINTS = 120000, /* of all maps that show all cells */
    REPORT_GENE_POINTS = 1500
};

/* All owned. */
typedef struct {
    ql_h5ad_results *file;
    ql_dataset ds;
    ql_str matrix, key; /* where the counts are; obsm key of what is drawn, empty: none */
    double *loss, *validation;
    int64_t n_epochs;
    double *depth; /* [cells] molecules */
    int64_t
        gene[REPORT_GENES]; /* those asked for, else variable ones that differ from each other */
    int n_genes;
    double *raw;     /* [genes, cells] */
    float *denoised; /* [genes, cells] */
    bool has_denoised;
    double *place[2]; /* [cells] the embedding, two numbers a cell; NULL: none */
} report_data;

/* Read path; genes: names to show, with commas between them, NULL for a choice. QL_EDATA when it is
 * no h5ad or holds no results of quell, QL_EUSAGE for a gene that it has not. Release with
 * report_data_free whatever this returns. */
QL_MUST_USE ql_status report_data_read(const char *path, const char *genes, ql_run *run,
                                       report_data *d);
void report_data_free(report_data *d);

/* Which genes the page shows: sets d->gene and d->n_genes from the counts. */
QL_MUST_USE ql_status report_choose_genes(const char *named, report_data *d, ql_err *err);

#endif
