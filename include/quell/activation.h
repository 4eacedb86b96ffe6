/* Activations of hidden layers: a registry. They act on a few hundred values per cell, so clarity
 * comes before speed; those that need exp take it from the kernel table. */
#ifndef QUELL_ACTIVATION_H
#define QUELL_ACTIVATION_H

#include <stdbool.h>

#include "quell/kern.h"

#ifdef __cplusplus
extern "C" {
#endif

/* slope is that below zero, of those that have one (leakyrelu, prelu); n is a multiple of QL_PAD.
 * The derivatives are taken at x, with y = f(x). */
typedef struct {
    const char *name;
    /* y = f(x); y may not alias x */
    void (*forward)(const ql_kern *kern, ql_real slope, int64_t n, const ql_real *x, ql_real *y);
    /* d *= f'(x) */
    void (*backward)(const ql_kern *kern, ql_real slope, int64_t n, const ql_real *x,
                     const ql_real *y, ql_real *d);
    /* d *= f''(x); at a kink that of its right side */
    void (*second)(const ql_kern *kern, ql_real slope, int64_t n, const ql_real *x,
                   const ql_real *y, ql_real *d);
    bool trained_slope; /* each unit has a slope of its own, which is trained */
} ql_activation;

extern const ql_activation *const ql_activations[];        /* NULL-terminated */
const ql_activation *ql_activation_find(const char *name); /* NULL: unknown */

#ifdef __cplusplus
}
#endif
#endif
