/* Distances between points, in float64. */
#ifndef QUELL_METRIC_H
#define QUELL_METRIC_H

#include <stdint.h>

#include "quell/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A row: name and what a distance is made of. Both kinds see rows as vectors whose entries lie
 * around a centre: 0, or with `centred` the row's own mean. */
typedef struct {
    const char *name;
    int angle;   /* 1 - cosine of the angle (0 to 2), instead of the Euclidean distance */
    int centred; /* around the row's mean: the cosine is then Pearson's correlation */
} ql_metric;

extern const ql_metric ql_metrics[]; /* euclidean, cosine, correlation; ended by a NULL name */
const ql_metric *ql_metric_find(const char *name);
const char *ql_metric_at(int i); /* name of row i, NULL past the end */

/* Between a and b [n], sums in a fixed order. A row without any direction (zero; constant, with
 * centred) is at distance 1 from every other, as scikit-learn has it for the cosine. */
double ql_metric_distance(const ql_metric *m, const float *a, const float *b, int64_t n);

#ifdef __cplusplus
}
#endif
#endif
