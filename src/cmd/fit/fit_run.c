#include "fit_run.h"

#include <stdlib.h>
#include <string.h>

#include "cell_covariates.h"
#include "../input/duration.h"
#include "ensemble_run.h"
#include "../input/gene_order.h"
#include "memory_plan.h"
#include "quell/alloc.h"
#include "quell/clock.h"

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

/* Folder of the cache: what was asked for, else the system's choice, else that of the output. */
static const char *cache_folder(fit_run *f)
{
    const char *system = getenv("TMPDIR"), *output = f->output.path;
    const char *slash = output ? strrchr(output, '/') : NULL;
    if (f->args->tmpdir) return f->args->tmpdir;
    if (system && *system) return system;
    if (!slash) return ".";
    ql_str_clear(&f->folder);
    ql_str_printf(&f->folder, "%.*s", slash == output ? 1 : (int)(slash - output), output);
    return ql_str_text(&f->folder);
}

static int64_t bytes_beside(const fit_run *f, const ql_read_sizes *z)
{
    const int64_t model = f->output.model_genes;
    const ql_rows shape = {.n_rows = z->n_rows,
                           .n_cols = z->n_cols > model ? z->n_cols : model,
                           .nnz = z->nnz,
                           .max_row = z->max_row};
    return f->output.beside ? f->output.beside(f->output.beside_ctx, &shape, &f->options) : 0;
}

static memory_plan plan_of(const fit_run *f, const ql_read_sizes *sizes, int64_t names)
{
    const planned_output out = {
        .layer = f->output.layer,
        .text = f->output.text,
        .mcv = f->args->model.mcv,
        .trials = f->output.trials || !strcmp(f->args->model.type, "auto"),
        .held = ql_bundle_bytes(&f->start.model.bundle) + bytes_beside(f, sizes),
        .model_genes = f->output.model_genes,
        .scores = f->output.scores,
        .candidates = f->candidates ? &f->candidates->specs : NULL,
        .models = f->specs ? f->specs : f->output.models,
        .components = f->output.components,
        .scdha = f->output.scdha,
    };
    return memory_plan_of(&out, &f->options, sizes, names);
}

/* With what is known now that the counts are read; of sizes only what reading holds. */
static memory_plan plan_of_counts(const fit_run *f, ql_read_sizes sizes)
{
    const ql_names *cells = &f->ds.cells.index, *genes = &f->ds.genes.index;
    int64_t names = cells->cap_bytes + 8 * cells->cap_n + 3 * (genes->cap_bytes + 8 * genes->cap_n);
    sizes.n_rows = f->rows.n_rows;
    sizes.n_cols = f->rows.n_cols;
    sizes.nnz = f->rows.nnz;
    sizes.max_row = f->rows.max_row;
    return plan_of(f, &sizes, names);
}

/* Of the rest of the run. */
static memory_plan final_plan(const fit_run *f)
{
    memory_plan p = plan_of_counts(f, (ql_read_sizes){.streams = f->ds.store != NULL});
    if (f->ds.store) memory_plan_store(&p, f->ds.store);
    return p;
}

/* Of another run of the same input, which tells no sizes before it is read. */
static memory_plan plan_next(const fit_run *f, const ql_read_sizes *read)
{
    memory_plan p = plan_of_counts(f, (ql_read_sizes){.streams = read->streams,
                                                      .band_bytes = read->band_bytes,
                                                      .sort_bytes = read->sort_bytes});
    int64_t *took = f->ds.store ? &p.stream : &p.memory;
    if (*took < ql_peak_rss()) *took = ql_peak_rss();
    return p;
}

static void tell_matrix(const fit_run *f)
{
    ql_log_info(f->run->log, "%s: %s, matrix %s, %lld cells x %lld genes, %lld nonzero entries",
                f->ds.path, f->ds.format, f->ds.matrix, (long long)f->rows.n_rows,
                (long long)f->rows.n_cols, (long long)f->rows.nnz);
}

/* Several inputs are joined in memory. */
static ql_status read_as(fit_run *f, const ql_read_options *opt, int64_t near, bool stream)
{
    ql_err *err = &f->run->err;
    if (!stream || f->run->n_args > 1) {
        QL_TRY(ql_inputs_read(&f->args->join, opt, f->run, &f->ds, &f->notes));
        f->rows = ql_dataset_rows(&f->ds);
        return QL_OK;
    }
    QL_TRY(ql_read_streamed(f->run->args[0], opt, cache_folder(f), near, &f->ds, &f->notes, err));
    f->rows = ql_dataset_rows(&f->ds);
    ql_log_notes(f->run->log, &f->notes);
    tell_matrix(f);
    return QL_OK;
}

/* Sizes, where one input tells them. */
static ql_status measure(const fit_run *f, const ql_read_options *opt, ql_read_sizes *sizes)
{
    *sizes = (ql_read_sizes){0};
    return f->run->n_args > 1 ? QL_OK : ql_read_measure(f->run->args[0], opt, sizes, &f->run->err);
}

