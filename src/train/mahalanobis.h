/* A normal distribution around points, and how far other points are from it. Private to src/train.
 */
#ifndef QL_MAHALANOBIS_H
#define QL_MAHALANOBIS_H

#include <stdint.h>

#include "quell/reference.h"

/* Mean and covariance of rows[0..n) of x [.., width], a millionth of the mean variance added to
 * each variance, so that a coordinate that does not vary divides by no zero. */
QL_MUST_USE ql_status ql_gauss_fit(ql_gauss *g, const float *x, int64_t width, const int64_t *rows,
                                   int64_t n, ql_err *err);

/* Mahalanobis distance of x [width], divided by the root of width. */
double ql_gauss_distance(const ql_gauss *g, const float *x);

#endif
