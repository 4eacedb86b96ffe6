/* One start of k-means. Private to src/space. */
#ifndef QL_KMEANS_INTERNAL_H
#define QL_KMEANS_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "quell/rng.h"
#include "quell/status.h"

typedef struct {
    const double *x; /* [n, d] */
    int64_t n, d, k;
    int max_steps;
    double *centre; /* [k, d]: in, where to start; out */
    int32_t *label; /* [n]: out */
    double within;  /* out */
    bool converged; /* out */
} ql_kmeans_start;

static inline double ql_squared_distance(const double *a, const double *b, int64_t d)
{
    double sum = 0;
    for (int64_t i = 0; i < d; i++) sum += (a[i] - b[i]) * (a[i] - b[i]);
    return sum;
}

/* Centres by k-means++ into s->centre. nearest [n]: scratch. */
void ql_kmeans_plus_plus(ql_kmeans_start *s, ql_rng *rng, double *nearest);

/* Lloyd's algorithm; a group that runs empty takes the point farthest from its centre. */
QL_MUST_USE ql_status ql_kmeans_lloyd(ql_kmeans_start *s, ql_err *err);

/* Algorithm AS 136. Centres have to be distinct points of x, so that no group is empty; 1 < k < n.
 */
QL_MUST_USE ql_status ql_kmeans_wong(ql_kmeans_start *s, ql_err *err);

/* Centres become means of their groups; sets within. */
void ql_kmeans_settle(ql_kmeans_start *s, int64_t *size);

#endif
