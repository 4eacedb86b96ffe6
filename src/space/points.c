#include "quell/points.h"

#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "quell/alloc.h"

/* Is there any number in the row, and is each value one? */
static void look(const float *row, int64_t n_dims, bool *some, int64_t *bad)
{
    *some = false;
    *bad = -1;
    for (int64_t d = 0; d < n_dims; d++) {
        if (!isnan(row[d])) *some = true;
        if (!isfinite(row[d]) && *bad < 0) *bad = d;
    }
}

static ql_status close_gaps(int64_t n_cells, ql_points *p, ql_err *err)
{
    bool some;
    int64_t bad;
    for (int64_t i = 0; i < n_cells; i++) {
        const float *row = p->x + i * p->n_dims;
        look(row, p->n_dims, &some, &bad);
        if (!some) continue;
        if (bad >= 0)
            return ql_fail(err, QL_EDATA, "[%" PRId64 ", %" PRId64 "] is %g, not a number", i, bad,
                           (double)row[bad]);
        if (p->n != i) memmove(p->x + p->n * p->n_dims, row, (size_t)p->n_dims * sizeof *row);
        p->cell[p->n++] = i;
    }
    return p->n > 0 ? QL_OK : ql_fail(err, QL_EDATA, "no cell has a place in it");
}

ql_status ql_points_take(float *x, int64_t n_cells, int64_t n_dims, ql_points *out, ql_err *err)
{
    ql_status st;
    *out = (ql_points){.n_dims = n_dims, .x = x, .n_cells = n_cells};
    if (n_dims < 1) QL_GO(ql_fail(err, QL_EDATA, "has no dimensions"));
    /* neighbours are kept as int32 */
    if (n_cells > INT32_MAX) QL_GO(ql_fail(err, QL_EDATA, "has more than 2^31 - 1 cells"));
    QL_GO(QL_NEW(out->cell, n_cells, "the points", err));
    QL_GO(close_gaps(n_cells, out, err));
out:
    if (st != QL_OK) ql_points_free(out);
    return st;
}

ql_status ql_points_of_cells(const uint8_t *is_point, int64_t n_cells, ql_points *out, ql_err *err)
{
    *out = (ql_points){.n_cells = n_cells};
    QL_TRY(QL_NEW(out->cell, n_cells, "the points", err));
    for (int64_t i = 0; i < n_cells; i++)
        if (is_point[i]) out->cell[out->n++] = i;
    return QL_OK;
}

void ql_points_free(ql_points *p)
{
    ql_free(p->x);
    ql_free(p->cell);
    *p = (ql_points){0};
}

void ql_points_spread(const ql_points *p, const float *x, int64_t width, float *out)
{
    for (int64_t i = 0; i < p->n_cells * width; i++) out[i] = NAN;
    for (int64_t i = 0; i < p->n; i++)
        memcpy(out + p->cell[i] * width, x + i * width, (size_t)width * sizeof *out);
}

void ql_points_spread_doubles(const ql_points *p, const double *x, double *out)
{
    for (int64_t i = 0; i < p->n_cells; i++) out[i] = NAN;
    for (int64_t i = 0; i < p->n; i++) out[p->cell[i]] = x[i];
}
