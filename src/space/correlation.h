/* Points as directions: 1 - Pearson correlation of two of them is 1 minus a dot product. Private to
 * src/space. */
#ifndef QL_CORRELATION_H
#define QL_CORRELATION_H

#include <stdint.h>

#include "quell/knn.h"

/* Directions of n points: dimension by dimension, [d, n], so that one point can be held against
 * many others at once. */
typedef struct {
    int64_t n, d;
    double *turned; /* [d, n]; owned */
} ql_directions;

/* From x [n, d]: each point minus its mean, to unit length; points without spread become 0, which
 * correlates with nothing. Release with ql_directions_free. */
QL_MUST_USE ql_status ql_directions_make(const double *x, int64_t n, int64_t d, ql_directions *out,
                                         ql_err *err);
void ql_directions_free(ql_directions *v);

/* out[j - from] = 1 - correlation of point i of a with point j of b, j in [from, to); in [0, 2]. */
void ql_directions_distance(const ql_directions *a, int64_t i, const ql_directions *b, int64_t from,
                            int64_t to, double *out);

/* The k nearest of points [n, d] to each query [n_queries, d], or to each other where queries is
 * NULL, by 1 - correlation. Coordinates are looked at as float32, as which latent spaces are
 * stored. Release *out with ql_knn_free. */
QL_MUST_USE ql_status ql_nearest_directions(const double *points, int64_t n, const double *queries,
                                            int64_t n_queries, int64_t d, int64_t k, int threads,
                                            ql_knn *out, ql_err *err);

#endif
