/* Leading eigenvectors of a sparse symmetric matrix whose eigenvalues lie in [-1, 1]. Private to
 * src/space. */
#ifndef QL_SPARSE_EIGEN_H
#define QL_SPARSE_EIGEN_H

#include <stdbool.h>
#include <stdint.h>

#include "quell/status.h"

typedef struct {
    int64_t n;
    int64_t *indptr; /* [n + 1]; owned */
    int32_t *index;  /* owned */
    double *value;   /* owned */
} ql_sparse;

void ql_sparse_free(ql_sparse *m);

typedef struct {
    int64_t k;        /* eigenvalues wanted, the largest; at most n */
    double *value;    /* [k] descending; out */
    double *vector;   /* [n, k]: a unit eigenvector a column; out */
    double tolerance; /* of |S u - value u| */
    uint64_t seed;    /* of the vectors it starts from */
    uint64_t purpose; /* below 2^44 */
    double residual;  /* the largest of these that is left; out */
    bool converged;   /* out */
} ql_sparse_eigen;

/* The same bits everywhere; eigenvectors of equal eigenvalues are some basis of their space. */
QL_MUST_USE ql_status ql_sparse_eigen_run(const ql_sparse *s, ql_sparse_eigen *task, ql_err *err);

#endif
