/* Genes that are known to say nothing: copies of real ones whose counts are dealt out anew among
 * cells of about the same depth. Private to src/cmd. */
#ifndef QL_NULL_GENES_H
#define QL_NULL_GENES_H

#include "quell/csr.h"

/* Cells of about the same depth. */
typedef struct {
    int64_t n, n_cells;
    int64_t *cell;  /* [n_cells] by depth; owned */
    int64_t *start; /* [n + 1] places in cell where they begin; owned */
} depth_strata;

/* Strata of about `size` cells each; cells without counts are in none. */
QL_MUST_USE ql_status depth_strata_make(const ql_csr *m, int64_t size, depth_strata *out,
                                        ql_err *err);
void depth_strata_free(depth_strata *s);

/* At most n genes that at least `least` cells express, evenly spread over the range of expression,
 * ascending. *source is the caller's. */
QL_MUST_USE ql_status null_genes_choose(const ql_csr *m, int64_t n, int64_t least, int32_t **source,
                                        int64_t *n_found, ql_err *err);

/* m with n more columns: column m->n_cols + j has the counts of gene source[j], permuted within
 * each stratum by (seed, j). */
QL_MUST_USE ql_status null_genes_add(const ql_csr *m, const int32_t *source, int64_t n,
                                     const depth_strata *strata, uint64_t seed, ql_csr *out,
                                     ql_err *err);

#endif
