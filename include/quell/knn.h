/* The nearest neighbours of points, exactly: those that all distances in float64 give, ties by
 * position.
 *
 * Products of blocks in float32 find what may be near, within a bound on their rounding errors;
 * what passes is measured in float64. So neither the kernels nor the number of threads has a say in
 * the result. */
#ifndef QUELL_KNN_H
#define QUELL_KNN_H

#include <stdint.h>

#include "quell/kern.h"
#include "quell/metric.h"
#include "quell/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Zero-initialise; release with ql_knn_free. */
typedef struct {
    int64_t n;
    int k;
    int32_t *index;   /* [n, k], nearest first; owned */
    double *distance; /* [n, k]; owned */
} ql_knn;

typedef struct {
    const ql_metric *metric;
    int k; /* 1 <= k <= points to choose from */
    int threads;
    const ql_kern *kern;
    void (*tell)(void *ctx, double share); /* how far it is, from one thread; may be NULL */
    void *ctx;
} ql_knn_options;

/* The k nearest of points [n, n_dims] to each of them, itself left out (k < n). Values are finite.
 * QL_EDATA: values beyond 1e15 in size. QL_EINT and QL_ETERM as everywhere. */
QL_MUST_USE ql_status ql_knn_points(const float *points, int64_t n, int64_t n_dims,
                                    const ql_knn_options *opt, ql_knn *out, ql_err *err);

/* The k nearest of points [n, n_dims] to each query [n_queries, n_dims]. */
QL_MUST_USE ql_status ql_knn_queries(const float *points, int64_t n, const float *queries,
                                     int64_t n_queries, int64_t n_dims, const ql_knn_options *opt,
                                     ql_knn *out, ql_err *err);

/* What the two above have made. */
void ql_knn_free(ql_knn *knn);

#ifdef __cplusplus
}
#endif
#endif
