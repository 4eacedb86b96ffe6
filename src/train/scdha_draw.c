/* Which cells a network is trained on. */
#include <math.h>
#include <stdlib.h>

#include "quell/alloc.h"
#include "quell/fmath.h"
#include "quell/order.h"
#include "quell/rng.h"
#include "quell/scdha_fit.h"

/* Exponential times with the weights as rates: the n that come first are drawn one after the other
 * by weight among those that are left (Efraimidis and Spirakis 2006). */
static ql_status draw_weighed(uint64_t seed, int64_t n_rows, int64_t n, const double *weight,
                              int64_t *list, ql_err *err)
{
    ql_ranked *a;
    QL_TRY(QL_NEW(a, n_rows, "the cells to train on", err));
    for (int64_t i = 0; i < n_rows; i++) {
        const ql_rng_block b = ql_rng_at(seed, QL_RNG_SCDHA_WEIGHED, (uint64_t)i, 0, 0);
        const double u = ((double)b.word[0] + 0.5) / 4294967296.0;
        a[i] = (ql_ranked){weight[i] > 0 ? -ql_log(u) / weight[i] : INFINITY, i};
    }
    qsort(a, (size_t)n_rows, sizeof *a, ql_by_rank);
    ql_status st =
        isfinite(a[n - 1].value)
            ? QL_OK
            : ql_fail(err, QL_EDATA, "fewer than %lld cells have a weight above 0", (long long)n);
    for (int64_t i = 0; i < n; i++) list[i] = a[i].at;
    ql_free(a);
    return st;
}

ql_status ql_scdha_draw(uint64_t seed, int64_t n_rows, int64_t n, const double *weight,
                        int64_t **list, ql_err *err)
{
    ql_status st = QL_OK;
    QL_TRY(ql_rows_list(n_rows, list, err));
    if (n == n_rows) return QL_OK;
    if (weight) {
        st = draw_weighed(seed, n_rows, n, weight, *list, err);
    } else {
        ql_rng rng = ql_rng_start(seed, QL_RNG_SCDHA_CELLS, 0, 0);
        ql_rng_shuffle(&rng, *list, n_rows);
    }
    ql_rows_sort(*list, n);
    return st;
}
