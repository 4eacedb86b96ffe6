/* k-means in float64, the same bits for any number of threads. */
#ifndef QUELL_KMEANS_H
#define QUELL_KMEANS_H

#include <stdbool.h>
#include <stdint.h>

#include "quell/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum {
    QL_KMEANS_LLOYD, /* centres drawn by k-means++ (Arthur and Vassilvitskii 2007), Lloyd's steps */
    QL_KMEANS_WONG /* centres drawn from the distinct points, algorithm of Hartigan and Wong 1979 */
} ql_kmeans_rule;

typedef struct {
    ql_kmeans_rule rule;
    int64_t k;
    int starts;    /* the one with the smallest sum of squares is kept; the first of equal ones */
    int max_steps; /* Lloyd: rounds; Hartigan-Wong: rounds of optimal transfers */
    uint64_t seed;
    uint64_t purpose; /* which run of k-means of a program with that seed; below 2^44 */
    int threads;      /* starts are made side by side */
} ql_kmeans_options;

typedef struct {
    int64_t k;      /* groups; fewer than asked for where there are fewer distinct points */
    int32_t *label; /* [n], in [0, k), each in use; owned */
    double *centre; /* [k, d]; owned */
    double within;  /* sum of squared distances to the own centre */
    double total;   /* to the mean of all */
    int best_start;
    bool converged; /* the start that was kept */
} ql_kmeans;

/* x [n, d], row-major, finite. QL_EUSAGE: k < 1 or no points. Release *out with ql_kmeans_free; it
 * is empty after a failure. */
QL_MUST_USE ql_status ql_kmeans_run(const double *x, int64_t n, int64_t d,
                                    const ql_kmeans_options *opt, ql_kmeans *out, ql_err *err);
void ql_kmeans_free(ql_kmeans *k);

#ifdef __cplusplus
}
#endif
#endif
