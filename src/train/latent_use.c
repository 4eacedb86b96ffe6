#include "quell/latent_use.h"

#include "quell/alloc.h"

typedef struct {
    double *kl, *sum, *square, *one; /* [units] */
    double library;
    bool second;
} tally;

static ql_status count_cells(void *ctx, const ql_ae *ae, int64_t first_row, int64_t n, ql_err *err)
{
    tally *t = ctx;
    const ql_latent *l = t->second ? &ae->ladder.top.var : &ae->latent;
    const int64_t n_pad = ae->batch[0].n_pad;
    (void)first_row;
    (void)err;
    for (int64_t i = 0; i < n; i++) {
        (void)(t->second ? ql_ae_second_kl : ql_ae_code_kl)(ae, i, t->one);
        t->library += ql_ae_library_kl(ae, i);
        for (int64_t u = 0; u < l->n_out; u++) {
            const double m = (double)l->mean[u * n_pad + i];
            t->kl[u] += t->one[u];
            t->sum[u] += m;
            t->square[u] += m * m;
        }
    }
    return QL_OK;
}

static void finish(const tally *t, ql_latent_use *out)
{
    const double n = (double)(out->n_cells > 0 ? out->n_cells : 1);
    out->library = t->library / n;
    for (int64_t u = 0; u < out->n_units; u++) {
        const double mean = t->sum[u] / n;
        out->kl[u] = t->kl[u] / n;
        out->variance[u] = t->square[u] / n - mean * mean;
        out->total += out->kl[u];
        out->active += out->variance[u] > QL_ACTIVE_UNIT;
    }
}

ql_status ql_measure_latent(ql_ae *ae, const ql_rows *counts, const int64_t *rows, int64_t n,
                            bool second, ql_latent_use *out, ql_err *err)
{
    tally t = {.second = second};
    const int64_t width = second ? ae->ladder.n_out : ql_ae_latent_width(ae);
    ql_batch_source source = {.counts = counts};
    ql_ae_visitor visitor = {.cells = count_cells, .ctx = &t};
    ql_status st;
    *out = (ql_latent_use){.n_cells = n, .n_units = width};
    if (width == 0) return QL_OK;
    QL_GO(QL_NEW(t.kl, 4 * width, "code", err));
    t.sum = t.kl + width;
    t.square = t.sum + width;
    t.one = t.square + width;
    QL_GO(QL_NEW(out->kl, width, "code", err));
    QL_GO(QL_NEW(out->variance, width, "code", err));
    QL_GO(ql_ae_visit(ae, &source, rows, n, 0, &visitor, err));
    finish(&t, out);
out:
    ql_free(t.kl);
    if (st != QL_OK) ql_latent_use_free(out);
    return st;
}

void ql_latent_use_free(ql_latent_use *u)
{
    ql_free(u->kl);
    ql_free(u->variance);
    *u = (ql_latent_use){0};
}
