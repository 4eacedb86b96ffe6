#include "sample.h"

#include <string.h>

#include "quell/alloc.h"
#include "quell/rng.h"

ql_status ql_sample_draw(int64_t n, int64_t m, uint64_t seed, uint64_t purpose, int64_t *which,
                         ql_err *err)
{
    int64_t *list;
    ql_rng rng = ql_rng_start(seed, QL_RNG_SAMPLE, purpose, 0);
    QL_TRY(QL_NEW(list, n, "a sample of the cells", err));
    for (int64_t i = 0; i < n; i++) list[i] = i;
    for (int64_t i = 0; i < m; i++) {
        int64_t at = i + ql_rng_below(&rng, (uint32_t)(n - i));
        which[i] = list[at];
        list[at] = list[i];
    }
    ql_free(list);
    return QL_OK;
}

ql_status ql_sample_rows(const double *x, int64_t n, int64_t d, int64_t m, uint64_t seed,
                         uint64_t purpose, int64_t *which, double *out, ql_err *err)
{
    int64_t *own = NULL;
    if (!which) {
        QL_TRY(QL_NEW(own, m, "a sample of the cells", err));
        which = own;
    }
    ql_status st = ql_sample_draw(n, m, seed, purpose, which, err);
    if (st == QL_OK)
        for (int64_t i = 0; i < m; i++)
            memcpy(out + i * d, x + which[i] * d, (size_t)d * sizeof *out);
    ql_free(own);
    return st;
}
