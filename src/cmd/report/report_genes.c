/* Genes before and after denoising, and how much each varies. */
#include <math.h>

#include "quell/alloc.h"
#include "quell/chart.h"
#include "report_page.h"

enum { LEVELS = 9, MAP_CELLS = 2500 };
static const char *const levels[LEVELS] = {"e0", "e1", "e2", "e3", "e4", "e5", "e6", "e7", "e8"};

static double log2_1p(double x)
{
    return ql_log10(1 + x) / ql_log10(2);
}

/* ---- one gene on the map of the cells ---- */

/* Both maps have one scale: 0 to the value that one cell in 200 passes, or the largest. */
static int level_of(double value, double most)
{
    const double v = log2_1p(value) / most * (LEVELS - 1);
    return v > 0 ? (int)fmin(v + 0.5, LEVELS - 1) : 0;
}

static double largest(const report_data *d, int g)
{
    const int64_t n = d->ds.counts.n_rows;
    double most = 0;
    for (int64_t i = 0; i < n; i++) most = fmax(most, d->denoised[g * n + i]);
    return most > 0 ? log2_1p(most) : 1;
}

static double value_at(const report_data *d, int g, bool denoised, int64_t i)
{
    const int64_t k = g * d->ds.counts.n_rows + i;
    return denoised ? (double)d->denoised[k] : d->raw[k];
}

/* High values are drawn last, so that they are seen. */
static ql_status put_map(const report_data *d, int g, bool denoised, ql_str *out, ql_err *err)
{
    const int64_t n = d->ds.counts.n_rows, m = n < MAP_CELLS ? n : MAP_CELLS;
    const double most = largest(d, g);
    ql_series series[LEVELS];
    double *xy;
    int64_t at = 0;
    QL_TRY(QL_NEW(xy, 2 * m, "points of a gene", err));
    for (int level = 0; level < LEVELS; level++) {
        const int64_t first = at;
        for (int64_t k = 0; k < m; k++) {
            const int64_t i = k * n / m;
            if (level_of(value_at(d, g, denoised, i), most) != level) continue;
            xy[at] = d->place[0][i];
            xy[m + at++] = d->place[1][i];
        }
        series[level] = (ql_series){xy + first, xy + m + first, at - first, NULL, levels[level]};
    }
    ql_chart_put(&(ql_chart){.title = denoised ? "denoised" : "raw",
                             .width = 300,
                             .height = 230,
                             .mark = QL_MARK_POINTS,
                             .series = series,
                             .n_series = LEVELS,
                             .bare = true},
                 out);
    ql_free(xy);
    return QL_OK;
}

static ql_status put_scatter(const report_data *d, int g, ql_str *out, ql_err *err)
{
    const int64_t n = d->ds.counts.n_rows, m = n < REPORT_GENE_POINTS ? n : REPORT_GENE_POINTS;
    double *x;
    QL_TRY(QL_NEW(x, 2 * m, "points of a gene", err));
    for (int64_t k = 0; k < m; k++) {
        x[k] = log2_1p(value_at(d, g, false, k * n / m));
        x[m + k] = log2_1p(value_at(d, g, true, k * n / m));
    }
    const ql_series points = {x, x + m, m, NULL, "c0"};
    ql_chart_put(&(ql_chart){.title = "every dot a cell",
                             .xlab = "raw, log2(1 + count)",
                             .ylab = "denoised, log2(1 + count)",
                             .width = 300,
                             .height = 230,
                             .mark = QL_MARK_POINTS,
                             .series = &points,
                             .n_series = 1,
                             .from_zero = true},
                 out);
    ql_free(x);
    return QL_OK;
}

/* In how many cells a gene is seen. */
static double share_seen(const report_data *d, int g)
{
    const int64_t n = d->ds.counts.n_rows;
    int64_t seen = 0;
    for (int64_t i = 0; i < n; i++) seen += d->raw[g * n + i] > 0;
    return 100.0 * (double)seen / (double)n;
}

