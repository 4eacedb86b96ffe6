/* Activations of hidden layers: a registry. They act on a few hundred values per cell, so clarity
 * comes before speed; those that need exp take it from the kernel table. */
#ifndef QUELL_ACTIVATION_H
#define QUELL_ACTIVATION_H

#include "quell/kern.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    const char *name;
    /* y = f(x); n a multiple of QL_PAD; y may not alias x */
    void (*forward)(const ql_kern *kern, int64_t n, const ql_real *x, ql_real *y);
    /* d *= f'(x), from x and y = f(x); n a multiple of QL_PAD */
    void (*backward)(int64_t n, const ql_real *x, const ql_real *y, ql_real *d);
} ql_activation;

extern const ql_activation *const ql_activations[];        /* NULL-terminated */
const ql_activation *ql_activation_find(const char *name); /* NULL: unknown */

#ifdef __cplusplus
}
#endif
#endif
