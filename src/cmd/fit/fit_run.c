#include "fit_run.h"

#include "../input/duration.h"
#include "ensemble_run.h"
#include "fit_tell.h"
#include "model_fit.h"
#include "quell/alloc.h"

static const char *const plans[] = {"text", "json", NULL};

#define S fit_args
/* clang-format off */
const ql_option fit_init_rows[] = {
    {.name = "init-from", QL_STRING_AT(S, init_from), .unit = "FILE", .group = "Training",
     .bits = QL_OPT_VOLATILE, .help = "start from the weights of a saved model",
     .more = "Genes are matched by name; genes, cells and options may be others. What does not fit starts "
             "anew, and is said."},
    {.name = NULL},
};

const ql_option fit_rows[] = {
    {.name = "allow-noncounts", QL_FLAG_AT(S, allow_noncounts), .group = "Input",
     .aliases = "nocheckcounts,!checkcounts", .help = "accept entries that are not whole numbers"},

    {.name = "plan", QL_CHOICE_AT(S, plan), .choices = plans, .bare = "text", .group = "Run",
     .bits = QL_OPT_VOLATILE, .unset = "not asked for",
     .help = "say how much memory the run needs, and stop",
     .more = "json: one object with the bytes needed in memory and streamed, the cells, genes and "
             "nonzeros, the bytes of the cache file and the threads."},
    {.name = "tmpdir", QL_STRING_AT(S, tmpdir), .unit = "DIR", .group = "Run", .bits = QL_OPT_VOLATILE,
     .unset = "TMPDIR, else the output's folder", .help = "where a matrix goes that memory does not hold",
     .more = "The file has no name there and goes with the program, however it ends."},
    {.name = "stream", QL_FLAG_AT(S, stream), .group = "Run", .level = QL_OPT_EXPERT,
     .bits = QL_OPT_VOLATILE, .help = "keep the counts in a file even if memory holds them",
     .more = "Results do not depend on it."},
    {.name = NULL},
};
/* clang-format on */
#undef S

static void on_epoch(void *ctx, int64_t number, const ql_epoch *e, bool best)
{
    const fit_run *f = ctx;
    ql_progress p = QL_PROGRESS("train", "epoch", (double)number, (double)f->options.train.epochs);
    p.may_stop = true;
    p.loss = e->loss;
    p.validation = e->validation;
    p.before = (double)f->states.before;
    p.cells = (number - f->states.before) * f->ds.counts.n_rows;
    ql_log_progress(f->run->log, &p);
    ql_log_metric(f->run->log, number, "loss", e->loss);
    ql_log_metric(f->run->log, number, "validation", e->validation);
    (void)best;
}

static void on_warning(void *ctx, const char *text)
{
    const fit_run *f = ctx;
    ql_log_warn(f->run->log, "%s", text);
}

/* One fit of the run, to all molecules or to a part. */
typedef struct {
    fit_run *f;
    ql_train_listener listener;
    bool tell; /* of the models of an ensemble */
} fit_call;

static ql_status run_call(void *ctx, ql_rows *counts, ql_fitted *out, ql_err *err)
{
    const fit_call *c = ctx;
    fit_run *f = c->f;
    if (f->specs) return ensemble_fit(f, counts, c->tell, &c->listener, out, err);
    return ql_fit(counts, &f->options, f->kern, &c->listener, out, err);
}

static ql_status cross_validate(fit_run *f, fit_call *c)
{
    const ql_fit_call fit = {run_call, c};
    if (!f->args->model.mcv || !f->ds.is_counts) return QL_OK;
    c->listener.keeper = checkpoint_keeper(&f->states, CHECKPOINT_MCV);
    QL_TRY(ql_cross_validate(&f->rows, f->options.train.seed, &fit, &f->mcv, &f->run->err));
    ql_log_progress_end(f->run->log);
    return QL_OK;
}

