#include "quell/ensemble.h"

#include <string.h>

#include "network_rates.h"
#include "quell/alloc.h"

/* ---- rates ---- */

/* Members that are asked side by side. */
typedef struct {
    ql_ensemble *e;
    int first;
    const ql_batch_source *source;
    const int64_t *rows;
    int64_t n, ld;
    ql_real *rates; /* [members of the wave, genes, ld] */
    ql_status status[QL_MEMBERS_MOST];
    ql_err *errors; /* [members of the wave] */
} wave;

/* One without any weight need not be asked. */
static bool counts_for(const ql_ensemble *e, int i)
{
    for (int64_t g = 0; g < e->n_genes; g++)
        if (e->weight[i * e->n_genes + g] > 0) return true;
    return false;
}

static void ask(void *ctx, int64_t item)
{
    wave *w = ctx;
    if (!counts_for(w->e, w->first + (int)item)) return;
    const ql_member *m = &w->e->member[w->first + item];
    ql_real *out = w->rates + item * w->e->n_genes * w->ld;
    w->status[item] =
        m->kind->rates(m->state, w->source, w->rows, w->n, w->ld, out, &w->errors[item]);
}

/* Add the members of the wave, in their order. */
static ql_status add_wave(const wave *w, int n, ql_real *out, ql_err *err)
{
    const ql_ensemble *e = w->e;
    for (int k = 0; k < n; k++) {
        const ql_real *rates = w->rates + k * e->n_genes * w->ld;
        const ql_real *weight = e->weight + (w->first + k) * e->n_genes;
        if (w->status[k] != QL_OK) {
            *err = w->errors[k];
            return w->status[k];
        }
        if (!counts_for(e, w->first + k)) continue;
        for (int64_t g = 0; g < e->n_genes; g++)
            for (int64_t i = 0; i < w->n; i++)
                out[g * w->ld + i] += weight[g] * rates[g * w->ld + i];
    }
    return QL_OK;
}

static int wave_size(const ql_ensemble *e)
{
    const int others = e->n - 1;
    return e->threads < others ? e->threads : others;
}

static ql_status rates_of_others(void *ctx, const ql_batch_source *source, const int64_t *rows,
                                 int64_t n, int64_t ld, ql_real *out, ql_err *err)
{
    ql_ensemble *e = ctx;
    const int size = wave_size(e);
    wave w = {.e = e, .source = source, .rows = rows, .n = n, .ld = ld};
    ql_status st;
    memset(out, 0, (size_t)(e->n_genes * ld) * sizeof *out);
    QL_GO(QL_NEW(w.rates, size * e->n_genes * ld, "rates of the ensemble", err));
    QL_GO(QL_NEW(w.errors, size, "rates of the ensemble", err));
    for (w.first = 1; w.first < e->n; w.first += size) {
        const int left = e->n - w.first, now = left < size ? left : size;
        ql_parallel_for(e->threads, now, ask, &w);
        QL_GO(add_wave(&w, now, out, err));
    }
out:
    ql_free(w.rates);
    ql_free(w.errors);
    return st;
}

ql_status ql_ensemble_rates(ql_fitted *f, int i, const ql_batch_source *source, const int64_t *rows,
                            int64_t n, int64_t ld, ql_real *out, ql_err *err)
{
    if (i == 0) return ql_network_rates(&f->ae, source, rows, n, ld, out, err);
    const ql_member *m = &f->others->member[i];
    return m->kind->rates(m->state, source, rows, n, ld, out, err);
}

/* ---- the object ---- */

ql_status ql_ensemble_begin(ql_fitted *f, int n, int threads, ql_err *err)
{
    ql_ensemble *e;
    const int64_t genes = f->ae.n_genes;
    QL_TRY(QL_NEW(e, 1, "the ensemble", err));
    *e = (ql_ensemble){.n = n, .n_genes = genes, .threads = threads};
    ql_status st = QL_NEW(e->weight, n * genes, "weights of the ensemble", err);
    if (st != QL_OK) {
        ql_free(e);
        return st;
    }
    for (int64_t k = 0; k < n * genes; k++) e->weight[k] = 1 / (ql_real)n;
    for (int i = 0; i < n; i++) e->facts.share[i] = 1.0 / n;
    e->company = (ql_ae_company){rates_of_others, e->weight, e};
    f->others = e;
    f->ae.company = &e->company;
    return QL_OK;
}

void ql_ensemble_free(ql_ensemble *e)
{
    if (!e) return;
    for (int i = 1; i < e->n; i++)
        if (e->member[i].kind) e->member[i].kind->free(e->member[i].state);
    ql_free(e->weight);
    ql_free(e);
}
