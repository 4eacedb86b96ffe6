#include "auto_choice.h"

#include <math.h>
#include <string.h>

#include "ensemble_run.h"
#include "fit_run.h"
#include "quell/alloc.h"
#include "quell/clock.h"

enum { MOST_CELLS = 20000 };
#define SEEN  0.8 /* share of the molecules that candidates are fitted to */
#define SPEND 0.8 /* of the time budget: estimates are rough, and the output has to be written */

/* ---- candidates ---- */

/* The first to be left out come last. Between equally good ones the simpler is taken. */
static const struct {
    const char *settings; /* NULL: one of those of --ensemble, or the options as given */
    int variant, simplicity;
    double cost; /* trainings of the options as given that it takes the time of, about */
} candidates[] = {
    {NULL, 0, 7, 1},  {"means", 0, 0, 1},      {"smooth=20", 0, 4, 1}, {"factors=8", 0, 2, 1},
    {NULL, 2, 6, 1},  {NULL, 1, 9, 1},         {NULL, 5, 8, 1},        {NULL, 3, 5, 1},
    {NULL, 4, 10, 1}, {"factors=16", 0, 3, 1}, {"factors=4", 0, 1, 1}, {"vae", 0, 11, 3},
};
enum { N_CANDIDATES = sizeof candidates / sizeof *candidates, FEWEST = 4 };

/* A variational model has variants of its own, which alone know batches. */
static bool is_for(const model_args *a, bool of_batches, int i)
{
    const char *text = candidates[i].settings;
    if (!text) return true;
    return !of_batches && !(!strcmp(text, "vae") && model_is_vae(a));
}

/* Trainings one after the other that the first n take with so many threads; of them those in
 * member, NULL: all. */
static double rounds_of(const auto_choice *a, int n, const bool *member, int threads)
{
    double sum = 0, most = 0;
    for (int i = 0; i < n; i++) {
        if (i > 0 && member && !member[i]) continue; /* the first is fitted always */
        const double cost = candidates[a->row[i]].cost;
        sum += cost;
        if (cost > most) most = cost;
    }
    sum = ceil(sum / threads);
    return sum > most ? sum : most;
}

ql_status auto_candidates(const model_args *a, bool of_batches, int threads, auto_choice **out,
                          ql_err *err)
{
    auto_choice *c;
    ql_str text = {0};
    ql_status st;
    *out = NULL;
    QL_TRY(ensemble_check(a, err));
    QL_TRY(QL_NEW(c, 1, "candidates", err));
    st = QL_OK;
    for (int i = 0; i < N_CANDIDATES && st == QL_OK; i++) {
        if (!is_for(a, of_batches, i)) continue;
        c->row[c->specs.n] = i;
        ql_str_clear(&text);
        if (candidates[i].settings)
            ql_str_puts(&text, candidates[i].settings);
        else
            ensemble_put_variant(a, candidates[i].variant, &text);
        st = ensemble_specs_add(&c->specs, a, ql_str_text(&text), threads, err);
    }
    ql_str_free(&text);
    if (st == QL_OK)
        *out = c;
    else
        ql_free(c);
    return st;
}

static int simplicity(const auto_choice *a, int i)
{
    return candidates[a->row[i]].simplicity;
}

/* From simple to rich, of the first n. */
static void find_order(const auto_choice *a, int n, int *order)
{
    for (int i = 0; i < n; i++) {
        int k = i;
        for (; k > 0 && simplicity(a, order[k - 1]) > simplicity(a, i); k--)
            order[k] = order[k - 1];
        order[k] = i;
    }
}

/* ---- the choice ---- */

static void tell(const struct fit_run *f)
{
    const auto_choice *a = f->candidates;
    const ql_choice *c = &a->choice;
    ql_logger *log = f->run->log;
    ql_log_info(log,
                "--auto: gain over the gene means in nats a molecule, of molecules that chose "
                "nothing (%lld cells, %d fold%s)",
                (long long)c->n_cells, c->folds, c->folds > 1 ? "s" : "");
    ql_log_info(log, "  %-20s %19s %22s %8s", "candidate", "gain", "from the chosen", "weight");
    for (int i = 0; i <= c->n; i++) {
        const ql_candidate *k = &c->candidate[i];
        ql_log_info(log, "%c %-20s %8.4f +- %7.4f %+11.4f +- %7.4f %8.3f",
                    i == c->chosen ? '*' : ' ', auto_name(a, i), k->report, k->report_error,
                    k->difference, k->difference_error, i < c->n ? k->weight : 1.0);
    }
    ql_log_info(log, "--auto: %s",
                c->chosen == c->n ? "the mixture, better than any of them alone by more than "
                                    "two standard errors"
                                  : auto_name(a, c->chosen));
    ql_summary_string(f->run->summary, "auto_chosen", auto_name(a, c->chosen));
    ql_summary_double(f->run->summary, "auto_gain", c->candidate[c->chosen].report);
    ql_summary_double(f->run->summary, "auto_gain_stderr", c->candidate[c->chosen].report_error);
}

static void tell_fold(void *ctx, int number)
{
    const struct fit_run *f = ctx;
    ql_log_info(f->run->log, "--auto: fold %d: %d candidates", number + 1, f->candidates->specs.n);
}

/* The members that have weight, the options as given first, whether they have any or not: the
 * latent space is theirs. */