/* Of a matrix of which nothing is known but a guess: in bands if it may not fit, which costs
 * little, and once more in bands if it turns out not to. */
static ql_status read_unknown(fit_run *f, const ql_read_options *opt, const ql_read_sizes *sizes,
                              bool stream)
{
    enum { NEAR = 64 << 20, SHARE = 8 }; /* of the counts that training holds */
    const int64_t budget = f->run->memory;
    const int64_t near = budget > 0 && budget / SHARE < NEAR ? budget / SHARE : NEAR;
    ql_err *err = &f->run->err;
    if (budget > 0 && sizes->streams && sizes->whole_bytes > budget) stream = true;
    ql_status st = read_as(f, opt, near, stream);
    if (st != QL_EMEMORY || f->run->n_args > 1) return st;
    if (!stream) {
        *err = (ql_err){0};
        ql_notes_free(&f->notes);
        st = read_as(f, opt, near, true);
    }
    if (st != QL_EMEMORY || sizes->streams) return st;
    return ql_hint(err,
                   "the input is read whole; as an h5ad with csr counts (quell convert) it can be "
                   "read in pieces");
}

static ql_status order_genes(fit_run *f)
{
    const char *path = f->args->model.gene_order;
    const ql_names *genes = &f->ds.genes.index;
    int64_t n_missing;
    if (!path) return QL_OK;
    QL_TRY(gene_order_read(path, genes, &f->gene_rank, &n_missing, &f->run->err));
    f->options.gene_rank = f->gene_rank;
    ql_log_info(f->run->log, "%s: places %lld genes; %lld are not in it and go last", path,
                (long long)(genes->n - n_missing), (long long)n_missing);
    return QL_OK;
}

static bool has_covariates(const fit_run *f)
{
    const ql_cov_shape *s = &f->options.ae.vae.cov;
    return s->n > 0 || s->n_labels > 0;
}

/* What the cells' columns say: of a model that is trained it is found out here, of one that comes
 * from a file f->cov says what is known. */
static ql_status read_covariates(fit_run *f)
{
    const vae_args *a = &f->args->model.vae;
    const ql_frame *cells = &f->ds.cells;
    ql_err *err = &f->run->err;
    if (!has_covariates(f)) return QL_OK;
    if (f->cov.n == 0 && f->cov.labels.n == 0)
        QL_TRY(cell_covariates_read(a, cells, &f->cov, err));
    else
        QL_TRY(cell_covariates_match(a, cells, f->cov_free, &f->cov, err));
    cell_covariates_tell(&f->cov, f->run->log);
    f->options.cov = &f->cov;
    f->options.ae.vae.cov = ql_covariates_shape(&f->cov);
    return ql_ae_check(&f->options.ae, err);
}

ql_status fit_run_read(fit_run *f, bool *done)
{
    ql_read_options opt;
    ql_read_sizes sizes;
    bool stream = f->args->stream;
    ql_err *err = &f->run->err;
    QL_TRY(ql_read_args_options(&f->args->read, f->run->threads, &opt, err));
    opt.allow_noncounts = f->args->allow_noncounts;
    opt.columns = f->output.columns || f->output.model || has_covariates(f);
    QL_TRY(measure(f, &opt, &sizes));
    memory_plan p = plan_of(f, &sizes, 0);
    *done = f->args->plan && sizes.n_rows > 0;
    if (*done) return memory_plan_print(&p, f->args->plan, f->run);
    ql_status st = QL_OK;
    if (sizes.n_rows > 0) st = memory_plan_choose(&p, stream, f->run, &stream);
    if (st == QL_EMEMORY && sizes.rough && sizes.streams) {
        stream = true; /* reading in bands will tell how large it is */
        *err = (ql_err){0};
        st = QL_OK;
    }
    if (st != QL_OK) return st;
    st =
        sizes.n_rows > 0 ? read_as(f, &opt, p.near, stream) : read_unknown(f, &opt, &sizes, stream);
    if (st != QL_OK) return st;
    *done = f->args->plan != NULL;
    p = *done ? plan_next(f, &sizes) : final_plan(f);
    if (*done) return memory_plan_print(&p, f->args->plan, f->run);
    QL_TRY(memory_plan_choose(&p, f->ds.store != NULL, f->run, &stream));
    if (stream && !f->ds.store) {
        QL_TRY(ql_dataset_stream(&f->ds, cache_folder(f), p.near, err));
        f->rows = ql_dataset_rows(&f->ds);
        p.cache = ql_store_bytes(f->ds.store);
    }
    f->options.train.molecules = f->ds.is_counts;
    memory_plan_tell(&p, stream, stream ? ql_store_folder(f->ds.store) : NULL, f->run);
    QL_TRY(read_covariates(f));
    return order_genes(f);
}

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

