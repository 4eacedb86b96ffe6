/* What a matrix of counts looks like, in a few numbers. Private to src/cmd. */
#ifndef QL_COUNT_FACTS_H
#define QL_COUNT_FACTS_H

#include "quell/dataset.h"
#include "quell/status.h"

typedef struct {
    int64_t cells, genes, nonzeros;
    double density;                         /* stored entries / all entries */
    double total;                           /* sum of all entries */
    double cell_median, cell_min, cell_max; /* sums of cells */
    double genes_median;                    /* nonzero genes of a cell */
    double largest, smallest;               /* entries; 0 counts as one unless all are stored */
    int64_t empty_cells, empty_genes;       /* without any nonzero entry */
    const char *kind;                       /* sentence: what the values seem to be */
    double per_cell;                        /* depth of the scale in `kind`; 0: none */
} ql_count_facts;

QL_MUST_USE ql_status ql_count_facts_make(const ql_dataset *ds, ql_count_facts *out, ql_err *err);

#endif
