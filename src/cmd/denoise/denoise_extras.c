#include "denoise_extras.h"

#include <math.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/option.h"
#include "quell/outlier.h"

const extra_row extra_rows[N_EXTRAS] = {
    [EXTRA_NLL] = {"nll", "obs/quell_nll",
                   "-ln of the probability of the cell's counts under the model, in nats per "
                   "molecule; falls with depth",
                   QL_VALUE_MEAN},
    [EXTRA_ERROR] = {"error", "obs/quell_error",
                     "mean squared error of ln(1 + counts per 10,000) over the genes with counts; "
                     "falls with depth",
                     QL_VALUE_MEAN},
    [EXTRA_PEARSON] =
        {"pearson", "obs/quell_pearson",
         "mean squared Pearson residual over the genes with counts, each at most 100; "
         "about 1 where the model holds",
         QL_VALUE_MEAN},
    [EXTRA_DISTANCE] = {"distance", "obs/quell_distance",
                        "Mahalanobis distance of the latent space from the training cells, divided "
                        "by the root of its width; about 1 for a training cell",
                        QL_VALUE_MEAN},
    [EXTRA_OUTLIER] =
        {"outlier", "obs/quell_outlier",
         "share of the held-out cells that fit better at their depth, 0 to 1; uniform "
         "for cells like those",
         QL_VALUE_MEAN},
    [EXTRA_DISPERSION] = {"dispersion", "layers/quell_dispersion",
                          "dispersion of each cell and gene (inverse: the variance is mu + mu^2 / "
                          "theta)",
                          QL_VALUE_THETA},
    [EXTRA_DROPOUT] = {"dropout", "layers/quell_dropout",
                       "probability of a zero beside those of the negative binomial, of each cell "
                       "and gene",
                       QL_VALUE_PI},
};

/* What rests on the likelihood of counts. */
#define EXTRA_OF_COUNTS (EXTRA_BIT(EXTRA_NLL) | EXTRA_BIT(EXTRA_PEARSON) | EXTRA_BIT(EXTRA_OUTLIER))

/* ---- the option ---- */

static const char *name_at(const void *ctx, int i)
{
    (void)ctx;
    return i < N_EXTRAS ? extra_rows[i].name : NULL;
}

static ql_status refuse_name(const char *name, int len, ql_err *err)
{
    ql_str names = {0}, word = {0};
    for (int i = 0; i < N_EXTRAS; i++)
        ql_str_printf(&names, "%s%s", i ? ", " : "", extra_rows[i].name);
    ql_str_printf(&word, "%.*s", len, name);
    const char *near = ql_nearest(ql_str_text(&word), name_at, NULL);
    ql_status st = ql_fail(err, QL_EUSAGE, "--write: '%.80s' is none of %s", ql_str_text(&word),
                           ql_str_text(&names));
    ql_str_free(&names);
    ql_str_free(&word);
    return near ? ql_hint(err, st, "did you mean %s?", near) : st;
}

static int find_name(const char *name, size_t len)
{
    for (int i = 0; i < N_EXTRAS; i++)
        if (strlen(extra_rows[i].name) == len && !memcmp(extra_rows[i].name, name, len)) return i;
    return -1;
}

ql_status extras_parse(const char *list, const ql_likelihood *likelihood, unsigned *which,
                       ql_err *err)
{
    *which = 0;
    for (const char *at = list; at; at = strchr(at, ',')) {
        if (at != list) at++;
        size_t len = strcspn(at, ",");
        int found = find_name(at, len);
        if (found < 0) return refuse_name(at, (int)len, err);
        *which |= EXTRA_BIT(found);
    }
    if ((*which & EXTRA_BIT(EXTRA_DROPOUT)) && !likelihood->has_pi)
        return ql_fail(err, QL_EUSAGE, "--write dropout: type %s has no dropout probabilities",
                       likelihood->name);
    if ((*which & EXTRA_OF_COUNTS) && likelihood->gaussian)
        return ql_fail(err, QL_EUSAGE,
                       "--write nll, pearson and outlier need a distribution of counts, which type "
                       "%s has not",
                       likelihood->name);
    return QL_OK;
}

unsigned extras_scores(unsigned which)
{
    static const unsigned scores[N_EXTRAS] = {
        [EXTRA_NLL] = QL_SCORE_BIT(QL_SCORE_NLL),
        [EXTRA_ERROR] = QL_SCORE_BIT(QL_SCORE_ERROR),
        [EXTRA_PEARSON] = QL_SCORE_BIT(QL_SCORE_PEARSON),
        [EXTRA_DISTANCE] = QL_SCORE_BIT(QL_SCORE_DISTANCE),
        [EXTRA_OUTLIER] = QL_OUTLIER_SCORES,
    };
    unsigned all = 0;
    for (int i = 0; i < N_EXTRAS; i++)
        if (which & EXTRA_BIT(i)) all |= scores[i];
    return all;
}

