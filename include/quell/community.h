/* Communities of a graph: Leiden and Louvain, by igraph. */
#ifndef QUELL_COMMUNITY_H
#define QUELL_COMMUNITY_H

#include <stdbool.h>

#include "quell/csr.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a partition is judged by (sums over pairs in one community; A weights, k sums of weights of
 * a node, 2m of all). Modularity: A_ij - resolution k_i k_j / 2m (Reichardt and Bornholdt 2006);
 * CPM: A_ij - resolution (Traag, Van Dooren and Nesterov 2011). */
typedef enum { QL_QUALITY_MODULARITY, QL_QUALITY_CPM } ql_quality;

typedef struct {
    ql_quality quality;
    double resolution;
    int iterations; /* Leiden: at most; 0: until one changes nothing */
    uint64_t seed;
} ql_community_options;

typedef struct {
    int64_t n;         /* communities */
    double modularity; /* of the partition, at the resolution given; for CPM at 1 */
} ql_communities;

/* The community of each node of a symmetric graph with weights >= 0: code [n_rows], 0 .. n-1.
 * Leiden: Traag, Waltman and Van Eck 2019; Louvain: Blondel et al. 2008, which knows modularity
 * only. The same bits for the same seed, whatever the threads: igraph draws from our generator.
 * QL_EUSAGE (no igraph), QL_EMEMORY, QL_EINT, QL_ETERM, QL_EINTERNAL. */
QL_MUST_USE ql_status ql_leiden(const ql_csr *graph, const ql_community_options *opt, int32_t *code,
                                ql_communities *out, ql_err *err);
QL_MUST_USE ql_status ql_louvain(const ql_csr *graph, const ql_community_options *opt,
                                 int32_t *code, ql_communities *out, ql_err *err);

/* Modularity of a partition of n communities (float64, fixed order). */
QL_MUST_USE ql_status ql_modularity(const ql_csr *graph, const int32_t *code, int64_t n,
                                    double resolution, double *out, ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
