/* From counts to what a model is trained on: genes and cells without counts set aside, size
 * factors, mean and standard deviation of each gene's input. */
#ifndef QUELL_PREPROCESS_H
#define QUELL_PREPROCESS_H

#include "quell/batch.h"
#include "quell/kern.h"
#include "quell/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    bool log;           /* log1p of the scaled counts */
    bool size_factors;  /* scale each cell to the median depth */
    bool center, scale; /* subtract the gene's mean; divide by its sd */
} ql_prep_options;

typedef struct {
    ql_prep_options opt;
    int64_t n_cells, n_genes; /* of the file */
    int64_t n_kept_genes;
    int64_t *kept_gene; /* [n_kept_genes] index in the file, ascending; owned */
    int64_t n_kept_cells;
    int64_t *kept_cell; /* [n_kept_cells] rows with counts, ascending; owned */
    double *total;      /* [n_cells] molecules of each cell; owned */
    double *gene_total; /* [n_kept_genes]; owned */
    double grand_total, median_total;
    ql_real *mean, *sd;      /* [n_kept_genes] of the input before centring; sd 0 -> 1; owned */
    ql_real *inv_sd, *shift; /* [n_kept_genes] what ql_input_map wants; owned */
    ql_real *log_rate;       /* [n_kept_genes] ln of the mean of count / size factor; owned */
    int32_t
        *place; /* [n_kept_genes] place among the kept ones in genome order; NULL: none; owned */
} ql_prep;

/* Sets empty genes aside IN PLACE: afterwards counts has n_kept_genes columns (ql_rows_renumber);
 * without empty genes nothing is written and counts may be shared by threads.
 * Rows stay; empty cells are only left out of kept_cell. Fails with QL_EDATA when nothing is left.
 */
QL_MUST_USE ql_status ql_prep_counts(ql_rows *counts, ql_prep_options opt, const ql_kern *kern,
                                     int threads, ql_prep *out, ql_err *err);
/* Give the kept genes places by rank [n_genes], each of which is another. */
QL_MUST_USE ql_status ql_prep_places(ql_prep *p, const int64_t *rank, ql_err *err);

/* Of ql_prep_counts and ql_prep_apply. */
void ql_prep_free(ql_prep *p);

/* What a trained model knows of its genes, borrowed. */
typedef struct {
    int64_t n_genes;
    const float *mean, *sd; /* [n_genes] as in ql_prep */
    double median_total;
    int64_t n_file_genes; /* genes of the new file, */
    const int64_t *place; /* [n_genes] which of them it is; -1: none */
} ql_prep_model;

/* The same for counts that a trained model is applied to, whose columns are its genes already
 * (ql_rows_pick): scales are the model's, totals those of the counts. kept_gene is place, so not
 * ascending, and -1 for a gene that the file has not. log_rate is 0. Fails with QL_EDATA when no
 * cell has counts. */
QL_MUST_USE ql_status ql_prep_apply(const ql_rows *counts, ql_prep_options opt,
                                    const ql_prep_model *model, ql_prep *out, ql_err *err);

/* How counts become inputs; its arrays are borrowed from p. */
ql_input_map ql_prep_map(const ql_prep *p);

/* Split the molecules of the given rows: each goes to `held` with probability p, else to `kept`.
 * Both have rows.n_rows = n. Keyed by (seed, stream, row of counts). */
QL_MUST_USE ql_status ql_thin_rows(const ql_rows *counts, const int64_t *rows, int64_t n, double p,
                                   uint64_t seed, ql_rng_stream stream, ql_csr *kept, ql_csr *held,
                                   ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
