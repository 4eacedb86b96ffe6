/* quell tune: search for the settings that predict held-out molecules best, then denoise with them.
 */
#include <stdio.h>
#include <string.h>

#include "denoise/denoise_job.h"
#include "fit/model_fit.h"
#include "fit/search_space.h"
#include "quell/alloc.h"
#include "quell/trials.h"

#define TUNE_KEY "uns/quell/tune"

#define DEFAULT_SPACE                                                                              \
    "hidden=64,16|64,32|128,16|128,32|128,64|256,32|256,64|128,32,128 dropout=0.1..0.7 "           \
    "learning-rate=0.0003..0.003 l2=0|0.0001|0.001"

typedef struct {
    denoise_args denoise; /* first: it begins with the common options */
    int n_trials, first_epochs, cells;
    const char *search;
} tune_args;

/* A search and what came of it. */
typedef struct {
    const tune_args *a;
    ql_run *run;
    fit_run *fit;
    search_space space;
    ql_trial *trials;
    ql_names settings; /* of each trial, as they are typed; of the first none */
    int n, best;
    ql_trials_facts facts;
    double difference, error; /* of the best from the first, on the `report` molecules */
} tuning;

#define S tune_args
/* clang-format off */
static const ql_option tune_rows[] = {
    {.name = "trials", QL_INT_AT(S, n_trials), .def = "20", .min = 2, .max = 10000, .group = "Search",
     .help = "settings to try, the given ones included"},
    {.name = "search", QL_STRING_AT(S, search), .unit = "SPACE", .group = "Search",
     .unset = "widths, dropout, learning rate, l2",
     .help = "options to search and the values they may take",
     .more = "NAME=VALUE|VALUE or NAME=LOW..HIGH, separated by blanks, for any option of the groups "
             "Model and Training. A range is drawn evenly, or on a logarithmic scale where HIGH is at "
             "least eight times LOW. Unless given: " DEFAULT_SPACE "."},
    {.name = "first-epochs", QL_INT_AT(S, first_epochs), .def = "12", .min = 0, .max = 1e6,
     .group = "Search", .level = QL_OPT_EXPERT,
     .help = "epochs of the first rung (0: all trials train to the end)",
     .more = "The best third goes on to three times the epochs, and so on; the last three train as a "
             "run of denoise does."},
    {.name = "search-cells", QL_INT_AT(S, cells), .def = "20000", .min = 0, .max = 1e9,
     .group = "Search", .help = "compare on a random draw of so many cells (0: all)"},
    {.name = NULL},
};
/* clang-format on */
#undef S

static const char *space_of(const tune_args *a)
{
    return a->search ? a->search : DEFAULT_SPACE;
}

/* ---- trials ---- */

static ql_status set_one(void *ctx, const ql_option *row, const char *value, ql_err *err)
{
    model_args *m = ctx;
    return ql_opt_set(row, value, (char *)m + row->offset, err);
}

static bool seen_before(const tuning *t, const char *settings)
{
    for (int i = 1; i < t->settings.n; i++)
        if (!strcmp(ql_name(&t->settings, i), settings)) return true;
    return false;
}

/* Settings that do not go together are the search's fault. */
static ql_status check_trial(const tuning *t, const model_args *m)
{
    ql_fit_options o;
    ql_err *err = &t->run->err;
    const char *given = t->fit->args->model.gene_order, *drawn = m->gene_order;
    if (drawn != given && (!drawn || !given || strcmp(drawn, given) != 0))
        return ql_fail(err, QL_EUSAGE, "--search: gene-order is no setting to search");
    QL_TRY(model_args_check(m, err));
    model_fit_options(m, 1, &o);
    return ql_ae_check(&o.ae, err);
}

/* The options of the next trial: draws that were there before are passed over; *found is false when
 * the space seems exhausted. */
static ql_status draw_trial(tuning *t, uint64_t *draw, bool *found)
{
    enum { MOST_DRAWS = 200 };
    ql_str text = {0};
    ql_err *err = &t->run->err;
    ql_status st = QL_OK;
    *found = false;
    for (int i = 0; i < MOST_DRAWS && !*found && st == QL_OK; i++) {
        ql_str_clear(&text);
        search_draw(&t->space, t->fit->options.train.seed, (*draw)++, &text);
        if (text.failed) st = ql_fail(err, QL_EMEMORY, "no memory for the trials");
        *found = st == QL_OK && !seen_before(t, ql_str_text(&text));
    }
    if (st == QL_OK && *found) {
        model_args m = t->fit->args->model;
        st = search_each(&t->space, ql_str_text(&text), set_one, &m, err);
        if (st == QL_OK) st = check_trial(t, &m);
        if (st == QL_OK) {
            ql_fit_options *o = &t->trials[t->n++].options;
            model_fit_options(&m, 1, o);
            o->gene_rank = t->fit->options.gene_rank;
            o->cov = t->fit->options.cov;
            o->ae.vae.cov = t->fit->options.ae.vae.cov;
            st = ql_names_add(&t->settings, ql_str_text(&text), strlen(ql_str_text(&text)), err);
        }
    }
    ql_str_free(&text);
    return st;
}

