/* Accounted allocation. Every block is 64-byte aligned, counted against the process's total and
 * against an optional cap, and sized with overflow checks. */
#ifndef QUELL_ALLOC_H
#define QUELL_ALLOC_H

#include <stddef.h>
#include <stdint.h>

#include "quell/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* n * size bytes, zeroed; n or size 0 gives a valid unique block. NULL when memory, the cap or the
 * address space does not suffice. Free with ql_free. */
void *ql_alloc(int64_t n, size_t size);

/* Grow or shrink to n * size bytes, keeping the contents; new bytes are zero. On failure NULL is
 * returned and the old block stays valid. */
void *ql_realloc(void *block, int64_t n, size_t size);

void ql_free(void *block); /* NULL is allowed */

/* Allocate into *ptr or fail with QL_EMEMORY, naming `what` and the bytes asked for. */
QL_MUST_USE ql_status ql_new_(void **ptr, int64_t n, size_t size, const char *what, ql_err *err);
#define QL_NEW(ptr, n, what, err) ql_new_((void **)&(ptr), (n), sizeof *(ptr), (what), (err))

/* Fail with QL_EMEMORY when `bytes` for `what` is more than the machine has left. */
QL_MUST_USE ql_status ql_need_memory(double bytes, const char *what, ql_err *err);

/* Bytes held now, the highest value so far, and the number of allocations so far. */
int64_t ql_alloc_bytes(void);
int64_t ql_alloc_peak(void);
int64_t ql_alloc_count(void);

/* Upper bound on ql_alloc_bytes(); 0 means none. */
void ql_alloc_set_cap(int64_t bytes);

/* Bytes left under that bound; INT64_MAX without one. */
int64_t ql_alloc_room(void);

/* For tests: the n-th allocation or growth from now fails, once; 0 calls it off. */
void ql_alloc_fail_after(int64_t n);

#ifdef __cplusplus
}
#endif
#endif
