/* Positive definite matrices by their Cholesky factor: a = L L', L lower triangular. Row-major
 * [n, n], of which the lower triangles alone are looked at. */
#ifndef QUELL_CHOLESKY_H
#define QUELL_CHOLESKY_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* L in place of a. Squares of its diagonal that are not above least become that; with least 0 such
 * a one, or one that is not finite, ends it: false, and a is neither. */
bool ql_cholesky(double *a, int64_t n, double least);

/* x [n] becomes L^-1 x; or L'^-1 x. */
void ql_solve_lower(const double *l, int64_t n, double *x);
void ql_solve_upper(const double *l, int64_t n, double *x);

#ifdef __cplusplus
}
#endif
#endif
