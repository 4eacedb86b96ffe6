/* A weighted graph of neighbours: which cells are alike, and how much. */
#ifndef QUELL_GRAPH_H
#define QUELL_GRAPH_H

#include "quell/csr.h"
#include "quell/knn.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The fuzzy simplicial set of UMAP (McInnes, Healy and Melville 2018, section 3.1 and algorithms 2
 * and 3): the weight of a neighbour j of i is exp(-max(0, d_ij - rho_i) / sigma_i), rho_i the
 * distance to the nearest that is not at 0, sigma_i such that the weights of i sum to log2(k + 1);
 * the two directions a, b of a pair join as a + b - a b. out: symmetric, [n, n], weights in (0, 1],
 * float32 of float64 sums, columns ascending. */
QL_MUST_USE ql_status ql_graph_of_knn(const ql_knn *knn, ql_csr *out, ql_err *err);

/* The scales rho and sigma [n] of that. */
void ql_graph_scales(const ql_knn *knn, double *rho, double *sigma);

/* Put a column and its value into a row that holds n in ascending order: column, value [n + 1]. */
void ql_graph_insert(int32_t *column, double *value, int64_t n, int32_t c, double v);

/* Is m square with finite weights >= 0, without a diagonal, and symmetric? QL_EDATA otherwise. */
QL_MUST_USE ql_status ql_graph_check(const ql_csr *m, ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
