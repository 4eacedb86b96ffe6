#include "report_page.h"

#include <math.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/chart.h"

#define RUN "uns/quell/denoise"

static void put_row(ql_str *out, const char *name, const char *value)
{
    ql_str_puts(out, "<tr><th>");
    ql_html_text(out, name);
    ql_str_puts(out, "</th><td>");
    ql_html_text(out, value);
    ql_str_puts(out, "</td></tr>\n");
}

void report_put_text(const char *text, ql_str *out)
{
    ql_str_puts(out, "<td>");
    ql_html_text(out, text);
    ql_str_puts(out, "</td>");
}

void report_put_number(int decimals, double value, ql_str *out)
{
    ql_str_puts(out, "<td class=\"num\">");
    if (isfinite(value)) ql_str_printf(out, "%.*f", decimals, value);
    ql_str_puts(out, "</td>");
}

void report_put_heading(ql_str *out, const char *title)
{
    ql_str_printf(out, "<section><h2>%s</h2>\n", title);
}

void report_end_section(ql_str *out)
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
    report_put_heading(out, "What was done");
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
    report_end_section(out);
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

/* Which of the predictions layers/denoised holds. */
static const char *written_estimate(const report_data *d)
{
    ql_str scale = {0};
    (void)ql_results_text(d->file, RUN "/scale/denoised", &scale);
    const bool is_posterior = strstr(ql_str_text(&scale), "posterior") || !scale.len;
    ql_str_free(&scale);
    return is_posterior ? "posterior" : "mean";
}

static void put_verdict(const score_line *s, ql_str *out)
{
    if (s->gain < 0)
        ql_str_puts(out,
                    "<p class=\"alert warn\">Warning: this model predicts held-out molecules WORSE "
                    "than the gene means do. Do not use these denoised values.</p>\n");
    else if (s->gain < 2 * s->error)
        ql_str_puts(
            out, "<p class=\"alert warn\">The gain over the gene means is within its error: there "
                 "is little that denoising can use in these data.</p>\n");
    else
        ql_str_printf(
            out,
            "<p class=\"alert good\">Denoising helps: a molecule that the model had not seen is on "
            "average <b>%.2f times</b> as probable under the denoised values as under the gene "
            "means "
            "alone.</p>\n",
            ql_exp10(s->gain * ql_log10(exp(1))));
}

static void put_score(const report_data *d, ql_str *out)
{
    static const struct {
        const char *key, *name;
    } lines[] = {{"posterior", "posterior: what this cell expresses"},
                 {"mean", "model mean: what cells like it express"},
                 {"gene_mean", "gene means x depth (no model)"},
                 {"raw", "the raw counts themselves"}};
    const char *used = written_estimate(d);
    score_line s;
    if (!find_score(d, used, &s)) return;
    report_put_heading(out, "How good it is");
    ql_str_puts(out, "<table><tr><th>prediction</th><th class=\"num\">gain, nats per molecule</th>"
                     "<th class=\"num\">Poisson deviance</th></tr>\n");
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (find_score(d, lines[i].key, &s))
            ql_str_printf(out,
                          "<tr%s><td>%s</td><td class=\"num\">%.4f &#177; %.4f</td><td "
                          "class=\"num\">%.4f</td></tr>\n",
                          strcmp(lines[i].key, used) ? "" : " class=\"used\"", lines[i].name,
                          s.gain, s.error, s.deviance);
    ql_str_puts(out,
                "</table><p class=\"mute\">Gain over the gene means on molecules that were "
                "held out, with its standard error; higher is better. In bold what layers/denoised "
                "holds.</p>\n");
    report_end_section(out);
}

/* ---- what to know first ---- */

static bool has_fractions(const ql_csr *m)
{
    const int64_t nnz = ql_csr_nnz(m);
    for (int64_t k = 0; k < nnz; k++)
        if (m->data[k] != floorf(m->data[k])) return true;
    return false;
}

static int64_t cells_without_counts(const report_data *d)
{
    int64_t n = 0;
    for (int64_t i = 0; i < d->ds.counts.n_rows; i++) n += !(d->depth[i] > 0);
    return n;
}

static double number_or(const report_data *d, const char *key, double otherwise)
{
    double v;
    return ql_results_number(d->file, key, &v) ? v : otherwise;
}

static bool diverged(const report_data *d)
{
    for (int64_t i = 0; i < d->n_epochs; i++)
        if (!isfinite(d->loss[i]) || !isfinite(d->validation[i])) return true;
    return false;
}

static void put_alerts(const report_data *d, ql_str *out)
{
    const int64_t empty = cells_without_counts(d);
    const double best = number_or(d, RUN "/history/best_epoch", 0);
    score_line s;
    if (find_score(d, written_estimate(d), &s))
        put_verdict(&s, out);
    else
        ql_str_puts(
            out,
            "<p class=\"alert note\">No score: nothing was held out in this run. A model that was "
            "applied has the score of its training in the model file (quell info MODEL).</p>\n");
    if (diverged(d))
        ql_str_puts(out,
                    "<p class=\"alert warn\">The training diverged: its loss is not finite.</p>\n");
    else if (d->n_epochs > 1 && best >= (double)d->n_epochs)
        ql_str_puts(out, "<p class=\"alert note\">The last epoch was the best one: the model may "
                         "gain from a longer "
                         "training (--epochs).</p>\n");
    if (has_fractions(&d->ds.counts))
        ql_str_puts(out, "<p class=\"alert warn\">These are not whole numbers. Are they raw "
                         "counts? Normalised or "
                         "log-transformed values must not be denoised.</p>\n");
    if (empty)
        ql_str_printf(out,
                      "<p class=\"alert note\">%lld cells without counts were set aside.</p>\n",
                      (long long)empty);
}

