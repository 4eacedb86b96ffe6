#include "quell/trials.h"

#include <math.h>
#include <stdatomic.h>

#include "molecule_parts.h"
#include "quell/alloc.h"
#include "quell/fit.h"
#include "quell/parallel.h"

enum {
    KEEP_ONE_IN = 3, /* of a rung's trials, and the factor of the epochs from rung to rung */
    FINALISTS = 3    /* a rung of so many is the last */
};

/* ---- one trial ---- */

static ql_status score_gain(ql_fitted *f, const ql_held_out *parts, double lost,
                            ql_prediction which, ql_trial_part *out, ql_err *err)
{
    const int64_t n = parts->seen->n_rows;
    ql_score score;
    double *gain;
    QL_TRY(QL_NEW(gain, n * QL_N_PREDS, "scores", err));
    ql_status st =
        ql_score_cells(&f->ae, parts, f->prep.gene_total, lost, f->theta, &score, gain, err);
    for (int64_t i = 0; i < n && st == QL_OK; i++) out->cell[i] = gain[i * QL_N_PREDS + which];
    ql_free(gain);
    return st;
}

static ql_status score_likelihood(ql_fitted *f, const ql_held_out *parts, ql_trial_part *out,
                                  ql_err *err)
{
    const int64_t n = parts->seen->n_rows;
    int64_t *rows;
    ql_rows input = ql_rows_of_csr(parts->seen), target = ql_rows_of_csr(parts->held);
    QL_TRY(ql_rows_list(n, &rows, err));
    ql_batch_source source = {
        .counts = &input, .targets = &target, .target_scale = ql_held_ratio(parts)};
    ql_status st = ql_ae_cell_loss(&f->ae, &source, rows, n, out->cell, err);
    for (int64_t i = 0; i < n; i++) out->cell[i] = -out->cell[i];
    ql_free(rows);
    return st;
}

static ql_status score_part(ql_fitted *f, const ql_csr *seen, const ql_csr *held, double lost,
                            ql_trial_score by, ql_trial_part *out, ql_err *err)
{
    const ql_held_out parts = {seen, held, NULL};
    if (!out->cell) QL_TRY(QL_NEW(out->cell, seen->n_rows, "scores", err));
    out->molecules = lost + ql_csr_total(held);
    if (by == QL_BY_LIKELIHOOD)
        QL_TRY(score_likelihood(f, &parts, out, err));
    else
        QL_TRY(score_gain(f, &parts, lost, by == QL_BY_MEAN ? QL_PRED_MEAN : QL_PRED_POSTERIOR, out,
                          err));
    out->value = 0;
    for (int64_t i = 0; i < seen->n_rows; i++) out->value += out->cell[i];
    if (out->molecules > 0) out->value /= out->molecules;
    return QL_OK;
}

typedef struct {
    const ql_molecule_parts *parts;
    const ql_trials_options *opt;
    const ql_kern *kern;
    ql_trial *trials;
    const int *active; /* [n_active] trials of the rung */
    int rung;
    int64_t epochs;     /* the rung's budget; 0: all */
    atomic_bool failed; /* the others need not begin */
    ql_status *status;  /* [n_active] */
    ql_err *errors;     /* [n_active] */
} rung_job;

/* Places in the genome of the genes that are seen. */
static ql_status seen_ranks(const ql_molecule_parts *p, const int64_t *all, int64_t **out,
                            ql_err *err)
{
    if (!all) return QL_OK;
    QL_TRY(QL_NEW(*out, p->seen.n_cols, "gene order", err));
    for (int64_t g = 0; g < p->seen.n_cols; g++) (*out)[g] = all[p->gene[g]];
    return QL_OK;
}

static ql_status run_trial(rung_job *job, ql_trial *t, ql_err *err)
{
    const ql_molecule_parts *p = job->parts;
    ql_rows counts = ql_rows_of_csr(&p->seen); /* no gene is empty: nothing is written */
    ql_fit_options o = t->options;
    ql_fitted f;
    int64_t *rank = NULL;
    o.threads = 1;
    o.train.molecules = true;
    if (o.cov) o.cov = &p->cov;
    if (job->epochs > 0 && job->epochs < o.train.epochs) o.train.epochs = job->epochs;
    t->rung = job->rung;
    QL_TRY(seen_ranks(p, o.gene_rank, &rank, err));
    o.gene_rank = rank;
    ql_status st = ql_fit(&counts, &o, job->kern, NULL, &f, err);
    ql_free(rank);
    t->diverged = st == QL_EDIVERGED;
    if (t->diverged) {
        t->select.value = t->report.value = -INFINITY;
        *err = (ql_err){0};
        return QL_OK;
    }
    if (st != QL_OK) return st;
    t->epochs = f.result.n_epochs;
    st = score_part(&f, &p->seen, &p->select, p->select_lost, job->opt->by, &t->select, err);
    if (st == QL_OK)
        st = score_part(&f, &p->seen, &p->report, p->report_lost, job->opt->by, &t->report, err);
    ql_fitted_free(&f);
    return st;
}

static void trial_item(void *ctx, int64_t item)
{
    rung_job *job = ctx;
    int trial = job->active[item];
    if (atomic_load(&job->failed)) return;
    job->status[item] = run_trial(job, &job->trials[trial], &job->errors[item]);
    if (job->status[item] != QL_OK) atomic_store(&job->failed, true);
}

/* ---- rungs ---- */

