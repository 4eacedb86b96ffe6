/* The weighted graph of nearest neighbours that spectral clustering cuts. Private to src/space. */
#ifndef QL_SPECTRAL_GRAPH_H
#define QL_SPECTRAL_GRAPH_H

#include "quell/knn.h"
#include "sparse_eigen.h"

/* The `kept` nearest of each of n points by 1 - correlation; kept is lowered to n - 1. n >= 2.
 * Release with ql_knn_free. */
QL_MUST_USE ql_status ql_near_lists_make(const double *x, int64_t n, int64_t d, int64_t kept,
                                         int threads, ql_knn *out, ql_err *err);

/* The number of neighbours, from `from` on in steps of 2, at which the graph falls into fewer than
 * k - 1 pieces of 4 or more points, or into one; at most l->k. */
QL_MUST_USE ql_status ql_connected_at(const ql_knn *l, int64_t from, int64_t k, int64_t *neighbours,
                                      ql_err *err);

/* D^-1/2 W D^-1/2 of the graph with that many neighbours; its largest eigenvalues are the smallest
 * of the normalised Laplacian. */
QL_MUST_USE ql_status ql_graph_matrix(const ql_knn *l, int64_t neighbours, ql_sparse *out,
                                      ql_err *err);

#endif