/* 13714 as 13,714 */
static void put_whole(int64_t v, ql_str *out)
{
    char digits[24];
    const int n = snprintf(digits, sizeof digits, "%lld", (long long)v);
    for (int i = 0; i < n; i++) {
        if (i && digits[i - 1] != '-' && (n - i) % 3 == 0) ql_str_puts(out, ",");
        ql_str_bytes(out, digits + i, 1);
    }
}

static void begin_card(ql_str *out)
{
    ql_str_puts(out, "<div class=\"card\"><b>");
}

static void end_card(const char *what, ql_str *out)
{
    ql_str_printf(out, "</b><span>%s</span></div>\n", what);
}

static void put_cards(const report_data *d, ql_str *out)
{
    const ql_csr *m = &d->ds.counts;
    const double entries = (double)m->n_rows * (double)m->n_cols;
    const double typical = number_or(d, RUN "/median_counts", 0);
    score_line s;
    ql_str_puts(out, "<div class=\"cards\">");
    begin_card(out);
    put_whole(m->n_rows, out);
    end_card("cells", out);
    begin_card(out);
    put_whole(m->n_cols, out);
    end_card("genes", out);
    if (typical > 0) {
        begin_card(out);
        put_whole((int64_t)(typical + 0.5), out);
        end_card("molecules in the median cell", out);
    }
    begin_card(out);
    ql_str_printf(out, "%.1f %%", entries > 0 ? 100 * (1 - (double)ql_csr_nnz(m) / entries) : 0);
    end_card("of the entries are 0", out);
    if (find_score(d, written_estimate(d), &s)) {
        begin_card(out);
        ql_str_printf(out, "%+.3f", s.gain);
        end_card("gain, nats per held-out molecule", out);
    }
    if (d->n_epochs) {
        begin_card(out);
        put_whole(d->n_epochs, out);
        ql_str_puts(out, "</b><span>epochs, the best one ");
        put_whole((int64_t)number_or(d, RUN "/history/best_epoch", (double)d->n_epochs), out);
        ql_str_puts(out, "</span></div>\n");
    }
    ql_str_puts(out, "</div>\n");
}

/* ---- training, distributions ---- */

