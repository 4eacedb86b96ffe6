/* An ensemble in the file of a model: the first model is where a single one would be. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "quell/ensemble.h"
#include "quell/alloc.h"

#define SIZE    "ensemble/models"
#define SHARES  "ensemble/shares"
#define WEIGHTS "ensemble/weights"

enum { NAME = 64 };
static const double rounding = 1e-3; /* of weights that add up to 1 */

static void group_of(int i, char out[NAME])
{
    snprintf(out, NAME, "ensemble/model%d/state", i);
}

static void entry_of(int i, const char *what, char out[NAME])
{
    snprintf(out, NAME, "ensemble/model%d/%s", i, what);
}

/* ---- putting ---- */

static ql_status put_member(const ql_member *m, int i, ql_bundle *b, ql_err *err)
{
    char name[NAME];
    ql_bundle part = {0};
    ql_status st;
    entry_of(i, "kind", name);
    QL_GO(ql_bundle_put_text(b, name, m->kind->name, err));
    entry_of(i, "settings", name);
    QL_GO(ql_bundle_put_text(b, name, m->settings, err));
    if (i == 0) goto out;
    group_of(i, name);
    QL_GO(m->kind->put(m->state, &part, err));
    QL_GO(ql_bundle_put_part(b, name, &part, err));
out:
    ql_bundle_free(&part);
    return st;
}

static ql_status put_weights(const ql_ensemble *e, ql_bundle *b, ql_err *err)
{
    const int64_t n = e->n * e->n_genes;
    float *values;
    QL_TRY(QL_NEW(values, n, "weights of the ensemble", err));
    for (int64_t k = 0; k < n; k++) values[k] = (float)e->weight[k];
    return ql_bundle_give_array(b, WEIGHTS, (ql_array){QL_ELEM_F32, e->n, e->n_genes, values},
                                values, err);
}

ql_status ql_ensemble_put(const ql_fitted *f, ql_bundle *b, ql_err *err)
{
    const ql_ensemble *e = f->others;
    QL_TRY(ql_bundle_put_int(b, SIZE, e->n, err));
    QL_TRY(ql_bundle_copy_array(b, SHARES, (ql_array){QL_ELEM_F64, e->n, -1, e->facts.share}, err));
    QL_TRY(put_weights(e, b, err));
    for (int i = 0; i < e->n; i++) QL_TRY(put_member(&e->member[i], i, b, err));
    return QL_OK;
}

/* ---- checking ---- */

ql_status ql_ensemble_size(const ql_bundle *b, int *n, ql_err *err)
{
    int64_t size = 1;
    if (ql_bundle_find(b, SIZE)) QL_TRY(ql_bundle_int(b, SIZE, 2, QL_MEMBERS_MOST, &size, err));
    *n = (int)size;
    return QL_OK;
}

ql_status ql_ensemble_kind(const ql_bundle *b, int i, const ql_member_kind **out, ql_err *err)
{
    char name[NAME];
    const char *text = NULL;
    entry_of(i, "kind", name);
    QL_TRY(ql_bundle_text(b, name, &text, err));
    *out = ql_member_kind_find(text);
    if (*out && (i > 0 || (*out)->network)) return QL_OK;
    return ql_fail(err, QL_EDATA, "%s is '%.40s': no such model", name, text);
}

static ql_status check_weights(const ql_bundle *b, int n, int64_t n_genes, ql_err *err)
{
    const ql_array shares = {QL_ELEM_F64, n, -1, NULL};
    ql_array a;
    QL_TRY(ql_bundle_numbers(b, SHARES, shares, QL_FROM_0_TO_1, NULL, err));
    QL_TRY(ql_bundle_array(b, WEIGHTS, (ql_array){QL_ELEM_F32, n, n_genes, NULL}, &a, err));
    for (int64_t g = 0; g < n_genes; g++) {
        double sum = 0;
        for (int i = 0; i < n; i++) {
            const double w = (double)((const float *)a.values)[i * n_genes + g];
            if (!(w >= 0 && w <= 1))
                return ql_fail(err, QL_EDATA, WEIGHTS ": of model %d and gene %lld is %g", i,
                               (long long)g, w);
            sum += w;
        }
        if (fabs(sum - 1) > rounding)
            return ql_fail(err, QL_EDATA, WEIGHTS ": of gene %lld add up to %g, not 1",
                           (long long)g, sum);
    }
    return QL_OK;
}

static ql_status check_member(const ql_bundle *b, const ql_member_spec *spec, int i,
                              int64_t n_genes, ql_err *err)
{
    char group[NAME];
    ql_bundle part;
    group_of(i, group);
    QL_TRY(ql_bundle_part(b, group, &part, err));
    ql_status st = spec->kind->check(&part, spec, n_genes, err);
    ql_bundle_free(&part);
    return st == QL_OK ? QL_OK : ql_context(err, st, "%s", group);
}

ql_status ql_ensemble_check(const ql_bundle *b, const ql_member_spec *specs, int n, int64_t n_genes,
                            ql_err *err)
{
    QL_TRY(check_weights(b, n, n_genes, err));
    for (int i = 1; i < n; i++) QL_TRY(check_member(b, &specs[i], i, n_genes, err));
    return QL_OK;
}

/* ---- taking ---- */

static ql_status take_member(const ql_bundle *b, const ql_member_spec *spec, int i,
                             const ql_rows *counts, const ql_gene_places *genes,
                             const ql_kern *kern, ql_member *m, ql_err *err)
{
    char name[NAME];
    const char *text = NULL;
    ql_bundle part = {0};
    m->kind = spec->kind;
    entry_of(i, "settings", name);
    QL_TRY(ql_bundle_text(b, name, &text, err));
    snprintf(m->settings, sizeof m->settings, "%s", text);
    if (i == 0) return QL_OK;
    group_of(i, name);
    QL_TRY(ql_bundle_part(b, name, &part, err));
    ql_status st = m->kind->take(&part, spec, counts, genes, kern, &m->state, err);
    ql_bundle_free(&part);
    return st;
}

ql_status ql_ensemble_take(const ql_bundle *b, const ql_member_spec *specs, int n,
                           const ql_rows *counts, const ql_gene_places *genes, const ql_kern *kern,
                           int threads, ql_fitted *f, ql_err *err)
{
    ql_array a, shares;
    QL_TRY(ql_ensemble_begin(f, n, threads, err));
    ql_ensemble *e = f->others;
    QL_TRY(ql_bundle_array(b, WEIGHTS, (ql_array){QL_ELEM_F32, n, e->n_genes, NULL}, &a, err));
    QL_TRY(ql_bundle_array(b, SHARES, (ql_array){QL_ELEM_F64, n, -1, NULL}, &shares, err));
    memcpy(e->facts.share, shares.values, (size_t)n * sizeof *e->facts.share);
    for (int64_t k = 0; k < n * e->n_genes; k++)
        e->weight[k] = (ql_real)((const float *)a.values)[k];
    for (int i = 0; i < n; i++)
        QL_TRY(take_member(b, &specs[i], i, counts, genes, kern, &e->member[i], err));
    return QL_OK;
}
