#include "quell/code_use.h"

#include <math.h>

#include "quell/alloc.h"

typedef struct {
    float *code;   /* [units] of one cell */
    uint8_t *used; /* [units] */
    int64_t zeros;
    double sum;
} tally;

static ql_status count_cells(void *ctx, const ql_ae *ae, int64_t first_row, int64_t n, ql_err *err)
{
    tally *t = ctx;
    const int64_t width = ql_ae_latent_width(ae);
    (void)first_row;
    (void)err;
    for (int64_t i = 0; i < n; i++) {
        ql_ae_latent(ae, QL_LATENT_ACTIVATION, i, t->code);
        for (int64_t u = 0; u < width; u++) {
            bool zero = fabs((double)t->code[u]) < QL_CODE_ZERO;
            t->zeros += zero;
            if (!zero) t->used[u] = 1;
            t->sum += (double)t->code[u];
        }
    }
    return QL_OK;
}

ql_status ql_measure_code(ql_ae *ae, const ql_rows *counts, const int64_t *rows, int64_t n,
                          ql_code_use *out, ql_err *err)
{
    tally t = {0};
    const int64_t width = ql_ae_latent_width(ae);
    const double values = (double)n * (double)width;
    ql_batch_source source = {.counts = counts};
    ql_ae_visitor visitor = {.cells = count_cells, .ctx = &t};
    ql_status st;
    *out = (ql_code_use){.n_cells = n, .n_units = width};
    QL_GO(QL_NEW(t.code, width, "code", err));
    QL_GO(QL_NEW(t.used, width, "code", err));
    QL_GO(ql_ae_visit(ae, &source, rows, n, 0, &visitor, err));
    for (int64_t u = 0; u < width; u++) out->dead += !t.used[u];
    out->near_zero = values > 0 ? (double)t.zeros / values : 0;
    out->mean = values > 0 ? t.sum / values : 0;
out:
    ql_free(t.code);
    ql_free(t.used);
    return st;
}
