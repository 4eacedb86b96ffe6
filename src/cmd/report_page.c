#include "report_page.h"

#include <math.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/chart.h"

#define RUN "uns/quell/denoise"

static const char style[] =
    ":root{--bg:#fff;--fg:#1c2430;--mute:#667085;--line:#d8dde6;--warn:#b42318;--a:#2563a8}"
    "@media(prefers-color-scheme:dark){:root{--bg:#12161d;--fg:#e6e9ef;--mute:#98a2b3;"
    "--line:#2d3543;--warn:#ff8a7a;--a:#74b0ec}}"
    "@media print{:root{--bg:#fff;--fg:#000;--mute:#444;--line:#ccc}figure,section{break-inside:"
    "avoid}}"
    "body{background:var(--bg);color:var(--fg);font:15px/1.5 system-ui,sans-serif;max-width:1000px;"
    "margin:2em auto;padding:0 1em}h1{margin-bottom:0}h2{border-bottom:1px solid var(--line);"
    "margin-top:2em}table{border-collapse:collapse}td,th{padding:.25em 1em .25em 0;text-align:left;"
    "border-bottom:1px solid var(--line);vertical-align:top;overflow-wrap:anywhere}"
    "pre{padding:.8em;border:1px solid var(--line);overflow:auto;white-space:pre-wrap;"
    "overflow-wrap:anywhere}.mute{color:var(--mute)}.warn{color:var(--warn);font-weight:600}"
    "figure{margin:1em 0;display:inline-block;width:100%;vertical-align:top}"
    ".three figure{width:32%;min-width:240px}figcaption{font-weight:600}svg{width:100%}"
    ".t{font-size:11px;fill:var(--mute)}.l{font-size:12px;fill:var(--fg)}.g{stroke:var(--line)}"
    ".p{fill:none;stroke-width:3;stroke-linecap:round;stroke-opacity:.7}"
    ".n{fill:none;stroke-width:2}.b{stroke:none}"
    ".key span{margin-right:1em;white-space:nowrap}.key i{display:inline-block;width:.8em;"
    "height:.8em;margin-right:.35em;border-radius:50%}.key{font-size:13px;margin:.2em 0}"
    "i{background:var(--k)}path.p,path.n{stroke:var(--k)}path.b{fill:var(--k)}"
    ".grey{--k:#98a2b3}.c0{--k:#4477aa}.c1{--k:#ee6677}.c2{--k:#228833}.c3{--k:#ccbb44}"
    ".c4{--k:#66ccee}.c5{--k:#aa3377}.c6{--k:#e08030}.c7{--k:#7a5cc0}.c8{--k:#2a9d8f}"
    ".c9{--k:#a0522d}.v0{--k:#440154}.v1{--k:#46327e}.v2{--k:#365c8d}.v3{--k:#277f8e}"
    ".v4{--k:#1fa187}.v5{--k:#4ac16d}.v6{--k:#a0da39}.v7{--k:#fde725}";

static void put_row(ql_str *out, const char *name, const char *value)
{
    ql_str_puts(out, "<tr><th>");
    ql_html_text(out, name);
    ql_str_puts(out, "</th><td>");
    ql_html_text(out, value);
    ql_str_puts(out, "</td></tr>\n");
}

static void put_heading(ql_str *out, const char *title)
{
    ql_str_printf(out, "<section><h2>%s</h2>\n", title);
}

static void end_section(ql_str *out)
{
    ql_str_puts(out, "</section>\n");
}

/* ---- what was done ---- */

static double molecules(const report_data *d)
{
    double sum = 0;
    for (int64_t i = 0; i < d->ds.counts.n_rows; i++) sum += d->depth[i];
    return sum;
}

