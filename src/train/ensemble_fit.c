#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "ensemble_internal.h"
#include "quell/alloc.h"
#include "quell/coverage.h"
#include "quell/fit.h"
#include "quell/gene_gain.h"

/* ---- one listener for many trainings ---- */

/* States are read and written, and warnings told, by one training at a time. */
typedef struct {
    const ql_train_listener *to;
    pthread_mutex_t lock;
    ql_train_keeper keeper;
    ql_train_listener listener;
} shared_listener;

static void warn(void *ctx, const char *text)
{
    shared_listener *s = ctx;
    pthread_mutex_lock(&s->lock);
    s->to->warn(s->to->ctx, text);
    pthread_mutex_unlock(&s->lock);
}

static ql_status load(void *ctx, uint64_t origin, ql_bundle *state, bool *found, ql_err *err)
{
    shared_listener *s = ctx;
    pthread_mutex_lock(&s->lock);
    const ql_status st = s->to->keeper->load(s->to->keeper->ctx, origin, state, found, err);
    pthread_mutex_unlock(&s->lock);
    return st;
}

static void save(void *ctx, uint64_t origin, ql_bundle *state)
{
    shared_listener *s = ctx;
    pthread_mutex_lock(&s->lock);
    s->to->keeper->save(s->to->keeper->ctx, origin, state);
    pthread_mutex_unlock(&s->lock);
}

static void resumed(void *ctx, uint64_t origin, const ql_train_point *at)
{
    shared_listener *s = ctx;
    pthread_mutex_lock(&s->lock);
    s->to->keeper->resumed(s->to->keeper->ctx, origin, at);
    pthread_mutex_unlock(&s->lock);
}

/* Epochs of many trainings at once are no news; what is said of a member is said when it is done.
 */
static void share_listener(shared_listener *s, const ql_train_listener *to)
{
    *s = (shared_listener){.to = to};
    pthread_mutex_init(&s->lock, NULL);
    s->listener.ctx = s;
    if (to && to->warn) s->listener.warn = warn;
    if (!to || !to->keeper) return;
    s->keeper =
        (ql_train_keeper){to->keeper->every, load, save, to->keeper->resumed ? resumed : NULL, s};
    s->listener.keeper = &s->keeper;
}

/* ---- members ---- */

typedef struct {
    const ql_rows *counts;
    const ql_member_spec *specs;
    ql_member_data data;
    int64_t *rank; /* place in the genome of the genes that are kept; NULL: none */
    ql_fitted *first;
    void *state[QL_MEMBERS_MOST]; /* of the others */
    int threads;                  /* of each */
    atomic_bool failed;           /* the others need not begin */
    ql_status status[QL_MEMBERS_MOST];
    ql_err *errors;
} fitting;

static ql_status fit_member(fitting *job, int i, ql_err *err)
{
    ql_member_spec spec = job->specs[i];
    ql_rows counts = *job->counts;
    spec.fit.threads = job->threads;
    spec.fit.gene_rank = job->rank;
    spec.fit.shrink_genes = false; /* of the mixture instead */
    if (i > 0) {
        spec.fit.train.seed = job->specs[0].fit.train.seed; /* the same validation cells */
        return spec.kind->fit(&job->data, &spec, &job->state[i], err);
    }
    spec.fit.fit_theta = false; /* of the mixture instead */
    return ql_fit(&counts, &spec.fit, job->data.kern, job->data.listener, job->first, err);
}

static void fit_item(void *ctx, int64_t item)
{
    fitting *job = ctx;
    if (atomic_load(&job->failed)) return;
    job->status[item] = fit_member(job, (int)item, &job->errors[item]);
    if (job->status[item] != QL_OK) atomic_store(&job->failed, true);
}

/* What a model takes while it is fitted by one thread, and keeps of it. The first, which is scored,
 * keeps all. */
static int64_t bytes_of(const ql_rows *counts, const ql_member_spec *specs, int i, int64_t *held)
{
    ql_member_spec s = specs[i];
    s.fit.threads = 1;
    const int64_t bytes = s.kind->bytes(counts, &s);
    *held = i > 0 && s.kind->held ? s.kind->held(counts, &s) : bytes;
    return bytes;
}

/* As many members at a time as the memory has room for beside all that are done. */
static int side_by_side(const ql_rows *counts, const ql_member_spec *specs, int n, int threads)
{
    int64_t most = 1, kept = 0, held;
    for (int i = 0; i < n; i++) {
        const int64_t more = bytes_of(counts, specs, i, &held) - held;
        if (more > most) most = more;
        kept += held;
    }
    const int64_t fit = (ql_alloc_room() - kept) / most;
    if (fit < 1) return 1;
    return fit < threads ? (int)fit : threads;
}