static ql_status put_training(const report_data *d, ql_str *out, ql_err *err)
{
    double *epoch;
    if (d->n_epochs == 0) return QL_OK;
    QL_TRY(QL_NEW(epoch, d->n_epochs, "epochs", err));
    for (int64_t i = 0; i < d->n_epochs; i++) epoch[i] = (double)i + 1;
    const ql_series loss = {epoch, d->loss, d->n_epochs, NULL, "c0"};
    const ql_series validation = {epoch, d->validation, d->n_epochs, NULL, "c1"};
    report_put_heading(out, "Training");
    ql_str_puts(out, "<div class=\"two\">");
    ql_chart_put(&(ql_chart){.title = "Validation: cells that were not trained on",
                             .xlab = "epoch",
                             .ylab = "loss, nats",
                             .width = 480,
                             .height = 260,
                             .mark = QL_MARK_LINE,
                             .series = &validation,
                             .n_series = 1},
                 out);
    ql_chart_put(&(ql_chart){.title = "Training cells",
                             .xlab = "epoch",
                             .ylab = "loss, nats",
                             .width = 480,
                             .height = 260,
                             .mark = QL_MARK_LINE,
                             .series = &loss,
                             .n_series = 1},
                 out);
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

static ql_status put_distributions(const report_data *d, ql_str *out, ql_err *err)
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

/* ---- scales, how to go on ---- */

/* What the file says of a matrix or score: appended to text; nothing where it says nothing. */
static void find_scale(const report_data *d, const char *name, ql_str *text)
{
    static const char *const records[] = {RUN "/scale", "uns/quell/embed/scale"};
    ql_str key = {0};
    for (size_t i = 0; i < sizeof records / sizeof *records && text->len == 0; i++) {
        ql_str_clear(&key);
        ql_str_printf(&key, "%s/%s", records[i], name);
        (void)ql_results_text(d->file, ql_str_text(&key), text);
    }
    ql_str_free(&key);
}

enum { MEMBERS = 100 };

static bool is_among(const ql_names *names, const char *name)
{
    for (int64_t i = 0; i < names->n; i++)
        if (!strcmp(ql_name(names, i), name)) return true;
    return false;
}

static void put_scale(const report_data *d, const char *group, const char *name,
                      const char *otherwise, ql_str *out)
{
    ql_str key = {0}, text = {0};
    find_scale(d, name, &text);
    ql_str_printf(&key, *group ? "%s/%s" : "%s%s", group, name);
    if (text.len || otherwise)
        put_row(out, ql_str_text(&key), text.len ? ql_str_text(&text) : otherwise);
    ql_str_free(&key);
    ql_str_free(&text);
}

/* Every layer, the latent spaces that the file says something of, scores of cells. */
static void put_scales(const report_data *d, ql_str *out)
{
    static const char not_ours[] = "not of quell: this file does not say what it is";
    ql_names layers = {0}, spaces = {0}, scales = {0};
    (void)ql_results_members(d->file, "layers", MEMBERS, &layers);
    (void)ql_results_members(d->file, "obsm", MEMBERS, &spaces);
    (void)ql_results_members(d->file, RUN "/scale", MEMBERS, &scales);
    report_put_heading(out, "What the numbers are");
    ql_str_puts(out, "<table>\n");
    for (int64_t i = 0; i < layers.n; i++) {
        const char *name = ql_name(&layers, i);
        const bool counts = strncmp(ql_str_text(&d->matrix), "layers/", 7) == 0 &&
                            strcmp(ql_str_text(&d->matrix) + 7, name) == 0;
        put_scale(d, "layers", name, counts ? "the counts that were denoised" : not_ours, out);
    }
    for (int64_t i = 0; i < spaces.n; i++) put_scale(d, "obsm", ql_name(&spaces, i), NULL, out);
    for (int64_t i = 0; i < scales.n; i++)
        if (!is_among(&layers, ql_name(&scales, i)) && !is_among(&spaces, ql_name(&scales, i)))
            put_scale(d, "", ql_name(&scales, i), NULL, out);
    ql_str_puts(out, "</table>\n");
    report_end_section(out);
    ql_names_free(&layers);
    ql_names_free(&spaces);
    ql_names_free(&scales);
}

static void put_next(ql_str *out)
{
    report_put_heading(out, "How to go on");
    ql_str_puts(
        out,
        "<p>With quell, to clusters and a layout, which this page then shows:</p><pre>"
        "quell neighbors OUT.h5ad -o near.h5ad\nquell cluster near.h5ad -o clusters.h5ad\n"
        "quell layout clusters.h5ad -o umap.h5ad\nquell report umap.h5ad -o umap.html</pre>\n"
        "<p>In scanpy (Python):</p><pre>import scanpy as sc\na = sc.read_h5ad(\"OUT.h5ad\")\n"
        "sc.pp.neighbors(a, use_rep=\"X_dca\")\nsc.tl.leiden(a)\nsc.tl.umap(a)\n"
        "d = sc.AnnData(a.layers[\"denoised\"], a.obs, a.var)\n"
        "sc.pp.normalize_total(d, target_sum=1e4)\nsc.pp.log1p(d)</pre>\n"
        "<p>In Seurat (R):</p><pre>library(Seurat)\nlibrary(zellkonverter)\n"
        "sce = readH5AD(\"OUT.h5ad\")\ns = as.Seurat(sce, counts = \"X\", data = NULL)\n"
        "s = FindNeighbors(s, reduction = \"X_dca\", dims = 1:32)</pre>\n"
        "<p>Denoised values are for looking at genes. Do not test for differential expression on "
        "them: values borrowed from other cells are not independent.</p>\n");
    report_end_section(out);
}

static void put_citation(const report_data *d, ql_str *out)
{
    ql_str version = {0};
    report_put_heading(out, "Citation");
    ql_str_puts(out, "<p>");
    if (ql_results_text(d->file, RUN "/version", &version))
        ql_html_text(out, ql_str_text(&version));
    ql_str_puts(
        out,
        ", and the paper whose model it is: Eraslan G, Simon LM, Mircea M, Mueller NS, Theis FJ. "
        "Single-cell RNA-seq denoising using a deep count autoencoder. Nature Communications 10, "
        "390 "
        "(2019). doi:10.1038/s41467-018-07931-2</p>\n");
    report_end_section(out);
    ql_str_free(&version);
}

ql_status report_page(const report_data *d, const char *color, ql_str *out, ql_err *err)
{
    ql_str_puts(out, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
                     "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                     "style-src 'unsafe-inline'\">\n"
                     "<meta name=\"viewport\" content=\"width=device-width\">\n"
                     "<meta name=\"color-scheme\" content=\"light dark\">\n"
                     "<title>quell report</title><style>");
    ql_str_printf(out, "%s</style></head><body>\n<h1>quell report</h1>\n", report_style);
    put_alerts(d, out);
    put_cards(d, out);
    QL_TRY(report_put_cells(d, color, out, err));
    QL_TRY(report_put_clusters(d, out, err));
    QL_TRY(report_put_genes(d, out, err));
    put_score(d, out);
    report_put_models(d, out);
    report_put_coverage(d, out);
    QL_TRY(put_training(d, out, err));
    QL_TRY(put_distributions(d, out, err));
    put_run(d, out);
    put_scales(d, out);
    put_next(out);
    put_citation(d, out);
    ql_str_puts(out, "</body></html>\n");
    return QL_OK;
}