static void put_run(const report_data *d, ql_str *out)
{
    static const struct {
        const char *name, *key;
    } texts[] = {{"Program", RUN "/version"},
                 {"Likelihood", RUN "/model"},
                 {"Counts taken from", RUN "/matrix"},
                 {"Hash of the counts", RUN "/counts_fnv1a"},
                 {"Model trained by", RUN "/applied/version"}};
    ql_str text = {0};
    put_heading(out, "What was done");
    ql_str_puts(out, "<table>\n");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        ql_str_clear(&text);
        if (ql_results_text(d->file, texts[i].key, &text))
            put_row(out, texts[i].name, ql_str_text(&text));
    }
    ql_str_clear(&text);
    ql_str_printf(&text, "%lld cells, %lld genes, %.4g molecules", (long long)d->ds.counts.n_rows,
                  (long long)d->ds.counts.n_cols, molecules(d));
    put_row(out, "Input", ql_str_text(&text));
    ql_str_puts(out, "</table>\n");
    ql_str_clear(&text);
    if (ql_results_text(d->file, RUN "/options", &text)) {
        ql_str_puts(out, "<details><summary>All options</summary><pre>");
        ql_html_text(out, ql_str_text(&text));
        ql_str_puts(out, "</pre></details>\n");
    }
    end_section(out);
    ql_str_free(&text);
}

/* ---- how good it is ---- */

typedef struct {
    double gain, error, deviance;
} score_line;

static bool find_score(const report_data *d, const char *name, score_line *s)
{
    char key[128];
    (void)snprintf(key, sizeof key, RUN "/heldout/%s_gain", name);
    if (!ql_results_number(d->file, key, &s->gain)) return false;
    (void)snprintf(key, sizeof key, RUN "/heldout/%s_gain_stderr", name);
    if (!ql_results_number(d->file, key, &s->error)) return false;
    (void)snprintf(key, sizeof key, RUN "/heldout/%s_deviance", name);
    return ql_results_number(d->file, key, &s->deviance);
}

static void put_verdict(const score_line *s, ql_str *out)
{
    if (s->gain < 0)
        ql_str_puts(out, "<p class=\"warn\">Warning: this model predicts held-out molecules WORSE "
                         "than the gene means do. Do not use these denoised values.</p>\n");
    else if (s->gain < 2 * s->error)
        ql_str_puts(out,
                    "<p class=\"warn\">The gain over the gene means is within its error: there "
                    "is little that denoising can use in these data.</p>\n");
    else
        ql_str_printf(out,
                      "<p>A molecule that the model had not seen is on average %.2f times as "
                      "probable under the denoised values as under the gene means alone.</p>\n",
                      exp(s->gain));
}

static void put_score(const report_data *d, ql_str *out)
{
    static const struct {
        const char *key, *name;
    } lines[] = {{"posterior", "posterior: what this cell expresses"},
                 {"mean", "model mean: what cells like it express"},
                 {"gene_mean", "gene means x depth (no model)"},
                 {"raw", "the raw counts themselves"}};
    ql_str scale = {0};
    score_line s;
    put_heading(out, "How good it is");
    (void)ql_results_text(d->file, RUN "/scale/denoised", &scale);
    const char *used =
        strstr(ql_str_text(&scale), "posterior") || !scale.len ? "posterior" : "mean";
    if (!find_score(d, used, &s)) {
        ql_str_puts(out, "<p class=\"warn\">No score: nothing was held out in this run.</p>\n");
    } else {
        put_verdict(&s, out);
        ql_str_puts(out, "<table><tr><th>prediction</th><th>gain, nats per molecule</th>"
                         "<th>Poisson deviance</th></tr>\n");
        for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
            if (find_score(d, lines[i].key, &s))
                ql_str_printf(out, "<tr><td>%s</td><td>%.4f &#177; %.4f</td><td>%.4f</td></tr>\n",
                              lines[i].name, s.gain, s.error, s.deviance);
        ql_str_puts(out,
                    "</table><p class=\"mute\">Gain over the gene means on molecules that were "
                    "held out, with its standard error; higher is better.</p>\n");
    }
    end_section(out);
    ql_str_free(&scale);
}