static void tell_model(const fit_run *f)
{
    const ql_ae_config *c = &f->options.ae;
    ql_str hidden = {0};
    for (int i = 0; i < c->n_hidden; i++)
        ql_str_printf(&hidden, i ? "-%lld" : "%lld", (long long)c->hidden[i]);
    ql_log_info(f->run->log,
                "model: %s, hidden layers %s, %s, seed %lld, %d threads (%s), %s kernels%s%s",
                c->likelihood->name, ql_str_text(&hidden), c->optimizer->name, (long long)c->seed,
                f->run->threads, f->run->threads_from, f->kern->isa,
                f->bf16_how ? ", products in bfloat16 by " : "", f->bf16_how ? f->bf16_how : "");
    ql_str_free(&hidden);
}

/* A penalty's weight means nothing without what it is weighed against. */
static void tell_penalties(const fit_run *f)
{
    const ql_ae_config *c = &f->options.ae;
    if (!ql_ae_has_penalty(c)) return;
    ql_log_info(f->run->log,
                "penalties are weighed against the mean loss of %s and are part of the training "
                "loss (of the validation loss those of the weights)",
                c->mean_loss ? "an entry" : "a cell, the sum over its genes,");
}

static void tell_code(const fit_run *f)
{
    const ql_code_use *u = &f->fitted.code;
    if (u->n_units == 0) return;
    ql_log_info(f->run->log,
                "code: %.1f %% of the values are 0, %lld of %lld units are 0 in every cell, mean "
                "%.4g",
                100 * u->near_zero, (long long)u->dead, (long long)u->n_units, u->mean);
    ql_summary_double(f->run->summary, "code_near_zero", u->near_zero);
    ql_summary_int(f->run->summary, "code_dead_units", u->dead);
    ql_summary_double(f->run->summary, "code_mean", u->mean);
}

static void tell_latent(const fit_run *f)
{
    const ql_latent_use *u = &f->fitted.latent;
    ql_str units = {0};
    if (u->n_units == 0) return;
    for (int64_t i = 0; i < u->n_units; i++)
        ql_str_printf(&units, "%s%.2f", i ? ", " : "", u->kl[i]);
    ql_log_info(f->run->log,
                "code: divergence %.3f nats a cell (units: %.400s), %lld of %lld units active",
                u->total, ql_str_text(&units), (long long)u->active, (long long)u->n_units);
    if (f->fitted.ae.library.n_groups > 0) {
        ql_log_info(f->run->log, "library size: divergence %.3f nats a cell", u->library);
        ql_summary_double(f->run->summary, "kl_library", u->library);
    }
    if (f->fitted.second.n_units > 0) {
        const ql_latent_use *second = &f->fitted.second;
        ql_log_info(f->run->log,
                    "second code: divergence %.3f nats a cell, %lld of %lld units active",
                    second->total, (long long)second->active, (long long)second->n_units);
        ql_summary_double(f->run->summary, "kl2", second->total);
        ql_summary_int(f->run->summary, "active_units2", second->active);
    }
    ql_summary_double(f->run->summary, "kl", u->total);
    ql_summary_int(f->run->summary, "active_units", u->active);
    ql_str_free(&units);
}

static void tell_training(const fit_run *f)
{
    const ql_fitted *m = &f->fitted;
    const ql_prep *p = &m->prep;
    if (p->n_kept_genes < p->n_genes || p->n_kept_cells < p->n_cells)
        ql_log_info(f->run->log, "set aside: %lld genes and %lld cells without counts",
                    (long long)(p->n_genes - p->n_kept_genes),
                    (long long)(p->n_cells - p->n_kept_cells));
    ql_log_info(f->run->log,
                "trained %lld epochs of %lld cells in minibatches of %lld (%s; best epoch %lld, "
                "validation %.6f)",
                (long long)m->result.n_epochs, (long long)m->split.n_train,
                (long long)m->train.batch_size, m->result.stopped, (long long)m->result.best + 1,
                m->result.n_epochs ? m->result.history[m->result.best].validation : 0);
    ql_summary_int(f->run->summary, "cells", p->n_cells);
    ql_summary_int(f->run->summary, "genes", p->n_genes);
    ql_summary_int(f->run->summary, "epochs", m->result.n_epochs);
    ql_summary_int(f->run->summary, "best_epoch", m->result.best + 1);
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
    tell_model(f);
    tell_penalties(f);
    QL_TRY(auto_choose(f));
    QL_TRY(checkpoint_name(&f->states, &f->rows, f->bf16_how));
    QL_TRY(cross_validate(f, &c));
    c.listener.keeper = checkpoint_keeper(&f->states, CHECKPOINT_FIT);
    c.tell = true;
    QL_TRY(run_call(&c, &f->rows, &f->fitted, &f->run->err));
    ql_log_progress_end(f->run->log);
    tell_training(f);
    if (f->specs) ensemble_tell(f);
    tell_code(f);
    tell_latent(f);
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
