/* How good the result is: warnings, numbers at a glance, the score. */
#include "report_page.h"

#include <math.h>
#include <string.h>

#include "quell/chart.h"

/* ---- how good it is ---- */

typedef struct {
    double gain, error, deviance;
} score_line;

static bool find_score(const report_data *d, const char *name, score_line *s)
{
    char key[128];
    (void)snprintf(key, sizeof key, REPORT_RUN "/heldout/%s_gain", name);
    if (!ql_results_number(d->file, key, &s->gain)) return false;
    (void)snprintf(key, sizeof key, REPORT_RUN "/heldout/%s_gain_stderr", name);
    if (!ql_results_number(d->file, key, &s->error)) return false;
    (void)snprintf(key, sizeof key, REPORT_RUN "/heldout/%s_deviance", name);
    return ql_results_number(d->file, key, &s->deviance);
}

/* Which of the predictions layers/denoised holds. */
static const char *written_estimate(const report_data *d)
{
    ql_str scale = {0};
    (void)ql_results_text(d->file, REPORT_RUN "/scale/denoised", &scale);
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

void report_put_score(const report_data *d, ql_str *out)
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

void report_put_alerts(const report_data *d, ql_str *out)
{
    const int64_t empty = cells_without_counts(d);
    const double best = number_or(d, REPORT_RUN "/history/best_epoch", 0);
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

/* A card begins with what the caller appends to out, and ends with what it is. */
static void begin_card(ql_str *out)
{
    ql_str_puts(out, "<div class=\"card\"><b>");
}

static void end_card(const char *what, ql_str *out)
{
    ql_str_printf(out, "</b><span>%s</span></div>\n", what);
}

static void put_count(int64_t v, const char *what, ql_str *out)
{
    begin_card(out);
    put_whole(v, out);
    end_card(what, out);
}

static void put_epochs(const report_data *d, ql_str *out)
{
    if (!d->n_epochs) return;
    begin_card(out);
    put_whole(d->n_epochs, out);
    ql_str_puts(out, "</b><span>epochs, the best one ");
    put_whole((int64_t)number_or(d, REPORT_RUN "/history/best_epoch", (double)d->n_epochs), out);
    ql_str_puts(out, "</span></div>\n");
}

void report_put_cards(const report_data *d, ql_str *out)
{
    const ql_csr *m = &d->ds.counts;
    const double entries = (double)m->n_rows * (double)m->n_cols;
    const double typical = number_or(d, REPORT_RUN "/median_counts", 0);
    score_line s;
    ql_str_puts(out, "<div class=\"cards\">");
    put_count(m->n_rows, "cells", out);
    put_count(m->n_cols, "genes", out);
    if (typical > 0) put_count((int64_t)(typical + 0.5), "molecules in the median cell", out);
    begin_card(out);
    ql_str_printf(out, "%.1f %%", entries > 0 ? 100 * (1 - (double)ql_csr_nnz(m) / entries) : 0);
    end_card("of the entries are 0", out);
    if (find_score(d, written_estimate(d), &s)) {
        begin_card(out);
        ql_str_printf(out, "%+.3f", s.gain);
        end_card("gain, nats per held-out molecule", out);
    }
    put_epochs(d, out);
    ql_str_puts(out, "</div>\n");
}
