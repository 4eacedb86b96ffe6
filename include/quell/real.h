/* The number type of the engine. The program computes in float32; a second build of the same
 * sources in float64 (QL_REAL_IS_DOUBLE, scalar kernels, tests only) is what gradients are checked
 * on. */
#ifndef QUELL_REAL_H
#define QUELL_REAL_H

#ifdef QL_REAL_IS_DOUBLE
typedef double ql_real;
#else
typedef float ql_real;
#endif

#endif
