#include "network_rates.h"

typedef struct {
    ql_real *out; /* [genes, ld] */
    int64_t ld;
} rates_job;

static void copy_tile(void *ctx, const ql_ae_tile *t)
{
    const rates_job *j = ctx;
    for (int64_t g = 0; g < t->genes.count; g++) {
        ql_real *out = j->out + (t->genes.first + g) * j->ld + t->first_row + t->first;
        for (int64_t i = 0; i < t->n; i++) {
            const ql_real mu = t->mean[g * t->ld + i];
            out[i] = mu > 0 ? mu : 0; /* a linear mean may be below */
        }
    }
}

/* Where members get their cells: no codes, no draws. */
static ql_batch_source means_of(const ql_batch_source *s)
{
    return (ql_batch_source){.counts = s->counts,
                             .cell = s->cell,
                             .cov = s->cov,
                             .decode = s->decode,
                             .n_decode = s->n_decode};
}

ql_status ql_network_rates(ql_ae *ae, const ql_batch_source *source, const int64_t *rows, int64_t n,
                           int64_t ld, ql_real *out, ql_err *err)
{
    const ql_ae_company *company = ae->company;
    const float *mix_weight = ae->mix_weight;
    const ql_batch_source own = means_of(source);
    rates_job job = {out, ld};
    const ql_ae_visitor visitor = {.tile = copy_tile, .ctx = &job};
    ae->company = NULL;
    ae->mix_weight = NULL;
    ql_status st = ql_ae_visit(ae, &own, rows, n, 0, &visitor, err);
    ae->company = company;
    ae->mix_weight = mix_weight;
    return st;
}
