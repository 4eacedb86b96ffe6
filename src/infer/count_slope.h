/* Slope of ln p(x) by the mean of a count, and its variance, Fisher's information. Private to
 * src/infer. */
#ifndef QL_COUNT_SLOPE_H
#define QL_COUNT_SLOPE_H

#include "quell/generative.h"

typedef struct {
    double slope, information;
} count_slope;

/* Means of counts below 1e-12 are taken as that. */
count_slope count_slope_of(ql_law law, double x, double mu, double theta, double pi);

#endif
