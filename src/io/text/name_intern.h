/* Names given numbers in the order they are first met. Private to src/io. */
#ifndef QUELL_IO_NAME_INTERN_H
#define QUELL_IO_NAME_INTERN_H

#include <stddef.h>
#include <stdint.h>

#include "quell/frame.h"

/* Zero-initialise; release with ql_intern_free. Names are bytes, as the file has them. */
typedef struct {
    char *bytes;     /* names back to back; owned */
    int64_t *offset; /* n + 1; owned */
    uint64_t *hash;  /* n; owned */
    int32_t *slot;   /* [mask + 1]: number + 1, or 0 when empty; owned */
    uint64_t mask;
    int64_t n, cap, cap_bytes;
} ql_intern;

/* *number of the name, a new one if it was not met before. */
QL_MUST_USE ql_status ql_intern_add(ql_intern *in, const char *name, size_t len, int32_t *number,
                                    ql_err *err);

const char *ql_intern_name(const ql_intern *in, int64_t i, size_t *len);
void ql_intern_clear(ql_intern *in); /* keeps the memory */
void ql_intern_free(ql_intern *in);

/* All of them as a list, in order of their numbers. */
QL_MUST_USE ql_status ql_intern_list(const ql_intern *in, ql_names *out, ql_err *err);

#endif
