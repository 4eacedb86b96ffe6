/* exp and log in float64 for the numbers that reach an output file: made of +, -, * and / alone, so
 * the same bits on every machine and C library. For rates and tables, not for inner loops. */
#ifndef QUELL_FMATH_H
#define QUELL_FMATH_H

#ifdef __cplusplus
extern "C" {
#endif

double ql_log(double x); /* x > 0 and finite; within 2 ulp */
double ql_exp(double x); /* 0 below -708, held at 709 above; within 2 ulp */

#ifdef __cplusplus
}
#endif
#endif