static ql_status put_training(const report_data *d, ql_str *out, ql_err *err)
{
    double *epoch;
    if (d->n_epochs == 0) return QL_OK;
    QL_TRY(QL_NEW(epoch, d->n_epochs, "epochs", err));
    for (int64_t i = 0; i < d->n_epochs; i++) epoch[i] = (double)i + 1;
    const ql_series loss = {epoch, d->loss, d->n_epochs, NULL, "c0"};
    const ql_series validation = {epoch, d->validation, d->n_epochs, NULL, "c1"};
    put_heading(out, "Training");
    ql_chart_put(&(ql_chart){"Validation: cells that were not trained on", "epoch", "loss, nats",
                             480, 260, QL_MARK_LINE, &validation, 1, false, false},
                 out);
    ql_chart_put(&(ql_chart){"Training cells", "epoch", "loss, nats", 480, 260, QL_MARK_LINE, &loss,
                             1, false, false},
                 out);
    end_section(out);
    ql_free(epoch);
    return QL_OK;
}

/* ---- cells ---- */

enum { MOST_GROUPS = 10, SHADES = 8 };
static const char *const kinds[] = {"c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9"};
static const char *const shades[] = {"v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7"};

/* The group of each cell and what the groups are called. */
typedef struct {
    int *of; /* [cells]; owned */
    ql_str name[MOST_GROUPS + 1];
    const char *colour[MOST_GROUPS + 1];
    int n;
    const char *by;
} grouping;

static void grouping_free(grouping *g)
{
    ql_free(g->of);
    for (int i = 0; i <= MOST_GROUPS; i++) ql_str_free(&g->name[i]);
}

/* Even steps between the smallest and the largest; what is not finite is grey. */
static void group_numbers(const double *v, int64_t n, grouping *g)
{
    double lo = INFINITY, hi = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(v[i])) continue;
        lo = fmin(lo, v[i]);
        hi = fmax(hi, v[i]);
    }
    const double step = hi > lo ? (hi - lo) / SHADES : 1;
    for (int64_t i = 0; i < n; i++)
        g->of[i] = !isfinite(v[i]) ? SHADES : (int)fmin((v[i] - lo) / step, SHADES - 1);
    for (int s = 0; s < SHADES; s++) {
        g->colour[s] = shades[s];
        if (lo <= hi) ql_str_printf(&g->name[s], "from %.4g", lo + s * step);
    }
    ql_str_puts(&g->name[SHADES], "no value");
    g->colour[SHADES] = "grey";
    g->n = SHADES + 1;
}

/* The most frequent values have colours of their own, first come first where equal. */
static ql_status group_strings(const ql_names *names, grouping *g, ql_err *err)
{
    ql_name_index *index = NULL;
    int64_t *count = NULL;
    ql_status st;
    QL_GO(ql_name_index_new(names, &index, err));
    QL_GO(QL_NEW(count, names->n, "groups of cells", err));
    for (int64_t i = 0; i < names->n; i++) {
        count[ql_name_index_find(index, ql_name(names, i))]++;
        g->of[i] = MOST_GROUPS;
    }
    for (int k = 0; k < MOST_GROUPS; k++) {
        int64_t best = 0;
        for (int64_t i = 0; i < names->n; i++)
            if (count[i] > count[best]) best = i;
        if (names->n == 0 || count[best] == 0) break;
        count[best] = 0;
        ql_str_puts(&g->name[k], ql_name(names, best));
        g->colour[k] = kinds[k];
        for (int64_t i = 0; i < names->n; i++)
            if (!strcmp(ql_name(names, i), ql_name(names, best))) g->of[i] = k;
        g->n = k + 1;
    }
    for (int k = g->n; k <= MOST_GROUPS; k++) g->colour[k] = "grey";
    ql_str_puts(&g->name[MOST_GROUPS], "others");
    g->n = MOST_GROUPS + 1;
out:
    ql_name_index_free(index);
    ql_free(count);
    return st;
}

static ql_status group_cells(const report_data *d, const char *color, grouping *g, ql_err *err)
{
    const int64_t n = d->ds.counts.n_rows;
    const ql_column *c = color ? ql_frame_column(&d->ds.cells, color) : NULL;
    double *v;
    QL_TRY(QL_NEW(g->of, n, "groups of cells", err));
    g->by = color ? color : "log10 of molecules per cell";
    if (color && !c) return ql_fail(err, QL_EUSAGE, "--color: obs has no column '%s'", color);
    if (c && c->type == QL_COL_STRING) return group_strings(&c->strings, g, err);
    QL_TRY(QL_NEW(v, n, "colours of cells", err));
    for (int64_t i = 0; i < n; i++) v[i] = c ? ql_column_number(c, i) : log10(d->depth[i]);
    group_numbers(v, n, g);
    ql_free(v);
    return QL_OK;
}

