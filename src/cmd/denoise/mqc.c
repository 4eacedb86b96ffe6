#include "mqc.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "mqc_models.h"
#include "quell/alloc.h"
#include "quell/clock.h"

/* One file and section. */
typedef struct {
    mqc_section head;
    bool (*wanted)(const denoise_result *r);
    mqc_put *put; /* what: a denoise_result */
} section;

/* ---- general statistics ---- */

static const mqc_figure figures[] = {
    {"quell_cells", "Cells", "cells of the input", "{:,.0f}", "Blues"},
    {"quell_genes", "Genes", "genes with counts, which the model knows", "{:,.0f}", "Purples"},
    {"quell_depth", "Molecules", "molecules of the median cell", "{:,.0f}", "GnBu"},
    {"quell_gain", "Gain",
     "gain of what is written over the gene means, in nats per held-out molecule; below 0: worse",
     "{:,.4f}", "RdYlGn"},
    {"quell_gain_mean", "Gain (mean)", "the same of the model mean", "{:,.4f}", "RdYlGn"},
    {"quell_epochs", "Epochs", "epochs of training", "{:,.0f}", "Greys"},
    {"quell_seconds", "Seconds", "time of the run; differs from run to run", "{:,.1f}", "Oranges"},
    {"quell_peak", "Peak MB", "largest memory of the process; differs from run to run", "{:,.0f}",
     "Reds"},
};
enum { N_FIGURES = sizeof figures / sizeof *figures };

static ql_status put_figures(const void *what, const char *sample, ql_json *j, ql_err *err)
{
    const denoise_result *r = what;
    const ql_fitted *f = r->fitted;
    const ql_score *s = &f->score;
    (void)err;
    mqc_put_figures(j, figures, N_FIGURES);
    ql_json_begin_object(j, "data");
    ql_json_begin_object(j, sample);
    ql_json_int(j, "quell_cells", f->prep.n_cells);
    ql_json_int(j, "quell_genes", f->prep.n_kept_genes);
    ql_json_double(j, "quell_depth", f->prep.median_total);
    if (s->n_molecules > 0) {
        const ql_prediction used = r->posterior ? QL_PRED_POSTERIOR : QL_PRED_MEAN;
        ql_json_double(j, "quell_gain", s->line[used].gain);
        ql_json_double(j, "quell_gain_mean", s->line[QL_PRED_MEAN].gain);
    }
    if (!r->applied) ql_json_int(j, "quell_epochs", f->result.n_epochs);
    ql_json_double(j, "quell_seconds", round(10 * ql_log_seconds(r->run->log)) / 10);
    ql_json_double(j, "quell_peak", round((double)ql_peak_rss() / (1 << 20)));
    ql_json_end_object(j);
    ql_json_end_object(j);
    return QL_OK;
}

/* ---- curves of the training ---- */

static bool was_trained(const denoise_result *r)
{
    return !r->applied && r->fitted->result.n_epochs > 0;
}

/* One member of each epoch, by its offset in ql_epoch. */
static ql_status put_curve(const denoise_result *r, const char *sample, size_t member, ql_json *j)
{
    const ql_train_result *t = &r->fitted->result;
    ql_json_begin_object(j, "data");
    ql_json_begin_object(j, sample);
    for (int64_t i = 0; i < t->n_epochs; i++)
        mqc_put_point(j, (double)i + 1,
                      *(const double *)(const void *)((const char *)&t->history[i] + member));
    ql_json_end_object(j);
    ql_json_end_object(j);
    return QL_OK;
}

static ql_status put_loss(const void *what, const char *sample, ql_json *j, ql_err *err)
{
    const denoise_result *r = what;
    (void)err;
    return put_curve(r, sample, offsetof(ql_epoch, loss), j);
}

static ql_status put_validation(const void *what, const char *sample, ql_json *j, ql_err *err)
{
    const denoise_result *r = what;
    (void)err;
    return put_curve(r, sample, offsetof(ql_epoch, validation), j);
}

/* ---- counts before ---- */

enum { BINS_A_DECADE = 10, N_BINS = 8 * BINS_A_DECADE };

static int bin_of(double molecules)
{
    const int bin = (int)floor(log10(molecules) * BINS_A_DECADE);
    return bin < 0 ? 0 : bin < N_BINS ? bin : N_BINS - 1;
}

