
#include "fit_run.h"
#include "model_type.h"
#include "quell/trials.h"

/* From simple to rich: each has the one before as a limit. */
static const char *const candidates[TYPE_CANDIDATES] = {"poisson", "nb", "zinb"};

enum { MOST_CELLS = 20000 };

/* Nats a molecule that a richer likelihood must bring: two trainings of the same model differ by
 * about half of it. */
#define MARGIN 0.002

static int best_of(const ql_trial *trials)
{
    int best = 0;
    for (int i = 1; i < TYPE_CANDIDATES; i++)
        if (trials[i].select.value > trials[best].select.value) best = i;
    return best;
}

/* The simplest that is not clearly worse than the best. */
static int choose(const ql_trial *trials, int64_t n_cells)
{
    int best = best_of(trials);
    double error;
    for (int i = 0; i < best; i++) {
        if (trials[i].diverged) continue;
        double less = ql_trial_difference(&trials[best].select, &trials[i].select, n_cells, &error);
        if (less <= 2 * error || less <= MARGIN) return i;
    }
    return best;
}

static void book(type_choice *c, const ql_trial *trials, int64_t n_cells)
{
    const ql_trial *chosen = &trials[c->chosen];
    c->n = TYPE_CANDIDATES;
    for (int i = 0; i < TYPE_CANDIDATES; i++) {
        c->name[i] = candidates[i];
        c->difference[i] = trials[i].report.value;
        if (!trials[i].diverged)
            c->difference[i] =
                ql_trial_difference(&trials[i].report, &chosen->report, n_cells, &c->error[i]);
    }
}

static void tell(const fit_run *f, const ql_trials_facts *facts)
{
    const type_choice *c = &f->type;
    ql_log_info(f->run->log, "--type auto: %s (held-out log-likelihood, %lld cells)",
                c->name[c->chosen], (long long)facts->n_cells);
    for (int i = 0; i < c->n; i++)
        if (i != c->chosen)
            ql_log_info(f->run->log, "  %-8s %+.5f +- %.5f nats a molecule", c->name[i],
                        c->difference[i], c->error[i]);
    ql_summary_string(f->run->summary, "type", c->name[c->chosen]);
}

static ql_status compare(fit_run *f, ql_trial *trials, ql_trials_facts *facts)
{
    const ql_trials_options opt = {.by = QL_BY_LIKELIHOOD,
                                   .most_cells = MOST_CELLS,
                                   .threads = f->run->threads,
                                   .seed = f->options.train.seed};
    for (int i = 0; i < TYPE_CANDIDATES; i++) {
        trials[i].options = f->options;
        trials[i].options.start = NULL;
        trials[i].options.resumable = false;
        trials[i].options.ae.likelihood = ql_likelihood_find(candidates[i]);
    }
    return ql_trials_run(&f->rows, trials, TYPE_CANDIDATES, &opt, f->kern, facts, &f->run->err);
}

ql_status type_choose(fit_run *f)
{
    ql_trial trials[TYPE_CANDIDATES] = {0};
    ql_trials_facts facts;
    if (!model_type_is_auto(&f->args->model)) return QL_OK;
    if (!f->ds.is_counts)
        return ql_fail(&f->run->err, QL_EUSAGE,
                       "--type auto compares by molecules: the entries "
                       "must be whole counts");
    ql_status st = compare(f, trials, &facts);
    if (st == QL_OK) {
        f->type.chosen = choose(trials, facts.n_cells);
        book(&f->type, trials, facts.n_cells);
        tell(f, &facts);
        st = ql_opts_assign(f->run->opts, "type", candidates[f->type.chosen], &f->run->err);
    }
    ql_trials_free(trials, TYPE_CANDIDATES);
    return st == QL_OK ? fit_run_reconfigure(f) : st;
}