static ql_status take_chosen(struct fit_run *f)
{
    const auto_choice *a = f->candidates;
    const ql_choice *c = &a->choice;
    ensemble_specs *s;
    QL_TRY(QL_NEW(s, 1, "the ensemble", &f->run->err));
    for (int i = 0; i < c->n; i++) {
        if (i > 0 && !c->member[i]) continue;
        f->shares[s->n] = c->candidate[i].weight;
        ql_status st = ensemble_specs_add(s, &f->args->model, a->specs.settings[i], f->run->threads,
                                          &f->run->err);
        if (st == QL_OK) continue;
        ql_free(s);
        return st;
    }
    ql_free(f->specs);
    f->specs = s;
    f->shares_known = true;
    if (s->n > 1) return QL_OK;
    ql_free(s); /* the options as given and nothing else */
    f->specs = NULL;
    return QL_OK;
}

static ql_status compare(struct fit_run *f, int n, int folds, ql_choice *out)
{
    auto_choice *a = f->candidates;
    int order[QL_MEMBERS_MOST];
    find_order(a, n, order);
    const ql_choice_options opt = {.folds = folds,
                                   .threads = f->run->threads,
                                   .most_cells = MOST_CELLS,
                                   .seed = f->options.train.seed,
                                   .posterior = !f->output.means,
                                   .order = order,
                                   .fold = out == &a->choice ? tell_fold : NULL,
                                   .ctx = f};
    ensemble_complete(f, &a->specs);
    return ql_choose(&f->rows, a->specs.spec, n, &opt, f->kern, out, &f->run->err);
}

/* How many candidates, and folds of them, the time allows: the options as given are fitted once to
 * see how long that takes, and every other is taken to need as much, once for each fold and once
 * more, on all molecules, if it is mixed in. 0: no time to compare anything. */
static ql_status fit_budget(struct fit_run *f, int *n, int *folds)
{
    ql_choice ignored;
    const double start = ql_clock_wall(), before = ql_log_seconds(f->run->log);
    QL_TRY(compare(f, 2, 1, &ignored));
    const double one = ql_clock_wall() - start;
    const double left = SPEND * f->budget - before - one;
    for (; *folds > 1 || *n >= FEWEST; *folds > 1 ? --*folds : --*n) {
        const double rounds = rounds_of(f->candidates, *n, NULL, f->run->threads);
        if (rounds * one * (*folds + 1 / SEEN) <= left) return QL_OK;
    }
    *n = 0;
    return QL_OK;
}

static ql_status keep_within(struct fit_run *f, int *n, int *folds)
{
    const int all = *n, all_folds = *folds;
    if (f->budget <= 0) return QL_OK;
    ql_log_warn(f->run->log, "--time-budget: which models are compared, and so the result, depends "
                             "on how fast this machine is now");
    QL_TRY(fit_budget(f, n, folds));
    if (*n == 0)
        ql_log_warn(f->run->log, "--time-budget: no time to compare: the options as given");
    else if (*n < all || *folds < all_folds)
        ql_log_warn(f->run->log, "--time-budget: %d of %d candidates, %d of %d folds", *n, all,
                    *folds, all_folds);
    ql_summary_int(f->run->summary, "auto_candidates", *n);
    return QL_OK;
}

/* The model beside the first that has the least weight; false: there is none. */
static bool drop_lightest(ql_choice *c)
{
    int least = 0;
    double sum = 0;
    for (int i = 1; i < c->n; i++)
        if (c->member[i] && (least == 0 || c->candidate[i].weight < c->candidate[least].weight))
            least = i;
    if (least == 0) return false;
    c->member[least] = false;
    c->candidate[least].weight = 0;
    for (int i = 0; i < c->n; i++) sum += c->candidate[i].weight;
    for (int i = 0; i < c->n; i++)
        c->candidate[i].weight = sum > 0 ? c->candidate[i].weight / sum : i == 0;
    return true;
}

/* Comparing took so many seconds, perhaps more than was thought: of what was chosen as much is
 * fitted as there is time for. */
static void leave_time_to_fit(struct fit_run *f, double seconds)
{
    ql_choice *c = &f->candidates->choice;
    const int threads = f->run->threads;
    const double one = seconds / (c->folds * rounds_of(f->candidates, c->n, NULL, threads));
    const double left = SPEND * f->budget - ql_log_seconds(f->run->log);
    int dropped = 0;
    if (f->budget <= 0) return;
    while (rounds_of(f->candidates, c->n, c->member, threads) * one / SEEN > left &&
           drop_lightest(c))
        dropped++;
    if (dropped > 0)
        ql_log_warn(f->run->log, "--time-budget: no time to fit %d of the models that were chosen",
                    dropped);
}

ql_status auto_choose(struct fit_run *f)
{
    auto_choice *a = f->candidates;
    int n, folds = f->args->model.folds;
    if (!a) return QL_OK;
    if (!f->ds.is_counts)
        return ql_fail(&f->run->err, QL_EUSAGE,
                       "--auto compares by molecules: the entries must be whole counts");
    n = a->specs.n;
    QL_TRY(keep_within(f, &n, &folds));
    if (n == 0) return QL_OK;
    a->specs.n = n;
    const double start = ql_clock_wall();
    QL_TRY(compare(f, n, folds, &a->choice));
    tell(f);
    leave_time_to_fit(f, ql_clock_wall() - start);
    return take_chosen(f);
}
