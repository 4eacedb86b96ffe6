/* Eigenvalues of small symmetric matrices in float64. Own routines, because results must have the
 * same bits on every processor: additions, multiplications, divisions and square roots in a fixed
 * order, where a BLAS chooses by processor and number of threads. */
#ifndef QUELL_EIGEN_H
#define QUELL_EIGEN_H

#include <stdint.h>

#include "quell/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* a [n, n], symmetric, row-major, is used up; row i of vectors [n, n] becomes the unit eigenvector
 * of value[i], and value [n] descends; work [2 n]. QL_EINTERNAL: no convergence (not seen on finite
 * numbers). */
QL_MUST_USE ql_status ql_eigen_symmetric(int64_t n, double *a, double *vectors, double *value,
                                         double *work, ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