/* The shown cells of one group, gathered. */
static int64_t gather(const report_data *d, const grouping *g, int group, double *x, double *y)
{
    const int64_t n = d->ds.counts.n_rows, shown = n < REPORT_POINTS ? n : REPORT_POINTS;
    int64_t m = 0;
    for (int64_t k = 0; k < shown; k++) {
        const int64_t i = k * n / shown;
        if (g->of[i] != group) continue;
        x[m] = d->place[0][i];
        y[m++] = d->place[1][i];
    }
    return m;
}

static ql_status draw_cells(const report_data *d, const grouping *g, ql_str *out, ql_err *err)
{
    ql_series series[MOST_GROUPS + 1];
    ql_str title = {0};
    double *xy;
    int64_t at = 0;
    int n = 0;
    QL_TRY(QL_NEW(xy, 2 * REPORT_POINTS, "points", err));
    for (int k = g->n; k-- > 0;) {
        double *x = xy + at, *y = xy + REPORT_POINTS + at;
        const int64_t m = gather(d, g, k, x, y);
        at += m;
        if (m) series[n++] = (ql_series){x, y, m, ql_str_text(&g->name[k]), g->colour[k]};
    }
    ql_str_printf(&title, "obsm/%s, %s, coloured by %s", ql_str_text(&d->key),
                  strcmp(ql_str_text(&d->key), "X_umap") ? "first two principal components" : "2-D",
                  g->by);
    ql_chart_put(&(ql_chart){ql_str_text(&title), NULL, NULL, 680, 520, QL_MARK_POINTS, series, n,
                             true, false},
                 out);
    ql_str_free(&title);
    ql_free(xy);
    return QL_OK;
}

static ql_status put_cells(const report_data *d, const char *color, ql_str *out, ql_err *err)
{
    grouping g = {0};
    ql_status st = group_cells(d, color, &g, err);
    if (st == QL_OK && d->place[0] && d->place[1]) {
        put_heading(out, "Cells");
        st = draw_cells(d, &g, out, err);
        end_section(out);
    }
    grouping_free(&g);
    return st;
}

/* ---- genes ---- */

static ql_status put_gene(const report_data *d, int g, ql_str *out, ql_err *err)
{
    const int64_t n = d->ds.counts.n_rows, m = n < REPORT_GENE_POINTS ? n : REPORT_GENE_POINTS;
    double *x;
    QL_TRY(QL_NEW(x, 2 * m, "points of a gene", err));
    for (int64_t k = 0; k < m; k++) {
        const int64_t i = g * n + k * n / m;
        x[k] = log1p(d->raw[i]) / log(2);
        x[m + k] = log1p(d->denoised[i]) / log(2);
    }
    const ql_series points = {x, x + m, m, NULL, "c0"};
    ql_chart_put(&(ql_chart){ql_name(&d->ds.genes.index, d->gene[g]), "raw, log2(1 + x)",
                             "denoised, log2(1 + x)", 320, 260, QL_MARK_POINTS, &points, 1, false,
                             true},
                 out);
    ql_free(x);
    return QL_OK;
}

static ql_status put_genes(const report_data *d, ql_str *out, ql_err *err)
{
    if (!d->has_denoised || d->n_genes == 0 || d->ds.genes_differ) return QL_OK;
    put_heading(out, "Genes before and after");
    ql_str_puts(out,
                "<p>The most variable genes, every dot a cell. A column of dots at one raw count "
                "is spread by what cells like each of them express: zeros on the left that rise "
                "were probably missed molecules.</p><div class=\"three\">\n");
    for (int g = 0; g < d->n_genes; g++) QL_TRY(put_gene(d, g, out, err));
    ql_str_puts(out, "</div>\n");
    end_section(out);
    return QL_OK;
}

/* ---- distributions ---- */

enum { N_BARS = 40 };

static void put_histogram(const char *title, const char *xlab, const double *v, int64_t n,
                          ql_str *out)
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
    ql_chart_put(&(ql_chart){title, xlab, "cells", 480, 240, QL_MARK_BARS, &bars, 1, false, true},
                 out);
}

