/* How good the result is, in words and figures. */
#include <stdio.h>

#include "denoise_output.h"
#include "quell/coverage.h"

static const struct {
    ql_prediction which;
    const char *name, *key;
} lines[] = {
    {QL_PRED_POSTERIOR, "posterior", "posterior"},
    {QL_PRED_MEAN, "model mean", "mean"},
    {QL_PRED_BASE, "gene mean x depth", "gene_mean"},
    {QL_PRED_RAW, "raw counts", "raw"},
};
enum { N_LINES = sizeof lines / sizeof *lines };

static void put_figure(ql_summary *summary, const char *prefix, const char *key, const char *what,
                       double value)
{
    char name[96];
    snprintf(name, sizeof name, "%s_%s_%s", prefix, key, what);
    ql_summary_double(summary, name, value);
}

static bool shown(const denoise_result *r, ql_prediction which)
{
    bool has_theta = r->fitted->theta || ql_has_posterior(r->fitted->ae.cfg.likelihood);
    return which != QL_PRED_POSTERIOR || has_theta;
}

static void verdict(const denoise_result *r, const ql_score *s)
{
    ql_prediction used = r->posterior ? QL_PRED_POSTERIOR : QL_PRED_MEAN;
    double gain = s->line[used].gain, error = s->stderr_gain[used];
    if (gain < 0)
        ql_log_warn(r->run->log,
                    "this model predicts held-out molecules WORSE than the gene means do: "
                    "do not use these denoised values");
    else if (gain < 2 * error)
        ql_log_warn(r->run->log,
                    "the gain over the gene means is within its error: there is little "
                    "that denoising can use in these data");
}

void denoise_report(const denoise_result *r, const ql_score *score, const char *title,
                    const char *key)
{
    ql_logger *log = r->run->log;
    if (score->n_molecules == 0) return;
    ql_log_info(log, "how good it is: %s (%lld cells, %lld held-out molecules)", title,
                (long long)score->n_cells, (long long)score->n_molecules);
    ql_log_info(log, "  %-18s %22s %18s", "prediction", "gain, nats/molecule", "Poisson deviance");
    for (int i = 0; i < N_LINES; i++) {
        const ql_score_line *l = &score->line[lines[i].which];
        if (!shown(r, lines[i].which)) continue;
        ql_log_info(log, "  %-18s %12.4f +- %6.4f %18.4f", lines[i].name, l->gain,
                    score->stderr_gain[lines[i].which], l->deviance);
        put_figure(r->run->summary, key, lines[i].key, "gain", l->gain);
        put_figure(r->run->summary, key, lines[i].key, "deviance", l->deviance);
        ql_log_metric(log, -1, lines[i].key, l->gain);
    }
    verdict(r, score);
}

/* Counts of which one molecule or more was expected in the cell: where intervals say most. */
static double covered_from_1(const ql_coverage *c)
{
    ql_cover all = {0};
    for (int i = 0; i < QL_COVER_LEVELS; i++) {
        if (ql_coverage_edge(i) < 1) continue;
        all.n += c->at[i].n;
        all.inside += c->at[i].inside;
    }
    return ql_covered(&all);
}

void denoise_report_coverage(const denoise_result *r)
{
    static const char *const third[QL_COVER_THIRDS] = {"low", "middle", "high"};
    const ql_coverage *c = &r->fitted->coverage;
    if (!(c->level > 0)) return;
    const double from_1 = covered_from_1(c);
    ql_log_info(
        r->run->log,
        "how sure it is: %.0f %% predictive intervals cover %.1f, %.1f, %.1f %% of the held-out "
        "counts of low, middle, high genes; %.1f %% where a cell has 1 or more",
        100 * c->level, 100 * ql_covered(&c->third[0]), 100 * ql_covered(&c->third[1]),
        100 * ql_covered(&c->third[2]), 100 * from_1);
    for (int i = 0; i < QL_COVER_THIRDS; i++)
        put_figure(r->run->summary, "coverage", third[i], "genes", ql_covered(&c->third[i]));
    ql_summary_double(r->run->summary, "coverage_from_1", from_1);
}

void denoise_tell_cells(const denoise_result *r, int64_t done)
{
    ql_progress p = QL_PROGRESS("write", "cells", (double)done, (double)r->range.n);
    p.cells = done;
    ql_log_progress(r->run->log, &p);
}