static ql_status fit_all(fitting *job, int n, int threads, ql_err *err)
{
    const bool streamed = job->counts->store != NULL; /* is read by one training at a time */
    QL_TRY(QL_NEW(job->errors, n, "the ensemble", err));
    job->threads = streamed ? threads : 1;
    ql_parallel_for(streamed ? 1 : side_by_side(job->counts, job->specs, n, threads), n, fit_item,
                    job);
    for (int i = 0; i < n; i++)
        if (job->status[i] != QL_OK) {
            *err = job->errors[i];
            return job->status[i];
        }
    return QL_OK;
}

/* ---- the whole ---- */

/* The counts without the genes that are empty, and what is known of the file's. */
static ql_status prepare(ql_rows *counts, const ql_member_spec *first, const ql_kern *kern,
                         int threads, fitting *job, ql_prep *prep, ql_split *cells, ql_err *err)
{
    const int64_t *all = first->fit.gene_rank;
    ql_train_options lists = first->fit.train;
    QL_TRY(ql_prep_counts(counts, first->fit.prep, kern, threads, prep, err));
    if (all) {
        QL_TRY(QL_NEW(job->rank, prep->n_kept_genes, "gene order", err));
        for (int64_t g = 0; g < prep->n_kept_genes; g++) job->rank[g] = all[prep->kept_gene[g]];
    }
    lists.molecules = false; /* which cells, without their parts */
    QL_TRY(ql_split_cells(counts, prep, &lists, cells, err));
    job->data.train = cells->train;
    job->data.n_train = cells->n_train;
    return QL_OK;
}

/* The first was fitted to the genes that are kept: its numbers become those of the file's genes. */
static void adopt_genes(ql_prep *file, ql_prep *p)
{
    int64_t *swap = p->kept_gene;
    p->kept_gene = file->kept_gene;
    file->kept_gene = swap;
    p->n_genes = file->n_genes;
}

/* How much better the mixture predicts the reported molecules than the first model alone; alone
 * [cells, QL_N_PREDS]: log-likelihoods of that above the gene means'. */
static void compare(const ql_split *s, const double *alone, const double *mixed, ql_prediction by,
                    ql_mixture_facts *facts)
{
    const ql_csr *held = &s->report_held;
    double sum = 0, molecules = 0, square = 0;
    for (int64_t k = 0; k < ql_csr_nnz(held); k++) molecules += (double)held->data[k];
    if (!(molecules > 0)) return;
    for (int64_t i = 0; i < held->n_rows; i++)
        sum += mixed[i * QL_N_PREDS + by] - alone[i * QL_N_PREDS + by];
    facts->better = sum / molecules;
    for (int64_t i = 0; i < held->n_rows; i++) {
        double n = 0;
        for (int64_t k = held->indptr[i]; k < held->indptr[i + 1]; k++) n += (double)held->data[k];
        const double d =
            mixed[i * QL_N_PREDS + by] - alone[i * QL_N_PREDS + by] - facts->better * n;
        square += d * d;
    }
    facts->better_error = sqrt(square) / molecules;
    facts->scored = true;
}

static ql_status score(ql_fitted *f, double *cell_gain, ql_err *err)
{
    const ql_held_out report = ql_split_report(&f->split);
    return ql_score_cells(&f->ae, &report, f->prep.gene_total, 0, f->theta, &f->score, cell_gain,
                          err);
}

static ql_status weigh(ql_fitted *f, bool posterior, ql_err *err)
{
    const ql_held_out stop = ql_split_stop(&f->split);
    return ql_ensemble_weigh(f, &stop, posterior ? f->theta : NULL, true, err);
}

/* What was measured of the first alone is measured of the mixture. */
static ql_status measure(ql_fitted *f, ql_err *err)
{
    const ql_held_out report = ql_split_report(&f->split);
    QL_TRY(ql_gene_gain_make(f, &report, err));
    return ql_coverage_make(f, &report, err);
}

/* The first alone with its own dispersions, then weights and dispersions in turn, then the whole.
 */
static ql_status mix(ql_fitted *f, ql_member_spec const *specs, const ql_rows *counts, int n,
                     const ql_ensemble_options *opt, ql_err *err)
{
    const int64_t cells = f->split.report_seen.n_rows;
    const ql_prediction by = opt->posterior ? QL_PRED_POSTERIOR : QL_PRED_MEAN;
    const bool scored = f->split.n_valid > 0 && specs[0].fit.train.molecules;
    double *alone = NULL, *mixed = NULL;
    ql_ensemble *e = f->others;
    ql_status st;
    QL_GO(QL_NEW(alone, cells * QL_N_PREDS, "scores", err));
    QL_GO(QL_NEW(mixed, cells * QL_N_PREDS, "scores", err));
    f->ae.company = NULL;
    QL_GO(ql_fitted_theta(f, counts, err));
    if (scored) QL_GO(score(f, alone, err));
    e->facts.alone = f->score.line[by].gain;
    e->facts.alone_error = f->score.stderr_gain[by];
    f->ae.company = &e->company;
    if (opt->share) {
        memcpy(e->facts.share, opt->share, (size_t)n * sizeof *opt->share);
        ql_ensemble_set_shares(e);
    } else {
        QL_GO(ql_fitted_theta(f, counts, err));
        QL_GO(weigh(f, opt->posterior, err));
    }
    QL_GO(ql_fitted_theta(f, counts, err));
    if (specs[0].fit.shrink_genes) QL_GO(ql_shrink_genes(f, counts, err));
    if (scored) QL_GO(score(f, mixed, err));
    if (scored) compare(&f->split, alone, mixed, by, &e->facts);
    if (scored) QL_GO(measure(f, err));
out:
    ql_free(alone);
    ql_free(mixed);
    return st;
}

