#include "triplets.h"

#include <inttypes.h>
#include <string.h>

#include "quell/alloc.h"

static ql_status resize(void **block, int64_t cap, ql_err *err)
{
    void *grown = ql_realloc(*block, cap, sizeof(float));
    if (!grown) return ql_fail(err, QL_EMEMORY, "no memory for %" PRId64 " entries", cap);
    *block = grown;
    return QL_OK;
}

ql_status ql_triplets_reserve(ql_triplets *t, int64_t cap, ql_err *err)
{
    _Static_assert(sizeof *t->row == sizeof(float), "one size for all three");
    if (cap <= t->cap) return QL_OK;
    QL_TRY(resize((void **)&t->row, cap, err));
    QL_TRY(resize((void **)&t->col, cap, err));
    QL_TRY(resize((void **)&t->value, cap, err));
    t->cap = cap;
    return QL_OK;
}

void ql_triplets_free(ql_triplets *t)
{
    ql_free(t->row);
    ql_free(t->col);
    ql_free(t->value);
    *t = (ql_triplets){0};
}

/* A counting sort by row. */
ql_status ql_triplets_to_csr(const int32_t *row, const int32_t *col, const float *value, int64_t n,
                             int64_t n_rows, int64_t n_cols, ql_csr *m, ql_err *err)
{
    QL_TRY(ql_csr_alloc(m, n_rows, n_cols, n, err));
    int64_t *at = m->indptr;
    for (int64_t k = 0; k < n; k++) at[row[k] + 1]++;
    for (int64_t i = 0; i < n_rows; i++) at[i + 1] += at[i];
    for (int64_t k = 0; k < n; k++) {
        int64_t to = at[row[k]]++;
        m->indices[to] = col[k];
        m->data[to] = value[k];
    }
    memmove(at + 1, at, (size_t)n_rows * sizeof *at);
    at[0] = 0;
    return QL_OK;
}
