/* Random numbers of the distributions of rates and counts, from a sequence of words (rng.h). Made
 * of ql_log, ql_exp and exact arithmetic: the same draws on every machine. A draw takes a varying
 * number of words, so each of a set needs a sequence of its own (ql_rng_start at its place). */
#ifndef QUELL_RNG_DRAW_H
#define QUELL_RNG_DRAW_H

#include "quell/rng.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Uniform in (0, 1) with 53 bits, never 0 or 1. Two words. */
double ql_rng_open(ql_rng *rng);

/* Gamma of shape a > 0 and scale 1 (Marsaglia & Tsang 2000). 0 where it is smaller than a double
 * can be, which small shapes make likely (a = 1e-3: half of all draws); NaN for a NaN or not above
 * 0. */
double ql_rng_gamma(ql_rng *rng, double a);

/* Poisson of mean m: inversion below 10, else transformed rejection (PTRS, Hormann 1993). A whole
 * number. m <= 0 and NaN give 0; m above 2^52 is rounded, its noise being below one part in 2^26.
 */
double ql_rng_poisson(ql_rng *rng, double m);

/* Negative binomial of mean m and shape a: Poisson of a gamma-distributed mean. */
double ql_rng_negbin(ql_rng *rng, double m, double a);

#ifdef __cplusplus
}
#endif
#endif
