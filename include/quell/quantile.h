/* Quantiles. */
#ifndef QUELL_QUANTILE_H
#define QUELL_QUANTILE_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Quantile p in [0, 1] of n >= 1 ascending values: linear between order statistics, type 7 of
 * Hyndman and Fan 1996, the default of R and numpy. */
double ql_quantile_sorted(const double *sorted, int64_t n, double p);

/* The same of values in any order, which are put in order; interpolated as numpy does, from the
 * lower of the two by a part of their difference. */
double ql_quantile(double *v, int64_t n, double p);

#ifdef __cplusplus
}
#endif
#endif
