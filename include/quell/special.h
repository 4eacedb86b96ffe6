/* Special functions and the distributions of counts and rates, in float64: made of +, -, *, /, sqrt
 * and ql_log / ql_exp, so the same bits on every machine and C library. */
#ifndef QUELL_SPECIAL_H
#define QUELL_SPECIAL_H

#ifdef __cplusplus
extern "C" {
#endif

double ql_log1p(double x); /* ln(1 + x), x > -1; within a few ulp */
double ql_expm1(double x); /* exp(x) - 1, likewise */

/* ln Gamma(x), x > 0: within 1e-14 of max(1, |itself|); near 1 as near to 0 as it is. Of
 * 1 + x, x >= 0, without the rounding of that sum. */
double ql_lgamma(double x);
double ql_lgamma1p(double x);

/* Gamma distribution of shape a > 0 and scale 1: the share below x and the share above it, each
 * within 1e-10 of itself where it is above 1e-300. */
double ql_gamma_below(double a, double x);
double ql_gamma_above(double a, double x);

/* Where the share p lies below, 0 <= p < 1; within 1e-10 of itself. 0 where it is smaller than the
 * smallest normal double. NaN for a <= 0 or another p. */
double ql_gamma_quantile(double a, double p);

/* Mean of ln(1 + s z) for gamma-distributed z of shape a and scale 1; a > 0, s >= 0. Within 1e-7 of
 * itself. */
double ql_gamma_mean_log1p(double a, double s);

/* Negative binomial distribution of mean m >= 0 and shape a > 0 (variance m + m^2 / a): the
 * probability of a whole t >= 0, and of what is below t. */
typedef struct {
    double below, at;
} ql_negbin;
ql_negbin ql_negbin_at(double m, double a, double t);

/* Mean of ln(1 + unit t) for such a t; unit >= 0. Within 1e-7 of itself. */
double ql_negbin_mean_log1p(double m, double a, double unit);

#ifdef __cplusplus
}
#endif
#endif
