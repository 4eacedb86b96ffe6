/* The graph of shared neighbours that Louvain divides (Levine et al. 2015, Cell 162, 184,
 * PhenoGraph; as scDHA uses it). Private to src/space. */
#ifndef QL_SHARED_GRAPH_H
#define QL_SHARED_GRAPH_H

#include "quell/csr.h"
#include "quell/knn.h"

/* u neighbours of k in common weigh u / (2 k - u) / 2, once for each direction in which the pair
 * are neighbours; 0 is no edge. out: [n, n], symmetric, columns ascending. */
QL_MUST_USE ql_status ql_graph_of_shared(const ql_knn *knn, ql_csr *out, ql_err *err);

#endif
