/* exp, log and the normal distribution in float64 for the numbers that reach an output file: made
 * of +, -, * and / alone, so the same bits on every machine and C library. For rates and tables,
 * not for inner loops. */
#ifndef QUELL_FMATH_H
#define QUELL_FMATH_H

#ifdef __cplusplus
extern "C" {
#endif

#define QL_HALF_LOG_2PI 0.91893853320467274178 /* ln(2 pi) / 2, of the normal density */

double ql_log(double x); /* x > 0 and finite; within 2 ulp */
double ql_exp(double x); /* 0 below -708, held at 709 above; within 2 ulp */

/* Probability that a standard normal number is below x: (1 + erf(x / sqrt 2)) / 2. NaN stays NaN;
 * within 1e-15, and for x > -10 within 1e-14 of itself. */
double ql_normal_cdf(double x);

/* ln y! of y >= 0, whole or not: ln Gamma(y + 1); within 1e-11. */
double ql_ln_factorial(double y);

#ifdef __cplusplus
}
#endif
#endif