static ql_status put_gene(const report_data *d, int g, ql_str *out, ql_err *err)
{
    ql_str_puts(out, "<h3>");
    ql_html_text(out, ql_name(&d->ds.genes.index, d->gene[g]));
    ql_str_printf(out,
                  " <small>counts in %.0f %% of the cells; the darkest is %.3g "
                  "counts</small></h3><div class=\"three\">\n",
                  share_seen(d, g), ql_exp10(largest(d, g) * ql_log10(2)) - 1);
    if (d->place[0] && d->place[1]) {
        QL_TRY(put_map(d, g, false, out, err));
        QL_TRY(put_map(d, g, true, out, err));
    }
    QL_TRY(put_scatter(d, g, out, err));
    ql_str_puts(out, "</div>\n");
    return QL_OK;
}

ql_status report_put_genes(const report_data *d, ql_str *out, ql_err *err)
{
    if (!d->has_denoised || d->n_genes == 0 || d->ds.genes_differ) return QL_OK;
    report_put_heading(out, "Genes before and after");
    ql_str_puts(
        out,
        "<p>Counts and denoised counts on the map of the cells, in one colour scale. A good "
        "result fills up the cells of a kind that expresses the gene and leaves the others pale. "
        "In the plot on the right a column of dots at one raw count is spread by what cells like "
        "each of them express: zeros that rise were probably missed molecules.</p>\n");
    for (int g = 0; g < d->n_genes; g++) QL_TRY(put_gene(d, g, out, err));
    report_end_section(out);
    return QL_OK;
}

/* ---- dispersion, gain ---- */

static bool is_number(const ql_column *c)
{
    return c && c->type != QL_COL_STRING;
}

typedef double plotted(double value); /* NaN: not shown */

/* Genes by their mean count: y(column), in the colours of `look`. Nothing where var has neither. */
static ql_status put_by_mean(const report_data *d, const char *column, plotted *y, const char *look,
                             ql_chart chart, ql_str *out, ql_err *err)
{
    enum { MOST = 6000 };
    const ql_column *mean = ql_frame_column(&d->ds.genes, "quell_mean_counts");
    const ql_column *value = ql_frame_column(&d->ds.genes, column);
    const int64_t n = d->ds.genes.index.n, m = n < MOST ? n : MOST;
    double *x;
    int64_t shown = 0;
    if (!is_number(mean) || !is_number(value) || m == 0) return QL_OK;
    QL_TRY(QL_NEW(x, 2 * m, "genes", err));
    for (int64_t k = 0; k < m; k++) {
        const int64_t g = k * n / m;
        const double mu = ql_column_number(mean, g), at = y(ql_column_number(value, g));
        if (!(mu > 0) || isnan(at)) continue;
        x[shown] = ql_log10(mu);
        x[m + shown++] = at;
    }
    const ql_series series = {x, x + m, shown, NULL, look};
    chart.xlab = "mean count of the gene";
    chart.width = 480;
    chart.height = 260;
    chart.mark = QL_MARK_POINTS;
    chart.series = &series;
    chart.n_series = 1;
    chart.log_x = true;
    if (shown) ql_chart_put(&chart, out);
    ql_free(x);
    return QL_OK;
}

static double log_dispersion(double theta)
{
    return theta > 0 ? -ql_log10(theta) : NAN;
}

ql_status report_put_dispersion(const report_data *d, ql_str *out, ql_err *err)
{
    const ql_chart chart = {.title = "Genes: what varies beyond chance (1 / theta)",
                            .ylab = "dispersion 1 / theta",
                            .log_y = true};
    return put_by_mean(d, "quell_theta", log_dispersion, "c4", chart, out, err);
}

static double known_gain(double gain)
{
    return isfinite(gain) ? gain : NAN;
}

/* What the model knows of each gene. Those below 0 are better left at their mean. */
ql_status report_put_gains(const report_data *d, ql_str *out, ql_err *err)
{
    const ql_chart chart = {.title = "Genes: gain of held-out molecules over the gene mean",
                            .ylab = "gain, nats per molecule"};
    return put_by_mean(d, "quell_gain", known_gain, "c2", chart, out, err);
}