/* Model i where it is a network. */
static const ql_fitted *fitted_of(const ql_fitted *f, int i)
{
    const ql_member *m = &f->others->member[i];
    if (i == 0) return f;
    return m->kind->network ? m->kind->network(m->state) : NULL;
}

static ql_status assemble(fitting *job, int n, const ql_ensemble_options *opt, ql_prep *prep,
                          ql_err *err)
{
    ql_fitted *f = job->first;
    adopt_genes(prep, &f->prep);
    ql_params_drop_moments(&f->ae.params);
    QL_TRY(ql_ae_set_threads(&f->ae, opt->threads, err));
    QL_TRY(ql_ensemble_begin(f, n, opt->threads, err));
    for (int i = 0; i < n; i++) {
        ql_member *m = &f->others->member[i];
        m->kind = job->specs[i].kind;
        m->state = job->state[i];
        job->state[i] = NULL;
        if (job->specs[i].settings)
            snprintf(m->settings, sizeof m->settings, "%s", job->specs[i].settings);
        if (opt->done) opt->done(opt->ctx, i, &job->specs[i], fitted_of(f, i));
    }
    return mix(f, job->specs, job->counts, n, opt, err);
}

ql_status ql_ensemble_fit(ql_rows *counts, const ql_member_spec *specs, int n,
                          const ql_ensemble_options *opt, const ql_kern *kern,
                          const ql_train_listener *listener, ql_fitted *out, ql_err *err)
{
    ql_prep prep = {0};
    ql_split cells = {0};
    shared_listener shared;
    fitting job = {.counts = counts, .specs = specs, .first = out};
    ql_status st;
    *out = (ql_fitted){0};
    share_listener(&shared, listener);
    job.data = (ql_member_data){.counts = counts, .kern = kern, .listener = &shared.listener};
    QL_GO(prepare(counts, &specs[0], kern, opt->threads, &job, &prep, &cells, err));
    QL_GO(fit_all(&job, n, opt->threads, err));
    QL_GO(assemble(&job, n, opt, &prep, err));
out:
    for (int i = 1; i < n; i++)
        if (job.state[i]) specs[i].kind->free(job.state[i]);
    if (st != QL_OK) ql_fitted_free(out);
    pthread_mutex_destroy(&shared.lock);
    ql_prep_free(&prep);
    ql_split_free(&cells);
    ql_free(job.rank);
    ql_free(job.errors);
    return st;
}

/* All that are done, and the most that those in work take beside. */
static int64_t fitting_bytes(const ql_rows *counts, const ql_member_spec *specs, int n, int threads)
{
    int64_t more[QL_MEMBERS_MOST], sum = 0, held;
    for (int i = 0; i < n; i++) {
        const int64_t extra = bytes_of(counts, specs, i, &held) - held;
        int k = i;
        for (; k > 0 && more[k - 1] < extra; k--) more[k] = more[k - 1];
        more[k] = extra; /* largest first */
        sum += held;
    }
    for (int i = 0; i < n && i < threads; i++) sum += more[i];
    /* the first works with all threads once the others are done */
    return sum + specs[0].kind->bytes(counts, &specs[0]) - bytes_of(counts, specs, 0, &held);
}

int64_t ql_ensemble_bytes(const ql_rows *counts, const ql_member_spec *specs, int n, int threads)
{
    enum { BLOCK = 256 }; /* cells of a merged minibatch of the largest size chosen unasked */
    int64_t cells = 2 * specs[0].fit.train.batch_size;
    if (cells < BLOCK) cells = BLOCK;
    const int64_t sum = fitting_bytes(counts, specs, n, threads);
    /* rates of the members asked side by side, and their sum; or with the counts, when weighed */
    const int wave = threads < n ? threads : n;
    const int64_t rates =
        (2 * (int64_t)wave + 1) * counts->n_cols * cells * (int64_t)sizeof(ql_real);
    return sum + rates + ql_ensemble_weigh_bytes(counts, &specs[0].fit.train, n) +
           n * counts->n_cols * (int64_t)sizeof(ql_real);
}
