/* Charts of the report: the course of the training, distributions over the cells. */
#include "report_page.h"

#include <math.h>

#include "quell/alloc.h"
#include "quell/chart.h"

static void put_course(const char *title, const ql_series *loss, ql_str *out)
{
    ql_chart_put(&(ql_chart){.title = title,
                             .xlab = "epoch",
                             .ylab = "loss, nats",
                             .width = 480,
                             .height = 260,
                             .mark = QL_MARK_LINE,
                             .series = loss,
                             .n_series = 1},
                 out);
}

ql_status report_put_training(const report_data *d, ql_str *out, ql_err *err)
{
    double *epoch;
    if (d->n_epochs == 0) return QL_OK;
    QL_TRY(QL_NEW(epoch, d->n_epochs, "epochs", err));
    for (int64_t i = 0; i < d->n_epochs; i++) epoch[i] = (double)i + 1;
    const ql_series loss = {epoch, d->loss, d->n_epochs, NULL, "c0"};
    const ql_series validation = {epoch, d->validation, d->n_epochs, NULL, "c1"};
    report_put_heading(out, "Training");
    ql_str_puts(out, "<div class=\"two\">");
    put_course("Validation: cells that were not trained on", &validation, out);
    put_course("Training cells", &loss, out);
    ql_str_puts(out, "</div>");
    report_end_section(out);
    ql_free(epoch);
    return QL_OK;
}

enum { N_BARS = 40 };

static void put_histogram(const char *title, const char *xlab, bool is_log, const double *v,
                          int64_t n, ql_str *out)
{
    double edge[N_BARS + 1], bar[N_BARS] = {0}, lo = INFINITY, hi = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(v[i])) continue;
        lo = fmin(lo, v[i]);
        hi = fmax(hi, v[i]);
    }
    if (!(lo <= hi)) return;
    const double step = hi > lo ? (hi - lo) / N_BARS : 1;
    for (int b = 0; b <= N_BARS; b++) edge[b] = lo + b * step;
    for (int64_t i = 0; i < n; i++)
        if (isfinite(v[i])) bar[(int)fmin((v[i] - lo) / step, N_BARS - 1)]++;
    const ql_series bars = {edge, bar, N_BARS, NULL, "c0"};
    ql_chart_put(&(ql_chart){.title = title,
                             .xlab = xlab,
                             .ylab = "cells",
                             .width = 480,
                             .height = 260,
                             .mark = QL_MARK_BARS,
                             .series = &bars,
                             .n_series = 1,
                             .from_zero = true,
                             .log_x = is_log},
                 out);
}

ql_status report_put_distributions(const report_data *d, ql_str *out, ql_err *err)
{
    const int64_t n = d->ds.counts.n_rows;
    const ql_column *outlier = ql_frame_column(&d->ds.cells, "quell_outlier");
    double *v;
    QL_TRY(QL_NEW(v, n, "values of cells", err));
    for (int64_t i = 0; i < n; i++) v[i] = ql_log10(d->depth[i]);
    report_put_heading(out, "The data");
    ql_str_puts(out, "<div class=\"two\">");
    put_histogram("Molecules per cell", "molecules (logarithmic)", true, v, n, out);
    for (int64_t i = 0; i < n; i++) v[i] = 0;
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = d->ds.counts.indptr[i]; k < d->ds.counts.indptr[i + 1]; k++)
            v[i] += d->ds.counts.data[k] > 0;
    put_histogram("Genes per cell", "genes with counts", false, v, n, out);
    if (outlier && outlier->type != QL_COL_STRING) {
        for (int64_t i = 0; i < n; i++) v[i] = ql_column_number(outlier, i);
        put_histogram("quell_outlier: share of held-out cells that fit better",
                      "near 1: unlike any cell the model has learned", false, v, n, out);
    }
    ql_status st = report_put_dispersion(d, out, err);
    if (st == QL_OK) st = report_put_gains(d, out, err);
    ql_str_puts(out, "</div>");
    report_end_section(out);
    ql_free(v);
    return st;
}
