/* Several models: which were compared and how they are mixed; how often intervals hold. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "quell/chart.h"
#include "report_page.h"

#define RUN "uns/quell/denoise"
enum { MOST_ROWS = 64 };

/* A column of a table in uns. */
typedef struct {
    const char *name, *title;
    int decimals;
    const char *error; /* the column of its standard errors; NULL: none */
} column;

/* All NaN where there are not n numbers. */
static bool read_column(const report_data *d, const char *group, const char *name, int64_t n,
                        double v[MOST_ROWS])
{
    char key[200];
    int64_t got;
    (void)snprintf(key, sizeof key, RUN "/%s/%s", group, name);
    const bool is = ql_results_numbers(d->file, key, MOST_ROWS, v, &got) && got == n;
    for (int i = is ? (int)n : 0; i < MOST_ROWS; i++) v[i] = NAN;
    return is;
}

static void begin_table(const char *first, const column *c, int n, ql_str *out)
{
    ql_str_printf(out, "<table><tr><th>%s</th>", first);
    for (int i = 0; i < n; i++) ql_str_printf(out, "<th class=\"num\">%s</th>", c[i].title);
    ql_str_puts(out, "</tr>\n");
}

static void put_figure(const column *c, double value, double error, ql_str *out)
{
    ql_str_puts(out, "<td class=\"num\">");
    if (isfinite(value)) ql_str_printf(out, "%.*f", c->decimals, value);
    if (isfinite(value) && isfinite(error)) ql_str_printf(out, " &#177; %.*f", c->decimals, error);
    ql_str_puts(out, "</td>");
}

/* The rows; `used` is in bold. */
static void put_rows(const report_data *d, const char *group, const ql_names *rows,
                     const char *used, const column *c, int n, ql_str *out)
{
    double value[4][MOST_ROWS], error[4][MOST_ROWS];
    for (int k = 0; k < n; k++) {
        (void)read_column(d, group, c[k].name, rows->n, value[k]);
        (void)read_column(d, group, c[k].error ? c[k].error : "", rows->n, error[k]);
    }
    for (int64_t i = 0; i < rows->n; i++) {
        const bool is = used && !strcmp(ql_name(rows, i), used);
        ql_str_puts(out, is ? "<tr class=\"used\">" : "<tr>");
        report_put_text(ql_name(rows, i), out);
        for (int k = 0; k < n; k++)
            put_figure(&c[k], value[k][i], c[k].error ? error[k][i] : NAN, out);
        ql_str_puts(out, "</tr>\n");
    }
    ql_str_puts(out, "</table>\n");
}

static void put_choice(const report_data *d, ql_str *out)
{
    static const column columns[] = {{"gain", "gain, nats per molecule", 4, "gain_stderr"},
                                     {"difference", "more than the chosen", 4, "difference_stderr"},
                                     {"weight", "weight", 3, NULL}};
    enum { N = sizeof columns / sizeof *columns };
    ql_names rows = {0};
    ql_str chosen = {0};
    if (ql_results_texts(d->file, RUN "/auto/candidate", MOST_ROWS, &rows) && rows.n > 0) {
        (void)ql_results_text(d->file, RUN "/auto/chosen", &chosen);
        report_put_heading(out, "Models that were compared");
        begin_table("candidate", columns, N, out);
        put_rows(d, "auto", &rows, ql_str_text(&chosen), columns, N, out);
        ql_str_puts(out,
                    "<p class=\"mute\">--auto: gain over the gene means on molecules that chose "
                    "nothing, with standard errors over cells (of differences: over cells in "
                    "pairs). In bold what was chosen.</p>\n");
        report_end_section(out);
    }
    ql_names_free(&rows);
    ql_str_free(&chosen);
}

static void put_better(const report_data *d, ql_str *out)
{
    double first, better, error;
    if (!ql_results_number(d->file, RUN "/ensemble/first_gain", &first) ||
        !ql_results_number(d->file, RUN "/ensemble/better", &better) ||
        !ql_results_number(d->file, RUN "/ensemble/better_stderr", &error))
        return;
    ql_str_printf(
        out,
        "<p>The first model alone gains %.4f nats a molecule; the mixture %+.4f &#177; %.4f "
        "more.</p>\n",
        first, better, error);
}

