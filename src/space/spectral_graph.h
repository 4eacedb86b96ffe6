/* The weighted graph of nearest neighbours that spectral clustering cuts. Private to src/space. */
#ifndef QL_SPECTRAL_GRAPH_H
#define QL_SPECTRAL_GRAPH_H

#include "sparse_eigen.h"

/* Nearest of each of n points by 1 - correlation, nearest first. */
typedef struct {
    int64_t n, kept;
    int32_t *index;   /* [n, kept]; owned */
    double *distance; /* [n, kept]; owned */
} ql_near_lists;

/* kept is lowered to n - 1. n >= 2. Release with ql_near_lists_free. */
QL_MUST_USE ql_status ql_near_lists_make(const double *x, int64_t n, int64_t d, int64_t kept,
                                         int threads, ql_near_lists *out, ql_err *err);
void ql_near_lists_free(ql_near_lists *l);

/* The number of neighbours, from `from` on in steps of 2, at which the graph falls into fewer than
 * k - 1 pieces of 4 or more points, or into one; at most l->kept. */
QL_MUST_USE ql_status ql_connected_at(const ql_near_lists *l, int64_t from, int64_t k,
                                      int64_t *neighbours, ql_err *err);

/* D^-1/2 W D^-1/2 of the graph with that many neighbours; its largest eigenvalues are the smallest
 * of the normalised Laplacian. */
QL_MUST_USE ql_status ql_graph_matrix(const ql_near_lists *l, int64_t neighbours, ql_sparse *out,
                                      ql_err *err);

#endif
