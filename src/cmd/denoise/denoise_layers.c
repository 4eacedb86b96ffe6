#include "denoise_layers.h"

#include <stdio.h>
#include <string.h>

/* ---- the options ---- */

static bool is(const char *a, const char *b)
{
    return a && strcmp(a, b) == 0;
}

static bool on_counts(const denoise_args *a)
{
    return !a->scale || is(a->scale, "counts");
}

static bool is_mean_log_rate(const char *scale)
{
    return is(scale, "mean-log-rate");
}

/* Means of a logarithm, of counts or of rates. */
static bool is_mean_log(const char *scale)
{
    return is(scale, "mean-log1p") || is(scale, "mean-log-counts") || is_mean_log_rate(scale);
}

static bool is_log(const char *scale)
{
    return is(scale, "log1p") || is_mean_log(scale);
}

bool denoise_asks_how_sure(const denoise_args *a)
{
    return a->intervals > 0 || a->sd || a->draws > 0 || is_mean_log(a->scale);
}

bool denoise_writes_layers(const denoise_args *a, unsigned extras)
{
    return a->denoised || a->intervals > 0 || a->sd || a->draws > 0 || (extras & EXTRA_LAYERS);
}

ql_status denoise_layers_check(const denoise_args *a, ql_err *err)
{
    const bool counts = is(a->draws_of, "counts");
    if (is(a->estimate, "mean") && denoise_asks_how_sure(a))
        return ql_fail(
            err, QL_EUSAGE,
            "--intervals, --sd, --draws and --scale mean-log... are of the posterior: not "
            "with --estimate mean");
    if (is_mean_log(a->scale) && is(a->estimate, "both"))
        return ql_fail(err, QL_EUSAGE, "--scale %s is of the posterior: not with --estimate both",
                       a->scale);
    if (a->sd && is_log(a->scale)) {
        ql_fail(err, QL_EUSAGE, "--sd: not with --scale %s", a->scale);
        return ql_hint(err, QL_EUSAGE, "--intervals works on every scale");
    }
    if (counts && a->draws > 0 && !on_counts(a)) {
        ql_fail(err, QL_EUSAGE, "--draws-of counts: not with --scale %s", a->scale);
        return ql_hint(err, QL_EUSAGE,
                       "drawn counts are treated as counts are; --draws-of rate has scales");
    }
    if (a->tsv && !on_counts(a))
        return ql_fail(err, QL_EUSAGE,
                       "--tsv writes DCA's files, which are counts: not with "
                       "--scale %s",
                       a->scale);
    if (a->shard && counts && a->draws > 0)
        return ql_fail(err, QL_EUSAGE, "--draws-of counts: not with --shard");
    if (!a->output && (a->intervals > 0 || a->sd || a->draws > 0))
        return ql_fail(err, QL_EUSAGE,
                       "--intervals, --sd and --draws write layers: give -o FILE.h5ad");
    return QL_OK;
}

ql_status denoise_layers_fit(const denoise_args *a, bool posterior, ql_err *err)
{
    if (posterior || !denoise_asks_how_sure(a)) return QL_OK;
    ql_fail(err, QL_EUSAGE,
            "--intervals, --sd, --draws and --scale mean-log... need the posterior, "
            "which these counts or this model have not");
    return ql_hint(err, QL_EUSAGE, "--estimate posterior for reads without UMIs, at your own risk");
}

/* ---- views ---- */

static ql_scale scale_of(const denoise_args *a)
{
    if (is(a->scale, "cp10k")) return QL_SCALE_CP10K;
    if (is_log(a->scale)) return QL_SCALE_LOG1P;
    return is(a->scale, "pearson") ? QL_SCALE_PEARSON : QL_SCALE_COUNTS;
}

ql_view denoise_view(const denoise_args *a, bool posterior)
{
    ql_view v = {.value = posterior ? QL_VALUE_POSTERIOR : QL_VALUE_MEAN, .scale = scale_of(a)};
    if (is_mean_log(a->scale))
        v.value = is_mean_log_rate(a->scale) ? QL_VALUE_MEAN_LOG_RATE : QL_VALUE_MEAN_LOG_COUNTS;
    return v;
}

/* What is said of a scale after what the number is. */
static const char *const scale_texts[] = {
    [QL_SCALE_COUNTS] = "counts at each cell's own depth: raw scale, not normalised, not logged; "
                        "normalise before comparing cells",
    [QL_SCALE_CP10K] =
        "counts per 10,000 molecules of the cell: depth is taken out, not logged; for "
        "fold changes and means over cells; log1p before distances",
    [QL_SCALE_LOG1P] =
        "ln(1 + counts per 10,000 molecules of the cell): as normalise and log1p make "
        "it, do neither again",
    [QL_SCALE_PEARSON] = "Pearson residuals from gene share x molecules of the cell, theta 100: "
                         "centred, for principal components; no counts, normalise nothing",
};

/* Sentence that says what counts in a layer are. */
static const char *counts_text(bool posterior)
{
    return posterior
               ? "expected counts at each cell's own depth (posterior mean): raw scale, not "
                 "normalised, not logged; normalise before comparing cells"
               : "mean counts at each cell's own depth (model mean): raw scale, not normalised, "
                 "not logged; normalise before comparing cells";
}