static ql_status make_trials(tuning *t)
{
    bool found = true;
    QL_TRY(QL_NEW(t->trials, t->a->n_trials, "trials", &t->run->err));
    QL_TRY(ql_names_add(&t->settings, "as given", strlen("as given"), &t->run->err));
    t->trials[t->n++].options = t->fit->options;
    t->trials[0].options.start = NULL; /* trials start from the seed; the last fit from a model */
    t->trials[0].options.resumable = false;
    t->trials[0].options.shrink_genes = false; /* nor is it of the others */
    for (uint64_t draw = 0; t->n < t->a->n_trials && found;) QL_TRY(draw_trial(t, &draw, &found));
    if (t->n < t->a->n_trials)
        ql_log_info(t->run->log, "search: %d trials: the space has no more", t->n);
    return QL_OK;
}

static void tell_rung(void *ctx, const ql_rung *r)
{
    const tuning *t = ctx;
    char epochs[48] = "to the end";
    if (r->epochs > 0) snprintf(epochs, sizeof epochs, "up to %lld epochs", (long long)r->epochs);
    ql_log_info(t->run->log, "search: %d trials %s, %d at a time", r->n_trials, epochs,
                r->side_by_side);
}

static void tell_trial(void *ctx, int i, const ql_trial *trial)
{
    const tuning *t = ctx;
    if (trial->diverged)
        ql_log_info(t->run->log, "  %-8s  %s", "diverged", ql_name(&t->settings, i));
    else
        ql_log_info(t->run->log, "  %8.4f  %s", trial->select.value, ql_name(&t->settings, i));
    ql_log_metric(t->run->log, i, "trial_gain", trial->select.value);
}

static void tell_best(tuning *t)
{
    ql_logger *log = t->run->log;
    t->difference = ql_trial_difference(&t->trials[t->best].report, &t->trials[0].report,
                                        t->facts.n_cells, &t->error);
    if (t->best == 0)
        ql_log_info(log, "search: nothing is better than the settings as given by more than two "
                         "standard errors: they stay");
    else
        ql_log_info(log,
                    "search: best is %s: gain %.4f, as given %.4f, better by %.4f +- %.4f nats a "
                    "molecule (molecules that did not choose)",
                    ql_name(&t->settings, t->best), t->trials[t->best].report.value,
                    t->trials[0].report.value, t->difference, t->error);
    ql_summary_int(t->run->summary, "trials", t->n);
    ql_summary_string(t->run->summary, "best_settings", ql_name(&t->settings, t->best));
    ql_summary_double(t->run->summary, "tune_gain", t->trials[t->best].report.value);
    ql_summary_double(t->run->summary, "tune_gain_as_given", t->trials[0].report.value);
    ql_summary_double(t->run->summary, "tune_difference", t->difference);
    ql_summary_double(t->run->summary, "tune_difference_stderr", t->error);
}

static ql_status assign_one(void *ctx, const ql_option *row, const char *value, ql_err *err)
{
    return ql_opts_assign(ctx, row->name, value, err);
}

static ql_status search(tuning *t, fit_run *f, bool posterior)
{
    ql_err *err = &t->run->err;
    t->fit = f;
    if (!f->ds.is_counts)
        return ql_fail(err, QL_EUSAGE,
                       "trials are compared by held-out molecules: the entries must "
                       "be whole counts");
    QL_TRY(make_trials(t));
    const ql_trials_options opt = {.by = posterior ? QL_BY_POSTERIOR : QL_BY_MEAN,
                                   .most_cells = t->a->cells,
                                   .first_epochs = t->a->first_epochs,
                                   .threads = t->run->threads,
                                   .seed = f->options.train.seed,
                                   .begin = tell_rung,
                                   .done = tell_trial,
                                   .ctx = t};
    QL_TRY(ql_trials_run(&f->rows, t->trials, t->n, &opt, f->kern, &t->facts, err));
    t->best = ql_trials_best(t->trials, t->n, &t->facts);
    tell_best(t);
    if (t->best == 0) return QL_OK;
    QL_TRY(search_each(&t->space, ql_name(&t->settings, t->best), assign_one, t->run->opts, err));
    return fit_run_reconfigure(f);
}