static ql_status put_depth(const void *what, const char *sample, ql_json *j, ql_err *err)
{
    const denoise_result *r = what;
    const ql_prep *prep = &r->fitted->prep;
    int64_t cells[N_BINS + 1] = {0};
    int first = N_BINS, last = 0;
    (void)err;
    for (int64_t i = 0; i < prep->n_cells; i++)
        if (prep->total[i] > 0) cells[bin_of(prep->total[i])]++;
    for (int b = 0; b < N_BINS; b++) {
        if (cells[b] == 0) continue;
        if (b < first) first = b;
        last = b;
    }
    ql_json_begin_object(j, "data");
    ql_json_begin_object(j, sample);
    for (int b = first > 0 ? first - 1 : 0; b <= last + 1; b++)
        mqc_put_point(j, (b + 0.5) / BINS_A_DECADE,
                      100 * (double)cells[b] / (double)prep->n_kept_cells);
    ql_json_end_object(j);
    ql_json_end_object(j);
    return QL_OK;
}

/* ---- entries before and after ---- */

enum { N_CLASSES = 5, MOST_CELLS = 512, BAND = 16 };
static const double class_from[N_CLASSES] = {0, 0.05, 0.5, 1.5, 5};
static const char *const class_name[N_CLASSES] = {"none (below 0.05)", "0.05 to 0.5", "0.5 to 1.5",
                                                  "1.5 to 5", "5 and more"};

typedef struct {
    int64_t raw[N_CLASSES], after[N_CLASSES];
    int64_t n; /* entries of each */
} entry_classes;

static void class_values(const float *values, int64_t n, int64_t *classes)
{
    for (int64_t k = 0; k < n; k++)
        for (int c = N_CLASSES - 1; c > 0; c--)
            if (values[k] >= class_from[c]) {
                classes[c]++;
                break;
            }
}

/* The genes of the file that the model knows. */
static int64_t known_genes(const ql_prep *prep)
{
    int64_t n = 0;
    for (int64_t g = 0; g < prep->n_kept_genes; g++) n += prep->kept_gene[g] >= 0;
    return n;
}

/* Cells evenly over the file, BAND together; the smallest class is what is left. */
static ql_status classify(const denoise_result *r, entry_classes *e, ql_err *err)
{
    const int64_t n = r->rows->n_rows, genes = r->fitted->prep.n_genes;
    const int64_t step = n > MOST_CELLS ? n / (MOST_CELLS / BAND) : BAND;
    const ql_value value = r->posterior ? QL_VALUE_POSTERIOR : QL_VALUE_MEAN;
    ql_predictor p = {0};
    ql_row_cursor c = {0};
    float *band = NULL;
    int64_t cells = 0;
    ql_status st;
    QL_GO(ql_cursor_open(&c, r->rows, err));
    QL_GO(ql_predictor_new(&p, r->fitted, r->rows, value, NULL, 0, err));
    QL_GO(QL_NEW(band, BAND * genes, "denoised cells for MultiQC", err));
    for (int64_t at = 0; at < n; at += step) {
        const int64_t m = n - at < BAND ? n - at : BAND;
        QL_GO(ql_predict_cells(&p, at, m, band, err));
        class_values(band, m * genes, e->after);
        for (int64_t i = at; i < at + m; i++) {
            const ql_row_view row = ql_cursor_row(&c, i);
            class_values(row.count, row.n, e->raw);
        }
        cells += m;
    }
    e->n = cells * known_genes(&r->fitted->prep);
    QL_GO(ql_rows_check(r->rows, err));
out:
    ql_free(band);
    ql_predictor_free(&p);
    ql_cursor_close(&c);
    return st;
}

static void put_classes(ql_json *j, const char *sample, const char *which, const int64_t *classes,
                        int64_t n)
{
    ql_str name = {0};
    int64_t rest = n;
    for (int c = 1; c < N_CLASSES; c++) rest -= classes[c];
    ql_str_printf(&name, "%s %s", sample, which);
    ql_json_begin_object(j, ql_str_text(&name));
    for (int c = 0; c < N_CLASSES; c++)
        ql_json_double(j, class_name[c], 100 * (double)(c ? classes[c] : rest) / (double)n);
    ql_json_end_object(j);
    j->out->failed |= name.failed;
    ql_str_free(&name);
}

static ql_status put_entries(const void *what, const char *sample, ql_json *j, ql_err *err)
{
    const denoise_result *r = what;
    entry_classes e = {0};
    QL_TRY(classify(r, &e, err));
    if (e.n == 0) e.n = 1;
    ql_json_begin_object(j, "data");
    put_classes(j, sample, "raw", e.raw, e.n);
    put_classes(j, sample, "denoised", e.after, e.n);
    ql_json_end_object(j);
    return QL_OK;
}

