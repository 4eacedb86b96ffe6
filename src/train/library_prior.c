#include "library_prior.h"

#include "quell/alloc.h"
#include "quell/fmath.h"

/* Sums of the cells of each group. */
typedef struct {
    double *n, *sum, *square; /* [groups] */
} tally;

static void count_cell(tally *t, int64_t group, double x)
{
    t->n[group] += 1;
    t->sum[group] += x;
    t->square[group] += x * x;
}

static double log_total(const ql_row_view *row)
{
    double total = 0;
    for (int64_t k = 0; k < row->n; k++) total += (double)row->count[k];
    return total > 0 ? ql_log(total) : 0;
}

static ql_status count_cells(ql_ae *ae, const ql_rows *counts, const int64_t *rows, int64_t n,
                             tally *t, ql_err *err)
{
    const int64_t last = ae->library.n_groups - 1, width = ql_cov_width(&ae->cfg.vae.cov);
    ql_row_cursor c;
    QL_TRY(ql_cursor_open(&c, counts, err));
    for (int64_t i = 0; i < n; i++) {
        float own[QL_COV_MOST] = {-1};
        const ql_row_view row = ql_cursor_row(&c, rows[i]);
        const double x = log_total(&row);
        if (ae->cov.value) ql_cov_row(&ae->cov, width, rows[i], own);
        const int64_t group = ql_ae_library_group(ae, own);
        if (group != last) count_cell(t, group, x);
        count_cell(t, last, x);
    }
    ql_cursor_close(&c);
    return ql_rows_check(counts, err);
}

/* Sums become means and variances. */
static void finish(tally *t, int64_t n_groups)
{
    for (int64_t k = n_groups - 1; k >= 0; k--) {
        const int64_t from = t->n[k] > 0 ? k : n_groups - 1;
        const double n = t->n[from] > 0 ? t->n[from] : 1;
        if (from != k) {
            t->sum[k] = t->sum[from];
            t->square[k] = t->square[from];
            continue;
        }
        t->sum[k] /= n;
        t->square[k] = t->square[k] / n - t->sum[k] * t->sum[k];
    }
}

ql_status ql_library_prior_fit(ql_ae *ae, const ql_rows *counts, const int64_t *rows, int64_t n,
                               bool begin, ql_err *err)
{
    const int64_t n_groups = ae->library.n_groups;
    double *sums = NULL;
    if (n_groups == 0) return QL_OK;
    QL_TRY(QL_NEW(sums, 3 * n_groups, "library sizes", err));
    tally t = {sums, sums + n_groups, sums + 2 * n_groups};
    ql_status st = count_cells(ae, counts, rows, n, &t, err);
    finish(&t, n_groups);
    if (st == QL_OK) ql_ae_library_set_prior(ae, t.sum, t.square, begin);
    ql_free(sums);
    return st;
}