/* ---- the columns ---- */

/* Training cells among training cells, all others among those held out. */
static void rate_cells(const ql_fitted *f, const ql_outlier *held, const ql_outlier *trained,
                       cell_extras *e)
{
    const ql_split *split = &f->split;
    const double *total = f->prep.total;
    for (int64_t i = 0; i < e->scores.n_cells; i++)
        e->outlier[i] =
            ql_outlier_share(held, ql_outlier_statistic(held, &e->scores, total, i), false);
    for (int64_t i = 0; i < split->n_valid; i++) {
        const double s = ql_outlier_statistic(held, &e->scores, total, split->valid[i]);
        e->outlier[split->valid[i]] = ql_outlier_share(held, s, true);
    }
    for (int64_t i = 0; i < split->n_train; i++) {
        const double s = ql_outlier_statistic(trained, &e->scores, total, split->train[i]);
        e->outlier[split->train[i]] = ql_outlier_share(trained, s, true);
    }
}

/* New cells, none of which the model has seen, among the held-out cells it was saved with. */
static ql_status compare_outliers(const ql_fitted *f, cell_extras *e, ql_err *err)
{
    const ql_outlier *held = &f->reference.held;
    QL_TRY(QL_NEW(e->outlier, e->scores.n_cells, "outliers", err));
    rate_cells(f, held, held, e);
    e->n_held = held->n;
    return QL_OK;
}

static ql_status find_outliers(const ql_fitted *f, cell_extras *e, ql_err *err)
{
    const ql_split *split = &f->split;
    const double *total = f->prep.total;
    ql_outlier held = {0}, trained = {0};
    ql_status st;
    QL_GO(QL_NEW(e->outlier, e->scores.n_cells, "outliers", err));
    QL_GO(ql_outlier_fit(&held, &e->scores, total, split->valid, split->n_valid, err));
    QL_GO(ql_outlier_fit(&trained, &e->scores, total, split->train, split->n_train, err));
    rate_cells(f, &held, &trained, e);
    e->n_held = split->n_valid;
out:
    ql_outlier_free(&held);
    ql_outlier_free(&trained);
    return st;
}

static bool has_held(const ql_fitted *f)
{
    return f->split.n_valid > 0 || f->reference.held.n > 0;
}

static void tell(const ql_fitted *f, unsigned which, ql_run *run)
{
    if ((which & EXTRA_BIT(EXTRA_OUTLIER)) && !has_held(f))
        ql_log_warn(run->log, "--write outlier: no cells are held out to compare with "
                              "(--validation 0); obs/quell_outlier is not written");
    if ((which & EXTRA_BIT(EXTRA_DISPERSION)) && f->ae.heads.kind[QL_HEAD_DISP] <= QL_KIND_GENE)
        ql_log_info(run->log, "--write dispersion: type %s has one a gene, in var/quell_theta",
                    f->ae.cfg.likelihood->name);
}

ql_status cell_extras_make(ql_fitted *fitted, const ql_rows *rows, unsigned which, ql_run *run,
                           cell_extras *out)
{
    const unsigned scores = extras_scores(which);
    ql_err *err = &run->err;
    ql_status st = QL_OK;
    *out = (cell_extras){.which = which};
    tell(fitted, which, run);
    if (scores) QL_GO(ql_cell_scores_of(fitted, rows, scores, &out->scores, err));
    if ((which & EXTRA_BIT(EXTRA_OUTLIER)) && has_held(fitted))
        QL_GO(fitted->split.n_valid > 0 ? find_outliers(fitted, out, err)
                                        : compare_outliers(fitted, out, err));
out:
    if (st != QL_OK) cell_extras_free(out);
    return st;
}

void cell_extras_free(cell_extras *e)
{
    ql_cell_scores_free(&e->scores);
    ql_free(e->outlier);
    *e = (cell_extras){0};
}

const double *cell_extras_column(const cell_extras *e, extra x)
{
    static const int score[N_EXTRAS] = {[EXTRA_NLL] = QL_SCORE_NLL,
                                        [EXTRA_ERROR] = QL_SCORE_ERROR,
                                        [EXTRA_PEARSON] = QL_SCORE_PEARSON,
                                        [EXTRA_DISTANCE] = QL_SCORE_DISTANCE};
    if (!(e->which & EXTRA_BIT(x)) || (EXTRA_LAYERS & EXTRA_BIT(x))) return NULL;
    return x == EXTRA_OUTLIER ? e->outlier : e->scores.of[score[x]];
}
