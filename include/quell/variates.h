/* Random numbers of the laws of counts, each a function of a ql_rng's words: the same bits on every
 * processor. Float64 throughout.
 *
 * gamma: Marsaglia and Tsang 2000, "A simple method for generating gamma variables"; Poisson: below
 * a mean of 10 by inversion, from there on transformed rejection (PTRS, Hoermann 1993, "The
 * transformed rejection method for generating Poisson random variables"). */
#ifndef QUELL_VARIATES_H
#define QUELL_VARIATES_H

#include "quell/generative.h"

#ifdef __cplusplus
extern "C" {
#endif

/* No count is larger: the largest whose neighbours float32 tells apart. */
#define QL_COUNT_MOST 16777216.0

double ql_draw_unit(ql_rng *rng); /* in (0, 1), 52 bits */

/* Mean `shape`, variance `shape`; shape > 0. Below 1e-300 it is 0. */
double ql_draw_gamma(ql_rng *rng, double shape);

/* mean >= 0, taken as QL_COUNT_MOST where it is more; NaN counts as 0. */
double ql_draw_poisson(ql_rng *rng, double mean);

/* A count of the law; theta, pi as far as it has them. */
double ql_draw_count(ql_rng *rng, ql_law law, double mean, double theta, double pi);

#ifdef __cplusplus
}
#endif
#endif
