#include "scdha_weights.h"

#include <math.h>

#include "quell/alloc.h"
#include "quell/labels.h"

static ql_status by_number(const ql_column *c, int64_t n, double *out, ql_err *err)
{
    for (int64_t i = 0; i < n; i++) {
        out[i] = ql_column_number(c, i);
        if (isnan(out[i])) out[i] = 0;
        if (out[i] < 0 || isinf(out[i]))
            return ql_fail(err, QL_EDATA, "obs/%s: entry %lld is %g, no weight", c->name,
                           (long long)i, out[i]);
    }
    return QL_OK;
}

static ql_status by_name(const ql_column *c, int64_t n, double *out, ql_err *err)
{
    ql_labels l = {0};
    int64_t *size = NULL;
    ql_status st;
    QL_GO(ql_labels_of(c, n, &l, err));
    QL_GO(QL_NEW(size, l.names.n + 1, "groups of cells", err));
    ql_labels_sizes(&l, size);
    for (int64_t i = 0; i < n; i++) out[i] = l.code[i] < 0 ? 0 : 1 / (double)size[l.code[i]];
out:
    ql_free(size);
    ql_labels_free(&l);
    return st;
}

ql_status scdha_weights_read(const char *column, const ql_frame *cells, double *out, ql_err *err)
{
    const ql_column *c = ql_frame_column(cells, column);
    const bool names = c && (c->type == QL_COL_STRING || c->type == QL_COL_BOOL);
    if (!c)
        return ql_fail(err, QL_EUSAGE, "--sample-weights %s: the cells have no such column",
                       column);
    return (names ? by_name : by_number)(c, cells->index.n, out, err);
}
