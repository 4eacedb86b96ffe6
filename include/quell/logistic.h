/* A linear classifier of two kinds of cells, and how well its scores part them. Float64, sums in a
 * fixed order: the same bits everywhere. */
#ifndef QUELL_LOGISTIC_H
#define QUELL_LOGISTIC_H

#include "quell/csr.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Rows with their kinds. */
typedef struct {
    const ql_csr *x;      /* [n, features] */
    const uint8_t *kind;  /* [x->n_rows] 0 or 1 */
    const int64_t *row;   /* [n] rows of x that are used */
    const double *factor; /* [features] what values are multiplied by; NULL: 1 */
    int64_t n;
} ql_labelled;

/* Minimise sum over rows of ln(1 + exp(-y s)) + ridge / 2 |w|^2 with s = w'x + b, y = 2 kind - 1 (a
 * ridge of 1 / C of scikit-learn; b is free of it) by L-BFGS (Liu and Nocedal 1989) until no
 * partial derivative is above 1e-6 n. w [features + 1], b last. */
QL_MUST_USE ql_status ql_logistic_fit(const ql_labelled *data, double ridge, double *w,
                                      ql_err *err);

/* score [n] of the rows. */
void ql_logistic_score(const ql_labelled *data, const double *w, double *score);

typedef struct {
    double auroc, se; /* standard error */
} ql_auroc;

/* Probability that a row of kind 1 scores above one of kind 0, ties half, with the standard error
 * of DeLong et al. 1988. NaN where a kind is missing. */
QL_MUST_USE ql_status ql_auroc_of(const double *score, const uint8_t *kind, int64_t n,
                                  ql_auroc *out, ql_err *err);

/* The same for scores of rows that the classifier has not seen: rows are parted into folds by the
 * group they belong to (group [x->n_rows], 0 .. n_groups - 1; a group stays together), one
 * classifier a fold is fitted to the others, and the folds' figures are averaged. Features are
 * divided by their standard deviation over the rows fitted to. */
typedef struct {
    int folds, threads;
    double ridge;
    uint64_t seed;
} ql_folds;
QL_MUST_USE ql_status ql_auroc_across(const ql_csr *x, const uint8_t *kind, const int64_t *group,
                                      int64_t n_groups, const ql_folds *how, ql_auroc *out,
                                      ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
