#include "quell/buffers.h"

#include "quell/alloc.h"

ql_status ql_buffers_alloc(const ql_buffer *list, int n, const char *what, ql_err *err)
{
    for (int i = 0; i < n; i++)
        if (list[i].size > 0)
            QL_TRY(ql_new_(list[i].at, list[i].size, (size_t)list[i].each, what, err));
    return QL_OK;
}

int64_t ql_buffers_bytes(const ql_buffer *list, int n)
{
    int64_t sum = 0;
    for (int i = 0; i < n; i++) sum += list[i].size * list[i].each;
    return sum;
}

void ql_buffers_free(const ql_buffer *list, int n)
{
    for (int i = 0; i < n; i++) ql_free(*list[i].at);
}