static void put_mixture(const report_data *d, ql_str *out)
{
    static const column columns[] = {{"weight", "weight", 3, NULL},
                                     {"weight_group1", "for the most abundant genes", 3, NULL}};
    ql_names rows = {0};
    double v[MOST_ROWS];
    if (ql_results_texts(d->file, RUN "/ensemble/settings", MOST_ROWS, &rows) && rows.n > 0) {
        const int n = read_column(d, "ensemble", "weight_group1", rows.n, v) ? 2 : 1;
        report_put_heading(out, "Models that are mixed");
        begin_table("model", columns, n, out);
        put_rows(d, "ensemble", &rows, NULL, columns, n, out);
        put_better(d, out);
        ql_str_puts(out,
                    "<p class=\"mute\">Weights of the models in the expected counts, fitted to "
                    "held-out molecules. The latent space is the first model's.</p>\n");
        report_end_section(out);
    }
    ql_names_free(&rows);
}

void report_put_models(const report_data *d, ql_str *out)
{
    put_choice(d, out);
    put_mixture(d, out);
}

/* ---- coverage ---- */

typedef struct {
    int64_t n;
    double counts[MOST_ROWS], covered[MOST_ROWS], below[MOST_ROWS], above[MOST_ROWS];
} coverage;

static bool read_coverage(const report_data *d, const char *group, int64_t n, coverage *c)
{
    c->n = n;
    return read_column(d, group, "counts", n, c->counts) &&
           read_column(d, group, "covered", n, c->covered) &&
           read_column(d, group, "below", n, c->below) &&
           read_column(d, group, "above", n, c->above);
}

static void put_level(const char *name, const coverage *c, int64_t i, ql_str *out)
{
    ql_str_puts(out, "<tr>");
    report_put_text(name, out);
    report_put_number(0, c->counts[i], out);
    report_put_number(1, 100 * c->covered[i], out);
    report_put_number(1, 100 * c->below[i], out);
    report_put_number(1, 100 * c->above[i], out);
    ql_str_puts(out, "</tr>\n");
}

/* "0.1 to 0.316", or "above 316" for the last. */
static void put_levels(const report_data *d, ql_str *out)
{
    coverage c;
    double from[MOST_ROWS];
    char key[64];
    int64_t n;
    if (!ql_results_numbers(d->file, RUN "/coverage/expected_count/from", MOST_ROWS, from, &n) ||
        !read_coverage(d, "coverage/expected_count", n, &c))
        return;
    for (int64_t i = 0; i < n; i++) {
        if (!(c.counts[i] > 0)) continue;
        if (i + 1 < n)
            (void)snprintf(key, sizeof key, "expected %.3g to %.3g", from[i], from[i + 1]);
        else
            (void)snprintf(key, sizeof key, "expected above %.3g", from[i]);
        put_level(key, &c, i, out);
    }
}

void report_put_coverage(const report_data *d, ql_str *out)
{
    static const char *const third[] = {"genes with few counts", "genes in the middle",
                                        "genes with many counts"};
    enum { THIRDS = sizeof third / sizeof *third };
    coverage c;
    double level;
    if (!ql_results_number(d->file, RUN "/coverage/level", &level) || !isfinite(level) ||
        !read_coverage(d, "coverage/genes", THIRDS, &c))
        return;
    report_put_heading(out, "How sure it is");
    ql_str_printf(out,
                  "<table><tr><th>held-out counts</th><th class=\"num\">number</th><th "
                  "class=\"num\">within %.0f %% intervals, %%</th><th class=\"num\">below, "
                  "%%</th><th class=\"num\">above, %%</th></tr>\n",
                  100 * level);
    for (int i = 0; i < THIRDS; i++) put_level(third[i], &c, i, out);
    put_levels(d, out);
    ql_str_printf(
        out,
        "</table><p class=\"mute\">Predictive intervals on molecules that were held out: "
        "%.0f %% lie within, and equal parts below and above, where the model says rightly "
        "how sure it is. Rows with few counts are rough.</p>\n",
        100 * level);
    report_end_section(out);
}