/* The same for the model of this result. */
static const char *model_counts_text(const denoise_result *r, bool posterior)
{
    if (r->args && r->args->decode_as)
        return "mean counts at each cell's own depth, were it of the batch that uns/quell/denoise/"
               "decoded_as names (mean: the mean over all batches): raw scale, not normalised, not "
               "logged; normalise before comparing cells";
    if (r->fitted->ae.heads.odds)
        return "probability that the gene (or peak) is seen at each cell's own depth; no counts";
    if (!r->fitted->ae.cfg.likelihood->of_inputs) return counts_text(posterior);
    return "counts at each cell's own depth, turned back from predicted scaled inputs (means of "
           "logarithms, so below mean counts where these vary): raw scale, not normalised, not "
           "logged; normalise before comparing cells";
}

static void add(denoise_layer **at, const char *key, ql_view view, const char *what)
{
    denoise_layer *l = (*at)++;
    *l = (denoise_layer){.view = view};
    snprintf(l->key, sizeof l->key, "layers/%s", key);
    if (what) snprintf(l->text, sizeof l->text, "%s, %s", what, scale_texts[view.scale]);
}

static void add_denoised(const denoise_result *r, denoise_layer **at)
{
    const denoise_args *a = r->args;
    const ql_view v = denoise_view(a, r->posterior), mean = denoise_view(a, false);
    denoise_layer *l = *at;
    add(at, "denoised", v, r->posterior ? "posterior mean" : "model mean");
    if (v.value == QL_VALUE_MEAN_LOG_RATE)
        snprintf(
            l->text, sizeof l->text,
            "posterior mean of ln(1 + rate per 10,000 molecules of the cell), not the logarithm "
            "of a mean: for distances and means of log expression; do not normalise or log again");
    else if (v.value == QL_VALUE_MEAN_LOG_COUNTS)
        snprintf(
            l->text, sizeof l->text,
            "posterior mean of the ln(1 + counts per 10,000) that another look at the cell, of "
            "the same depth, would show: to compare with log counts; do not normalise or log "
            "again");
    else if (v.scale == QL_SCALE_COUNTS)
        snprintf(l->text, sizeof l->text, "%s", model_counts_text(r, r->posterior));
    if (!is(a->estimate, "both")) return;
    l = *at;
    add(at, "denoised_mean", mean, "model mean");
    if (mean.scale == QL_SCALE_COUNTS) snprintf(l->text, sizeof l->text, "%s", counts_text(false));
}

static void add_bounds(const denoise_args *a, denoise_layer **at)
{
    char what[96];
    for (int upper = 0; upper < 2; upper++) {
        const double level = upper ? (1 + a->intervals) / 2 : (1 - a->intervals) / 2;
        const ql_view v = {QL_VALUE_QUANTILE, scale_of(a), level, 0, 0};
        snprintf(what, sizeof what, "quantile %g of the posterior of the rate", level);
        add(at, upper ? "denoised_upper" : "denoised_lower", v, what);
    }
}

static void add_draws(const denoise_result *r, denoise_layer **at)
{
    const denoise_args *a = r->args;
    const bool counts = is(a->draws_of, "counts");
    char name[LAYER_KEY / 2], what[160];
    for (int64_t i = 0; i < a->draws; i++) {
        const ql_view v = {counts ? QL_VALUE_DRAW_COUNTS : QL_VALUE_DRAW, scale_of(a), 0,
                           r->run_seed, (uint64_t)i};
        denoise_layer *l = *at;
        snprintf(name, sizeof name, "draw_%lld", (long long)i + 1);
        snprintf(what, sizeof what, "draw %lld of %lld of %s", (long long)i + 1,
                 (long long)a->draws,
                 counts ? "the counts of another look at the same cells"
                        : "the rate from its posterior");
        add(at, name, v, what);
        l->sparse = counts;
    }
}

static bool extra_is_layer(const denoise_result *r, extra x)
{
    if (!(r->extras->which & EXTRA_BIT(x) & EXTRA_LAYERS)) return false;
    return x != EXTRA_DISPERSION || r->fitted->ae.heads.kind[QL_HEAD_DISP] > QL_KIND_GENE;
}

static void add_extras(const denoise_result *r, denoise_layer **at)
{
    for (int i = 0; i < N_EXTRAS; i++) {
        if (!extra_is_layer(r, (extra)i)) continue;
        denoise_layer *l = *at;
        add(at, strchr(extra_rows[i].key, '/') + 1, (ql_view){.value = extra_rows[i].value}, NULL);
        snprintf(l->text, sizeof l->text, "%s", extra_rows[i].scale);
    }
}

int denoise_layers(const denoise_result *r, denoise_layer *out)
{
    const denoise_args *a = r->args;
    denoise_layer *at = out;
    const ql_view sd = {.value = QL_VALUE_SD, .scale = scale_of(a)};
    if (a->denoised) add_denoised(r, &at);
    if (a->intervals > 0) add_bounds(a, &at);
    if (a->sd) add(&at, "denoised_sd", sd, "standard deviation of the posterior of the rate");
    add_draws(r, &at);
    add_extras(r, &at);
    return (int)(at - out);
}

ql_status denoise_claim_layers(ql_h5ad_writer *w, ql_err *err)
{
    static const char *const keys[] = {"layers/denoised_lower", "layers/denoised_upper",
                                       "layers/denoised_sd"};
    char key[LAYER_KEY];
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) QL_TRY(ql_h5ad_claim(w, keys[i], err));
    for (int i = 1; i <= DRAWS_MOST; i++) {
        snprintf(key, sizeof key, "layers/draw_%d", i);
        QL_TRY(ql_h5ad_claim(w, key, err));
    }
    return QL_OK;
}
