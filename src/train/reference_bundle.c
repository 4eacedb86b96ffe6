/* A reference as a model file has it. */
#include <string.h>

#include "quell/alloc.h"
#include "quell/reference.h"

#define MEAN   "reference/latent/mean"
#define FACTOR "reference/latent/factor"
#define TRENDS "reference/heldout/trends"
#define SORTED "reference/heldout/statistics"

/* A row of the trends. */
enum { LOW, HIGH, CENTRE, TERMS, SD = TERMS + QL_TREND_TERMS, N_FIGURES };

bool ql_reference_is_in(const ql_bundle *b)
{
    return ql_bundle_find(b, MEAN) != NULL;
}

static void put_trend(const ql_trend *t, double row[N_FIGURES])
{
    row[LOW] = t->low;
    row[HIGH] = t->high;
    row[CENTRE] = t->centre;
    memcpy(row + TERMS, t->term, sizeof t->term);
    row[SD] = t->sd;
}

static void take_trend(const double row[N_FIGURES], ql_trend *t)
{
    t->low = row[LOW];
    t->high = row[HIGH];
    t->centre = row[CENTRE];
    memcpy(t->term, row + TERMS, sizeof t->term);
    t->sd = row[SD];
}

ql_status ql_reference_put(const ql_reference *r, ql_bundle *b, ql_err *err)
{
    double trends[QL_OUTLIER_PARTS * N_FIGURES];
    const int64_t w = r->gauss.width, n = r->held.n;
    if (w > 0) {
        QL_TRY(ql_bundle_copy_array(b, MEAN, (ql_array){QL_ELEM_F64, w, -1, r->gauss.mean}, err));
        QL_TRY(
            ql_bundle_copy_array(b, FACTOR, (ql_array){QL_ELEM_F64, w, w, r->gauss.factor}, err));
    }
    if (n == 0) return QL_OK;
    for (int k = 0; k < QL_OUTLIER_PARTS; k++) put_trend(&r->held.trend[k], trends + k * N_FIGURES);
    QL_TRY(ql_bundle_copy_array(b, TRENDS,
                                (ql_array){QL_ELEM_F64, QL_OUTLIER_PARTS, N_FIGURES, trends}, err));
    return ql_bundle_copy_array(b, SORTED, (ql_array){QL_ELEM_F64, n, -1, r->held.sorted}, err);
}

static ql_status get(const ql_bundle *b, const char *name, int64_t n_rows, int64_t n_cols,
                     ql_array *out, ql_err *err)
{
    const ql_array want = {QL_ELEM_F64, n_rows, n_cols, NULL};
    return ql_bundle_numbers(b, name, want, QL_FINITE, out, err);
}

static ql_status check_gauss(const ql_bundle *b, int64_t width, ql_err *err)
{
    ql_array a;
    QL_TRY(get(b, MEAN, width, -1, &a, err));
    QL_TRY(get(b, FACTOR, width, width, &a, err));
    for (int64_t u = 0; u < width; u++)
        if (!(((const double *)a.values)[u * width + u] > 0))
            return ql_fail(err, QL_EDATA, FACTOR ": row %lld has no number above 0 on the diagonal",
                           (long long)u);
    return QL_OK;
}

static ql_status check_held(const ql_bundle *b, ql_err *err)
{
    ql_array a;
    QL_TRY(get(b, TRENDS, QL_OUTLIER_PARTS, N_FIGURES, &a, err));
    for (int k = 0; k < QL_OUTLIER_PARTS; k++) {
        const double *row = (const double *)a.values + k * N_FIGURES;
        if (row[SD] < 0 || row[LOW] > row[HIGH])
            return ql_fail(err, QL_EDATA, TRENDS ": row %d is no trend", k);
    }
    QL_TRY(get(b, SORTED, -1, -1, &a, err));
    if (a.n_rows < 1) return ql_fail(err, QL_EDATA, SORTED ": is empty");
    for (int64_t i = 1; i < a.n_rows; i++)
        if (((const double *)a.values)[i] < ((const double *)a.values)[i - 1])
            return ql_fail(err, QL_EDATA, SORTED ": value %lld is below the one before",
                           (long long)i);
    return QL_OK;
}

ql_status ql_reference_check(const ql_bundle *b, int64_t width, ql_err *err)
{
    if (ql_reference_is_in(b)) QL_TRY(check_gauss(b, width, err));
    if (!ql_bundle_find(b, TRENDS)) return QL_OK;
    if (!ql_reference_is_in(b)) return ql_fail(err, QL_EDATA, TRENDS " without " MEAN);
    return check_held(b, err);
}

static ql_status take_held(const ql_bundle *b, ql_outlier *out, ql_err *err)
{
    ql_array a;
    QL_TRY(get(b, TRENDS, QL_OUTLIER_PARTS, N_FIGURES, &a, err));
    for (int k = 0; k < QL_OUTLIER_PARTS; k++)
        take_trend((const double *)a.values + k * N_FIGURES, &out->trend[k]);
    QL_TRY(get(b, SORTED, -1, -1, &a, err));
    QL_TRY(QL_NEW(out->sorted, a.n_rows, "outliers", err));
    memcpy(out->sorted, a.values, (size_t)a.n_rows * sizeof *out->sorted);
    out->n = a.n_rows;
    return QL_OK;
}

ql_status ql_reference_take(const ql_bundle *b, int64_t width, ql_reference *out, ql_err *err)
{
    ql_gauss *g = &out->gauss;
    if (!ql_reference_is_in(b)) return QL_OK;
    QL_TRY(QL_NEW(g->mean, width, "a covariance", err));
    QL_TRY(QL_NEW(g->factor, width * width, "a covariance", err));
    QL_TRY(QL_NEW(g->work, width, "a covariance", err));
    g->width = width;
    QL_TRY(ql_bundle_load(b, MEAN, (ql_array){QL_ELEM_F64, width, -1, NULL}, g->mean, err));
    QL_TRY(ql_bundle_load(b, FACTOR, (ql_array){QL_ELEM_F64, width, width, NULL}, g->factor, err));
    return ql_bundle_find(b, TRENDS) ? take_held(b, &out->held, err) : QL_OK;
}
