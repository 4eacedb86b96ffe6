/* Clusters of a latent space the way scDHA finds them (Tran et al. 2021, Nature Communications 12,
 * 1029): spectral clustering on a graph of nearest neighbours by correlation, the number of
 * clusters estimated, large sets by a sample and a vote. */
#ifndef QUELL_SPECTRAL_H
#define QUELL_SPECTRAL_H

#include <stdint.h>

#include "quell/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    int64_t k; /* clusters; 0: estimated */
    uint64_t seed;
    uint64_t purpose; /* which clustering of a run with that seed; below 2^20 */
    int threads;
} ql_spectral_options;

/* Spectral clustering of x [n, d] into k clusters: label [n], in [0, *found). There are fewer than
 * k where there are fewer distinct points. residual (may be NULL): what is left of the eigenvalue
 * problem; below 1e-6 it is solved. */
QL_MUST_USE ql_status ql_spectral(const double *x, int64_t n, int64_t d,
                                  const ql_spectral_options *opt, int32_t *label, int64_t *found,
                                  double *residual, ql_err *err);

/* The number of clusters of x, between 2 and `most`, by the rule of scDHA; n >= 4. */
QL_MUST_USE ql_status ql_estimate_k(const double *x, int64_t n, int64_t d, int64_t most,
                                    const ql_spectral_options *opt, int64_t *k, ql_err *err);

/* The same by stability: k-means of five halves of the points (500 of 1000 at most) divides all of
 * them, and the labelings are compared by their mean adjusted Rand index. The largest k at which it
 * is no more than 0.25 / k below the largest of all. */
QL_MUST_USE ql_status ql_stable_k(const double *x, int64_t n, int64_t d, int64_t most,
                                  const ql_spectral_options *opt, int64_t *k, ql_err *err);

enum {
    QL_SPECTRAL_DIRECT = 5000, /* cells up to which all are clustered */
    QL_SPECTRAL_LARGE = 50000, /* cells from which the larger sample is taken */
};

/* What quell cluster --method scdha does with one latent space: k is estimated if not given; fewer
 * than 1000 cells in fewer than 5 clusters by k-means, otherwise by ql_spectral; of more than
 * QL_SPECTRAL_DIRECT cells a sample, after which each other cell takes the label that most of its
 * 10 nearest sampled cells have. *found: clusters, all in use. */
QL_MUST_USE ql_status ql_cluster_latent(const double *x, int64_t n, int64_t d,
                                        const ql_spectral_options *opt, int32_t *label,
                                        int64_t *found, ql_err *err);

/* The same by communities: Louvain at resolution 1 in the graph of shared neighbours (30 nearest by
 * Euclidean distance, 10 more at a time while a cell shares none); of more than 10,000 cells a
 * sample of 9900, and a vote. opt->k has no effect. As ql_louvain on one thread at a time, and
 * QL_EUSAGE where the program was built without igraph. */
QL_MUST_USE ql_status ql_cluster_shared(const double *x, int64_t n, int64_t d,
                                        const ql_spectral_options *opt, int32_t *label,
                                        int64_t *found, ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
