/* A fitted model as named values, and back: what a model file holds of it beside the options, the
 * gene names and the marks of the format, which are the caller's (docs/model-file.md). */
#ifndef QUELL_FITTED_BUNDLE_H
#define QUELL_FITTED_BUNDLE_H

#include "quell/bundle.h"
#include "quell/fitted.h"
#include "quell/strbuf.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Put weights, scales and dispersions of the genes, how the training went and the score into b.
 * Everything is copied. */
QL_MUST_USE ql_status ql_fitted_put(const ql_fitted *f, ql_bundle *b, ql_err *err);

/* Check that b holds a model of these options for n_genes genes: every tensor that the network
 * declares in its shape, no other, all numbers finite. QL_EDATA otherwise, naming the entry. */
QL_MUST_USE ql_status ql_fitted_check(const ql_bundle *b, const ql_fit_options *opt,
                                      int64_t n_genes, ql_err *err);

/* Where the genes of a model are in a file. */
typedef struct {
    int64_t n_genes;      /* of the model */
    const int64_t *place; /* [n_genes] number of the file's gene; -1: it has none */
    int64_t n_file_genes;
} ql_gene_places;

/* The model in b, which was checked, made ready for counts whose columns are its genes already
 * (ql_rows_pick). out has no split and no score; its training result is that of the file. */
QL_MUST_USE ql_status ql_fitted_take(const ql_bundle *b, const ql_fit_options *opt,
                                     const ql_rows *counts, const ql_gene_places *genes,
                                     const ql_kern *kern, ql_fitted *out, ql_err *err);

/* Which tensors were taken over, in words: "input, enc0, ...". */
typedef struct {
    ql_str taken, fresh; /* owned */
} ql_start_report;

/* Put the weights of the model in b into a new one: rows of genes by source (number of the old
 * model's gene for each of f's, or -1), tensors of the hidden layers whose shapes agree. What the
 * old model does not have stays as it was drawn. */
QL_MUST_USE ql_status ql_fitted_start(const ql_bundle *b, const int64_t *source, ql_fitted *f,
                                      ql_start_report *report, ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