ql_status fit_run_train(fit_run *f)
{
    fit_call c = {.f = f, .listener = {on_epoch, on_warning, f, NULL}};
    fit_tell_model(f);
    QL_TRY(auto_choose(f));
    QL_TRY(checkpoint_name(&f->states, &f->rows, f->bf16_how));
    QL_TRY(cross_validate(f, &c));
    c.listener.keeper = checkpoint_keeper(&f->states, CHECKPOINT_FIT);
    c.tell = true;
    QL_TRY(run_call(&c, &f->rows, &f->fitted, &f->run->err));
    ql_log_progress_end(f->run->log);
    fit_tell_fitted(f);
    return QL_OK;
}

/* Of --auto and --ensemble; of a model that comes from a file they are known. */
static ql_status make_models(fit_run *f)
{
    const model_args *m = &f->args->model;
    ql_err *err = &f->run->err;
    if (f->output.model_genes) return QL_OK;
    if (m->time_budget && !m->automatic)
        return ql_fail(err, QL_EUSAGE, "--time-budget is of --auto");
    if (m->time_budget) QL_TRY(duration_read("time-budget", m->time_budget, &f->budget, err));
    if (m->automatic && m->ensemble > 1)
        return ql_fail(err, QL_EUSAGE, "--auto chooses the models: leave out --ensemble");
    if (m->automatic)
        return auto_candidates(m, f->output.decode_as, f->run->threads, &f->candidates, err);
    return m->ensemble > 1 ? ensemble_specs_make(m, f->run->threads, &f->specs, err) : QL_OK;
}

static ql_status choose_kernels(fit_run *f)
{
    ql_kern bf16;
    QL_TRY(ql_kern_select(&f->kern, &f->run->err));
    if (!f->options.ae.bf16 || ql_kern_bf16(f->kern, &bf16, &f->bf16_how)) return QL_OK;
    return ql_fail(&f->run->err, QL_EUSAGE,
                   "--precision bf16 needs a processor with AMX or AVX512-BF16");
}

ql_status fit_run_begin(fit_run *f, const fit_args *args, fit_output output, ql_run *run)
{
    *f = (fit_run){.args = args, .output = output, .run = run};
    if (args->model.input_thin > 0 && args->allow_noncounts)
        return ql_fail(&run->err, QL_EUSAGE,
                       "--input-thinning splits molecules and needs whole counts");
    QL_TRY(dca_args_check(&args->dca, &args->model, run));
    QL_TRY(model_args_check(&args->model, &run->err));
    model_fit_options(&args->model, run->threads, &f->options);
    if (ql_corrupt_lost(&f->options.ae.corrupt) > 0 && args->allow_noncounts)
        return ql_fail(&run->err, QL_EUSAGE,
                       "--corrupt thin splits molecules and needs whole counts");
    QL_TRY(ql_ae_check(&f->options.ae, &run->err));
    QL_TRY(make_models(f));
    QL_TRY(checkpoint_begin(&f->states, &args->checkpoint, run));
    f->options.resumable = args->checkpoint.dir != NULL;
    if (args->init_from) {
        f->output.model = true;
        QL_TRY(model_start_open(&f->start, args->init_from, &f->ds.genes, run, &f->options));
    }
    return choose_kernels(f);
}

ql_status fit_run_reconfigure(fit_run *f)
{
    const ql_fit_options old = f->options;
    model_fit_options(&f->args->model, f->run->threads, &f->options);
    f->options.train.molecules = old.train.molecules;
    f->options.resumable = old.resumable;
    f->options.shrink_genes = old.shrink_genes;
    f->options.start = old.start;
    f->options.gene_rank = old.gene_rank;
    f->options.cov = old.cov;
    f->options.ae.vae.cov = old.ae.vae.cov;
    ql_free(f->specs);
    ql_free(f->candidates);
    f->specs = NULL;
    f->candidates = NULL;
    return make_models(f);
}

ql_status fit_run_end(fit_run *f, ql_status st)
{
    return f->states.args ? checkpoint_end(&f->states, st) : st;
}

void fit_run_free(fit_run *f)
{
    checkpoint_free(&f->states);
    ql_fitted_free(&f->fitted);
    model_start_free(&f->start);
    ql_dataset_free(&f->ds);
    ql_str_free(&f->folder);
    ql_free(f->gene_rank);
    ql_covariates_free(&f->cov);
    ql_free(f->specs);
    ql_free(f->candidates);
    ql_notes_free(&f->notes);
}
