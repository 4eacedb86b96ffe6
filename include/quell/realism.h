/* Are sampled cells like real ones? Figures of both side by side (posterior predictive checks), and
 * what a classifier tells apart. */
#ifndef QUELL_REALISM_H
#define QUELL_REALISM_H

#include "quell/csr.h"
#include "quell/logistic.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const char *name, *unit;
    double real, sampled; /* NaN: the figure is of both */
    double agreement;     /* NaN: none beside the two */
    const char *measure;  /* what agreement is */
} ql_realism_row;

enum { QL_REALISM_MOST = 32 };

typedef struct {
    int n;
    ql_realism_row row[QL_REALISM_MOST];
} ql_realism;

/* Figures of cells and of genes; both matrices have the same genes. */
QL_MUST_USE ql_status ql_realism_checks(const ql_csr *real, const ql_csr *sampled, ql_realism *out,
                                        ql_err *err);

/* What tells them apart, by cross-validated AUROC (0.5: nothing): codes [n, width] of either, and
 * ln(1 + counts). Row i of real and sampled, where both have it, are kept in the same fold. */
typedef struct {
    const ql_csr *real, *sampled;
    const float *real_z, *sampled_z;
    int64_t width;
} ql_realism_cells;
QL_MUST_USE ql_status ql_realism_classify(const ql_realism_cells *c, const ql_folds *how,
                                          ql_realism *out, ql_err *err);

/* Largest difference of two distribution functions (Kolmogorov and Smirnov); both are put in order.
 */
double ql_ks_distance(double *a, int64_t n_a, double *b, int64_t n_b);

#ifdef __cplusplus
}
#endif
#endif