static ql_status put_distributions(const report_data *d, ql_str *out, ql_err *err)
{
    const int64_t n = d->ds.counts.n_rows;
    const ql_column *outlier = ql_frame_column(&d->ds.cells, "quell_outlier");
    double *v;
    QL_TRY(QL_NEW(v, n, "values of cells", err));
    for (int64_t i = 0; i < n; i++) v[i] = log10(d->depth[i]);
    put_heading(out, "Depth of the cells");
    put_histogram("Molecules per cell", "log10 of molecules", v, n, out);
    if (outlier && outlier->type != QL_COL_STRING) {
        for (int64_t i = 0; i < n; i++) v[i] = ql_column_number(outlier, i);
        put_histogram("quell_outlier: share of held-out cells that fit better",
                      "near 1: unlike any "
                      "cell the model has learned",
                      v, n, out);
    }
    end_section(out);
    ql_free(v);
    return QL_OK;
}

/* ---- scales, how to go on ---- */

static void put_scales(const report_data *d, ql_str *out)
{
    enum { MEMBERS = 100 };
    ql_names names = {0};
    ql_str key = {0}, text = {0};
    if (ql_results_members(d->file, RUN "/scale", MEMBERS, &names) && names.n) {
        put_heading(out, "What the numbers are");
        ql_str_puts(out, "<table>\n");
        for (int64_t i = 0; i < names.n; i++) {
            ql_str_clear(&key);
            ql_str_clear(&text);
            ql_str_printf(&key, RUN "/scale/%s", ql_name(&names, i));
            if (ql_results_text(d->file, ql_str_text(&key), &text))
                put_row(out, ql_name(&names, i), ql_str_text(&text));
        }
        ql_str_puts(out, "</table>\n");
        end_section(out);
    }
    ql_names_free(&names);
    ql_str_free(&key);
    ql_str_free(&text);
}

static void put_next(ql_str *out)
{
    put_heading(out, "How to go on");
    ql_str_puts(
        out,
        "<p>In scanpy (Python):</p><pre>import scanpy as sc\na = sc.read_h5ad(\"OUT.h5ad\")\n"
        "sc.pp.neighbors(a, use_rep=\"X_dca\")\nsc.tl.leiden(a)\nsc.tl.umap(a)\n"
        "d = sc.AnnData(a.layers[\"denoised\"], a.obs, a.var)\n"
        "sc.pp.normalize_total(d, target_sum=1e4)\nsc.pp.log1p(d)</pre>\n"
        "<p>In Seurat (R):</p><pre>library(Seurat)\nlibrary(zellkonverter)\n"
        "sce = readH5AD(\"OUT.h5ad\")\ns = as.Seurat(sce, counts = \"X\", data = NULL)\n"
        "s = FindNeighbors(s, reduction = \"X_dca\", dims = 1:32)</pre>\n"
        "<p>Denoised values are for looking at genes. Do not test for differential expression on "
        "them: values borrowed from other cells are not independent.</p>\n");
    end_section(out);
}

ql_status report_page(const report_data *d, const char *color, ql_str *out, ql_err *err)
{
    ql_str_puts(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
                     "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                     "style-src 'unsafe-inline'\">\n"
                     "<meta name=\"viewport\" content=\"width=device-width\">\n"
                     "<meta name=\"color-scheme\" content=\"light dark\">\n"
                     "<title>quell report</title><style>");
    ql_str_printf(out, "%s</style></head><body>\n<h1>quell report</h1>\n<p class=\"mute\">", style);
    ql_str_printf(out, "%lld cells, %lld genes</p>\n", (long long)d->ds.counts.n_rows,
                  (long long)d->ds.counts.n_cols);
    put_score(d, out);
    put_run(d, out);
    QL_TRY(put_cells(d, color, out, err));
    QL_TRY(put_genes(d, out, err));
    QL_TRY(put_training(d, out, err));
    QL_TRY(put_distributions(d, out, err));
    put_scales(d, out);
    put_next(out);
    ql_str_puts(out, "</body></html>\n");
    return QL_OK;
}
