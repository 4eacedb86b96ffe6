/* The working memory of a layer, as a list: how many numbers, and where each array hangs. The same
 * list says what is allocated, what that takes, and what is freed. */
#ifndef QUELL_BUFFERS_H
#define QUELL_BUFFERS_H

#include <stdint.h>

#include "quell/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    void **at;          /* the pointer; owned by whose list it is */
    int64_t size, each; /* numbers, bytes of one; none of size 0 is made */
} ql_buffer;

#define QL_BUFFER(pointer, n)                                                                      \
    {                                                                                              \
        (void **)&(pointer), (n), (int64_t)sizeof *(pointer)                                       \
    }

/* Zeroed; what: for QL_EMEMORY. What has been made before a failure is the owner's to free. */
QL_MUST_USE ql_status ql_buffers_alloc(const ql_buffer *list, int n, const char *what, ql_err *err);
int64_t ql_buffers_bytes(const ql_buffer *list, int n);
void ql_buffers_free(const ql_buffer *list, int n);

#ifdef __cplusplus
}
#endif
#endif
