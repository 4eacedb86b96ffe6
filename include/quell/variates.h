/* Counts drawn from the laws of a generative model, each a function of a ql_rng's words: the same
 * bits on every processor. */
#ifndef QUELL_VARIATES_H
#define QUELL_VARIATES_H

#include "quell/generative.h"

#ifdef __cplusplus
extern "C" {
#endif

/* No count is larger: the largest whose neighbours float32 tells apart. */
#define QL_COUNT_MOST 16777216.0

/* A count of the law; theta, pi as far as it has them. A mean that is NaN or below 0 counts as 0.
 */
double ql_draw_count(ql_rng *rng, ql_law law, double mean, double theta, double pi);

#ifdef __cplusplus
}
#endif
#endif
