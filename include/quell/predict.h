/* What a fitted model says of cells and genes, in the file's own shape: genes that were set aside
 * are 0, cells that were set aside are 0 (estimates) or NaN (latent). */
#ifndef QUELL_PREDICT_H
#define QUELL_PREDICT_H

#include "quell/fitted.h"
#include "quell/rate_view.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A view of a fitted model for prediction. Zero-initialise; everything borrowed but `column`. */
typedef struct {
    ql_fitted *fitted;
    const ql_rows *counts; /* as ql_fit left them */
    ql_view view;
    double *quantile;  /* [kept genes, QL_QUANTILES_KNOWN] at view.level, scale 1, of x = 0, 1, ...;
                        * NULL: not looked up; owned */
    int32_t *column;   /* [kept genes] output column, or -1; owned */
    int64_t n_columns; /* columns of the output */
    bool chosen;       /* not all genes */
} ql_predictor;

enum { QL_QUANTILES_KNOWN = 4 };

/* genes: the file's gene numbers that make the columns, none twice; NULL: all genes of the file. */
QL_MUST_USE ql_status ql_predictor_new(ql_predictor *p, ql_fitted *fitted, const ql_rows *counts,
                                       ql_value value, const int32_t *genes, int64_t n_genes,
                                       ql_err *err);
/* Another view than the value on the scale of counts that it was made with. */
QL_MUST_USE ql_status ql_predictor_look(ql_predictor *p, const ql_view *view, ql_err *err);

void ql_predictor_free(ql_predictor *p);

/* out [n, n_columns]: the file's cells row0 .. row0 + n - 1. */
QL_MUST_USE ql_status ql_predict_cells(const ql_predictor *p, int64_t row0, int64_t n, float *out,
                                       ql_err *err);

/* out [n, kept cells]: genes gene0 .. gene0 + n - 1, for the cells that have counts; numbers among
 * the chosen genes, or among the kept ones where none were chosen. */
QL_MUST_USE ql_status ql_predict_genes(const ql_predictor *p, int64_t gene0, int64_t n, float *out,
                                       ql_err *err);

/* Probabilities of the labels of --labels, out [cells of the file, labels]; NaN for cells that were
 * set aside. */
QL_MUST_USE ql_status ql_predict_labels(ql_fitted *fitted, const ql_rows *counts, float *out,
                                        ql_err *err);

/* out [cells of the file, ql_ae_latent_width]. */
QL_MUST_USE ql_status ql_predict_latent(ql_fitted *fitted, const ql_rows *counts, ql_latent_at at,
                                        float *out, ql_err *err);

/* Means of the second code of a ladder, out [cells of the file, ae.ladder.n_out]. */
QL_MUST_USE ql_status ql_predict_second(ql_fitted *fitted, const ql_rows *counts, float *out,
                                        ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
