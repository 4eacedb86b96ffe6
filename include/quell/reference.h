/* What a model keeps of the cells it was made with, so that new cells can be compared with them:
 * where the training cells lie in the latent space, and how well the held-out cells fit. */
#ifndef QUELL_REFERENCE_H
#define QUELL_REFERENCE_H

#include "quell/bundle.h"
#include "quell/rows.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A normal distribution. */
typedef struct {
    int64_t width;
    double *mean;   /* [width]; owned */
    double *factor; /* [width, width] lower triangle L, L L' = covariance; owned */
    double *work;   /* [width]; owned */
} ql_gauss;

enum { QL_TREND_TERMS = 3, QL_OUTLIER_PARTS = 3 };

/* A quadratic in x = ln depth, held beyond the depths it was fitted on. */
typedef struct {
    double low, high;            /* of x */
    double centre;               /* term k is multiplied by (x - centre)^k */
    double term[QL_TREND_TERMS]; /* those beyond the degree are 0 */
    double sd;                   /* of the departures; about 0: all of them count as 0 */
} ql_trend;

/* Everything that rates a cell among its peers; can outlive those. */
typedef struct {
    ql_trend trend[QL_OUTLIER_PARTS];
    int64_t n;      /* peers */
    double *sorted; /* [n] their statistics, ascending; owned */
} ql_outlier;

/* Zero-initialise; release with ql_reference_free. */
typedef struct {
    ql_gauss gauss;  /* of the linear latent space; width 0: not known */
    ql_outlier held; /* n 0: not known */
} ql_reference;

void ql_reference_free(ql_reference *r);
void ql_gauss_free(ql_gauss *g);
void ql_outlier_free(ql_outlier *o);

/* ---- as a file has it (reference_bundle.c) ---- */

/* Does a model's file have one? */
bool ql_reference_is_in(const ql_bundle *b);

/* Into a bundle, as far as it is known; checked, of this width; and out of it. */
QL_MUST_USE ql_status ql_reference_put(const ql_reference *r, ql_bundle *b, ql_err *err);
QL_MUST_USE ql_status ql_reference_check(const ql_bundle *b, int64_t width, ql_err *err);
QL_MUST_USE ql_status ql_reference_take(const ql_bundle *b, int64_t width, ql_reference *out,
                                        ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