/* ---- the table in the output ---- */

typedef double trial_figure(const ql_trial *trial);

static double figure_rung(const ql_trial *t)
{
    return t->rung + 1;
}

static double figure_epochs(const ql_trial *t)
{
    return (double)t->epochs;
}

static double figure_select(const ql_trial *t)
{
    return t->select.value;
}

static double figure_report(const ql_trial *t)
{
    return t->report.value;
}

static const struct {
    const char *name;
    trial_figure *figure;
} columns[] = {
    {"rung", figure_rung},
    {"epochs", figure_epochs},
    {"gain", figure_select},
    {"gain_report", figure_report},
};

static ql_status write_columns(const tuning *t, ql_h5ad_writer *w, ql_err *err)
{
    char key[80];
    double *values;
    ql_status st;
    QL_TRY(QL_NEW(values, t->n, "the table of trials", err));
    for (size_t c = 0; c < sizeof columns / sizeof *columns; c++) {
        for (int i = 0; i < t->n; i++) values[i] = columns[c].figure(&t->trials[i]);
        snprintf(key, sizeof key, TUNE_KEY "/trials/%s", columns[c].name);
        QL_GO(ql_h5ad_doubles(w, key, values, t->n, err));
    }
    st = QL_OK;
out:
    ql_free(values);
    return st;
}

static ql_status write_table(void *ctx, ql_h5ad_writer *w, ql_err *err)
{
    const tuning *t = ctx;
    QL_TRY(ql_h5ad_claim(w, TUNE_KEY, err));
    QL_TRY(ql_h5ad_strings(w, TUNE_KEY "/trials/settings", &t->settings, err));
    QL_TRY(write_columns(t, w, err));
    QL_TRY(ql_h5ad_string(w, TUNE_KEY "/search", space_of(t->a), err));
    QL_TRY(ql_h5ad_int(w, TUNE_KEY "/best", t->best, err));
    QL_TRY(ql_h5ad_double(w, TUNE_KEY "/difference", t->difference, err));
    return ql_h5ad_double(w, TUNE_KEY "/difference_stderr", t->error, err);
}

static ql_status work(tuning *t, denoise_job *j)
{
    bool done;
    QL_TRY(search_parse(space_of(t->a), ql_setting_tables, &t->space, &t->run->err));
    QL_TRY(denoise_job_open(j, &done));
    if (done) return QL_OK;
    QL_TRY(denoise_job_begin(j));
    QL_TRY(search(t, &j->fit, j->posterior));
    QL_TRY(fit_run_train(&j->fit));
    return denoise_job_write(j);
}

static ql_status tune_run(const void *args, ql_run *run)
{
    tuning t = {.a = args, .run = run};
    denoise_job j = {
        .a = &t.a->denoise, .run = run, .trials = true, .write_more = write_table, .ctx = &t};
    ql_status st = fit_run_end(&j.fit, work(&t, &j));
    denoise_job_free(&j);
    ql_trials_free(t.trials, t.n);
    ql_free(t.trials);
    ql_names_free(&t.settings);
    search_free(&t.space);
    return st;
}

static const ql_opt_table tune_tables[] = {
    {tune_rows, 0},
    {ql_denoise_rows, offsetof(tune_args, denoise)},
    {ql_denoise_save_rows, offsetof(tune_args, denoise)},
    FIT_TABLES(tune_args, denoise.fit),
    {ql_kind_rows, offsetof(tune_args, denoise.fit.model)},
    {NULL, 0},
};

static const ql_positional tune_positionals[] = {
    {"INPUT...", "count matrices, as for denoise"},
    {NULL, NULL},
};

const ql_command ql_cmd_tune = {
    .name = "tune",
    .group = "Models",
    .summary = "search settings by held-out molecules, then denoise",
    .positionals = tune_positionals,
    .examples = {{"quell tune pbmc.h5ad -o tuned.h5ad",
                  "20 trials; the best is trained on everything and denoises"},
                 {"quell tune pbmc.h5ad -o tuned.h5ad --search \"hidden=64,8|64,16|64,32|64,64\"",
                  "how large should the bottleneck be?"}},
    .tables = tune_tables,
    .presets = ql_model_presets,
    .args_size = sizeof(tune_args),
    .more =
        "Every trial trains on eight tenths of the molecules of each cell. It is chosen by how "
        "well "
        "it predicts the ninth tenth; the figures at the end are from the last tenth, which chose "
        "nothing. The table of all trials is in uns/quell/tune.",
    .run = tune_run,
};