static int rungs_of(int n, bool one)
{
    int rungs = 1;
    for (int left = n; !one && left > FINALISTS; rungs++)
        left = (left + KEEP_ONE_IN - 1) / KEEP_ONE_IN;
    return rungs;
}

/* As many trials at a time as the memory has room for. */
static int side_by_side(const ql_trial *trials, int n, const ql_csr *seen,
                        const ql_trials_options *opt)
{
    ql_rows counts = ql_rows_of_csr(seen);
    int64_t most = 1, room = ql_alloc_room();
    for (int i = 0; i < n; i++) {
        ql_fit_options o = trials[i].options;
        o.threads = 1;
        int64_t bytes = ql_fit_bytes(&counts, &o);
        if (bytes > most) most = bytes;
    }
    int64_t fit = room / most;
    if (fit < 1) fit = 1; /* if it is too much after all, the fit will say so */
    return fit < opt->threads ? (int)fit : opt->threads;
}

static bool better(const ql_trial *trials, int a, int b)
{
    double x = trials[a].select.value, y = trials[b].select.value;
    return x > y || (x == y && a < b);
}

/* The best trials first; how many go on. Trial 0 always does. */
static int promote(const ql_trial *trials, int *active, int n)
{
    int kept = (n + KEEP_ONE_IN - 1) / KEEP_ONE_IN;
    for (int i = 1; i < n; i++)
        for (int k = i; k > 0 && better(trials, active[k], active[k - 1]); k--) {
            int swap = active[k];
            active[k] = active[k - 1];
            active[k - 1] = swap;
        }
    for (int i = 0; i < kept; i++)
        if (active[i] == 0) return kept;
    active[kept - 1] = 0;
    return kept;
}

static ql_status run_rung(rung_job *job, int n, int threads, ql_err *err)
{
    const ql_trials_options *opt = job->opt;
    if (opt->begin)
        opt->begin(opt->ctx, &(ql_rung){job->rung, n, threads < n ? threads : n, job->epochs});
    ql_parallel_for(threads, n, trial_item, job);
    for (int i = 0; i < n; i++) {
        if (job->status[i] != QL_OK) {
            *err = job->errors[i];
            return job->status[i];
        }
        if (opt->done) opt->done(opt->ctx, job->active[i], &job->trials[job->active[i]]);
    }
    return QL_OK;
}

static ql_status run_rungs(rung_job *job, int n, int rungs, ql_err *err)
{
    const int threads = side_by_side(job->trials, n, &job->parts->seen, job->opt);
    int *active = NULL, n_active = n;
    int64_t epochs = job->opt->first_epochs;
    ql_status st;
    QL_GO(QL_NEW(active, n, "trials", err));
    QL_GO(QL_NEW(job->status, n, "trials", err));
    QL_GO(QL_NEW(job->errors, n, "trials", err));
    for (int i = 0; i < n; i++) active[i] = i;
    job->active = active;
    for (job->rung = 0; job->rung < rungs; job->rung++, epochs *= KEEP_ONE_IN) {
        if (job->rung > 0) n_active = promote(job->trials, active, n_active);
        job->epochs = job->rung == rungs - 1 ? 0 : epochs;
        QL_GO(run_rung(job, n_active, threads, err));
    }
out:
    ql_free(active);
    ql_free(job->status);
    ql_free(job->errors);
    return st;
}

ql_status ql_trials_run(const ql_rows *counts, ql_trial *trials, int n,
                        const ql_trials_options *opt, const ql_kern *kern, ql_trials_facts *facts,
                        ql_err *err)
{
    ql_molecule_parts p = {0};
    rung_job job = {.parts = &p, .opt = opt, .kern = kern, .trials = trials};
    int rungs = rungs_of(n, opt->first_epochs <= 0);
    for (int i = 0; i < n; i++) trials[i].rung = -1;
    const ql_covariates *cov = trials[0].options.cov;
    ql_status st =
        ql_molecule_parts_make(counts, cov, opt->most_cells, opt->seed, opt->seed, &p, err);
    if (st == QL_OK) {
        *facts = (ql_trials_facts){p.seen.n_rows, rungs};
        st = run_rungs(&job, n, rungs, err);
    }
    ql_molecule_parts_free(&p);
    return st;
}

void ql_trials_free(ql_trial *trials, int n)
{
    for (int i = 0; i < n; i++) {
        ql_free(trials[i].select.cell);
        ql_free(trials[i].report.cell);
        trials[i].select.cell = trials[i].report.cell = NULL;
    }
}

/* ---- verdicts ---- */

double ql_trial_difference(const ql_trial_part *a, const ql_trial_part *b, int64_t n_cells,
                           double *standard_error)
{
    double sum = 0, square = 0;
    for (int64_t i = 0; i < n_cells; i++) sum += a->cell[i] - b->cell[i];
    for (int64_t i = 0; i < n_cells; i++) {
        double d = a->cell[i] - b->cell[i] - sum / (double)n_cells;
        square += d * d;
    }
    *standard_error = sqrt(square) / a->molecules;
    return sum / a->molecules;
}

int ql_trials_best(const ql_trial *trials, int n, const ql_trials_facts *facts)
{
    int best = -1;
    double error;
    for (int i = 0; i < n; i++)
        if (trials[i].rung == facts->n_rungs - 1 && !trials[i].diverged &&
            (best < 0 || better(trials, i, best)))
            best = i;
    if (best <= 0 || trials[0].diverged) return best < 0 ? 0 : best;
    double gain =
        ql_trial_difference(&trials[best].select, &trials[0].select, facts->n_cells, &error);
    return gain > 2 * error ? best : 0;
}
