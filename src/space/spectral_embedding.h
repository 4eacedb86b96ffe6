/* Eigenvectors of a graph as coordinates of its points. Private to src/space. */
#ifndef QL_SPECTRAL_EMBEDDING_H
#define QL_SPECTRAL_EMBEDDING_H

#include "quell/spectral.h"
#include "spectral_graph.h"

enum {
    QL_SPECTRAL_NEIGHBOURS = 7,
    QL_SPECTRAL_KEPT = 30,
    QL_SPECTRAL_STARTS = 50,
    QL_SPECTRAL_STEPS = 100
};

/* vector [n, width], vectors of the largest eigenvalues first. */
QL_MUST_USE ql_status ql_graph_vectors(const ql_knn *l, int64_t neighbours, int64_t width,
                                       const ql_spectral_options *opt, double *vector,
                                       double *residual, ql_err *err);

/* The first k coordinates of vector [n, width], each row to unit length: out [n, k]. */
void ql_unit_rows(const double *vector, int64_t n, int64_t width, int64_t k, double *out);

#endif