/* ---- how it was made ---- */

static ql_status put_versions(const void *what, const char *sample, ql_json *j, ql_err *err)
{
    const denoise_result *r = what;
    const ql_ae_config *c = &r->fitted->ae.cfg;
    ql_str hidden = {0};
    for (int i = 0; i < c->n_hidden; i++)
        ql_str_printf(&hidden, i ? "-%lld" : "%lld", (long long)c->hidden[i]);
    ql_json_begin_object(j, "data");
    ql_json_begin_object(j, sample);
    ql_json_string(j, "Version", "quell " QL_VERSION);
    ql_json_string(j, "Command", r->run->command->name);
    ql_json_string(j, "Likelihood", c->likelihood->name);
    ql_json_string(j, "Hidden layers", ql_str_text(&hidden));
    ql_json_string(j, "Estimate", r->posterior ? "posterior" : "mean");
    ql_json_int(j, "Seed", (int64_t)r->fitted->train.seed);
    ql_json_end_object(j);
    ql_json_end_object(j);
    j->out->failed |= hidden.failed;
    ql_str_free(&hidden);
    return j->out->failed ? ql_fail(err, QL_EMEMORY, "no memory for the files of --mqc") : QL_OK;
}

/* ---- the files ---- */

static bool always(const denoise_result *r)
{
    (void)r;
    return true;
}

static const section sections[] = {
    {{"quell_stats", NULL, NULL, "generalstats", NULL, NULL}, always, put_figures},
    {{"quell_validation", "Validation",
      "How badly the model predicts held-out molecules of cells it was not trained on, by epoch. "
      "The "
      "best epoch is the one that was used.",
      "linegraph", "epoch", "loss, nats"},
     was_trained,
     put_validation},
    {{"quell_loss", "Training loss", "The loss of the training cells, by epoch.", "linegraph",
      "epoch", "loss, nats"},
     was_trained,
     put_loss},
    {{"quell_auto", "Candidates of --auto",
      "Models that were compared, and their mixture, by molecules that chose nothing: gain over "
      "the "
      "gene means in nats a molecule, its standard error over cells, how much more than the chosen "
      "one, "
      "and the weight in the mixture.",
      "table", NULL, NULL},
     mqc_has_choice,
     mqc_put_choice},
    {{"quell_ensemble", "Weights of models",
      "How much of the expected counts each model of an ensemble makes, over all genes.",
      "bargraph", NULL, "weight, %"},
     mqc_has_ensemble,
     mqc_put_ensemble},
    {{"quell_coverage", "Coverage of intervals",
      "Share of held-out counts within their predictive intervals, by the count that was expected: "
      "90 % "
      "(or what --intervals asks for) where the model says rightly how sure it is. Levels with "
      "fewer "
      "than 200 counts are left out.",
      "linegraph", "log10 of the expected count", "covered, %"},
     mqc_has_coverage,
     mqc_put_coverage},
    {{"quell_depth", "Molecules per cell", "How deep the cells were sequenced, before denoising.",
      "linegraph", "log10 of molecules per cell", "cells, %"},
     always,
     put_depth},
    {{"quell_entries", "Values before and after",
      "Shares of cells x genes by their value: raw counts, and what denoising makes of them. Zeros "
      "of "
      "genes that cells like this one express fill up.",
      "bargraph", NULL, "entries, %"},
     always,
     put_entries},
    {{"quell_versions", "Versions and settings", "What each sample was made with.", "table", NULL,
      NULL},
     always,
     put_versions},
};
enum { N_SECTIONS = sizeof sections / sizeof *sections };

ql_status mqc_write(const mqc_args *a, const denoise_result *r, ql_err *err)
{
    ql_str sample = {0};
    ql_status st;
    if (!a->dir) return QL_OK;
    QL_TRY(mqc_folder(a, err));
    QL_GO(mqc_sample(a, r->run, &sample, err));
    for (int i = 0; i < N_SECTIONS; i++)
        if (sections[i].wanted(r))
            QL_GO(mqc_file_write(a, &sections[i].head, ql_str_text(&sample), sections[i].put, r,
                                 err));
    ql_log_info(r->run->log, "wrote %s/%s.quell_*_mqc.json", a->dir, ql_str_text(&sample));
out:
    ql_str_free(&sample);
    return st;
}
