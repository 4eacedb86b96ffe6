/* quell apply: denoise and embed cells with a model that was trained before. */
#include <math.h>
#include <string.h>

#include "denoise/denoise_job.h"
#include "denoise/denoise_layers.h"
#include "embed/scdha_file.h"
#include "fit/gene_match.h"
#include "quell/alloc.h"

enum { BATCH = 128 }; /* decides no value */

#define S denoise_args
/* clang-format off */
static const ql_option apply_rows[] = {
    {.name = "load-model", .letter = 'm', QL_STRING_AT(S, load_model), .unit = "FILE", .group = "Model",
     .bits = QL_OPT_VOLATILE | QL_OPT_REQUIRED, .help = "the model: a file of quell train"},
    {.name = "score", QL_FLAG_AT(S, score), .def = "yes", .group = "Model", .bits = QL_OPT_VOLATILE,
     .help = "say how well the model predicts held-out molecules",
     .more = "A tenth of the molecules of at most 10000 cells is predicted from the others."},
    {.name = "shard", QL_STRING_AT(S, shard), .unit = "I/N", .group = "Output", .bits = QL_OPT_VOLATILE,
     .unset = "all cells", .help = "write part I of N of the cells, for quell merge",
     .more = "The parts can be made at the same time, on several machines; I counts from 1. A part has the "
             "results of its cells and no counts. --score is left out."},
    {.name = NULL},
};
/* clang-format on */
#undef S

/* Warn when genes that are missing held more of the training molecules than this. */
#define WARN_SHARE 0.05

typedef struct {
    denoise_args args; /* with the model's options in place of those of the command line */
    denoise_job job;
    model_file model;
    gene_match match;
    denoise_applied applied;
    ensemble_specs *models; /* of an ensemble, under the options of this run; owned */
    ql_str options;         /* the model's, as JSON */
    shard_marks marks;
} apply_job;

static void release(apply_job *a)
{
    denoise_job_free(&a->job);
    gene_match_free(&a->match);
    model_file_free(&a->model);
    ql_free(a->models);
    ql_str_free(&a->options);
}

/* What concerns training is of no concern here, and inference is float32 on any processor. */
static void adopt_options(apply_job *a)
{
    model_args *m = &a->args.fit.model;
    *m = a->model.args;
    m->precision = "float32";
    m->mcv = false;
    m->input_thin = m->input_dropout = 0;
    m->corrupt = m->pretrain = "none";
    m->corrupt_strength = NAN;
    m->gene_order = NULL; /* the model has the places */
    m->batch_size = BATCH;
    m->validation = a->args.score ? 1 : 0; /* the score takes the memory that validation would */
    if (!a->args.estimate) a->args.estimate = a->model.estimate;
    ql_options_json(a->model.opts, false, &a->options);
}

static void tell_model(const apply_job *a)
{
    const ql_fit_options *fit = &a->model.fit;
    ql_str hidden = {0};
    for (int i = 0; i < fit->ae.n_hidden; i++)
        ql_str_printf(&hidden, i ? "-%lld" : "%lld", (long long)fit->ae.hidden[i]);
    ql_log_info(a->job.run->log, "model: %s, %s, hidden layers %s, %lld genes, by quell %s",
                a->model.path, fit->ae.likelihood->name, ql_str_text(&hidden),
                (long long)a->model.genes->n, a->model.version);
    ql_str_free(&hidden);
}

static void tell_genes(const apply_job *a)
{
    const gene_match *g = &a->match;
    ql_logger *log = a->job.run->log;
    const int64_t found = g->by_name + g->by_id;
    ql_log_info(log, "genes: %lld of the model's %lld are in the data (%lld by name, %lld by id)",
                (long long)found, (long long)g->n_model, (long long)g->by_name,
                (long long)g->by_id);
    if (g->n_file > found)
        ql_log_info(log, "genes: %lld of the data are not in the model and are ignored",
                    (long long)(g->n_file - found));
    ql_summary_int(a->job.run->summary, "model_genes", g->n_model);
    ql_summary_int(a->job.run->summary, "missing_genes", g->n_model - found);
    if (g->n_model == found) return;
    const double share = 100 * g->missing_share;
    if (g->missing_share > WARN_SHARE)
        ql_log_warn(log,
                    "%lld genes of the model are not in the data and count as 0; they held %.1f %% "
                    "of the molecules it was trained on: expect poorer results",
                    (long long)(g->n_model - found), share);
    else
        ql_log_info(log,
                    "genes: %lld of the model are not in the data and count as 0 (%.2f %% of the "
                    "molecules it was trained on)",
                    (long long)(g->n_model - found), share);
}

/* Cells that the score looks at: spread evenly over those with counts. */
static ql_status chosen_cells(const ql_prep *prep, int64_t **out, int64_t *n, ql_err *err)
{
    *n = prep->n_kept_cells < QL_VALID_CELLS ? prep->n_kept_cells : QL_VALID_CELLS;
    QL_TRY(QL_NEW(*out, *n, "cells of the score", err));
    for (int64_t i = 0; i < *n; i++) (*out)[i] = prep->kept_cell[i * prep->n_kept_cells / *n];
    return QL_OK;
}

static ql_status score(fit_run *f)
{
    ql_err *err = &f->run->err;
    ql_fitted *m = &f->fitted;
    ql_csr seen = {0}, held = {0};
    int64_t *cells = NULL, n = 0;
    ql_status st;
    QL_GO(chosen_cells(&m->prep, &cells, &n, err));
    QL_GO(ql_thin_rows(&f->rows, cells, n, QL_HELD_SHARE, f->options.train.seed, QL_RNG_THIN, &seen,
                       &held, err));
    const ql_held_out parts = {&seen, &held, cells};
    QL_GO(ql_fitted_judge(m, &parts, err));
out:
    ql_free(cells);
    ql_csr_free(&seen);
    ql_csr_free(&held);
    return st;
}

/* A part is written as an h5ad alone, of one input. */
static ql_status check_shard(const apply_job *a)
{
    const denoise_args *args = &a->args;
    ql_err *err = &a->job.run->err;
    if (!args->shard) return QL_OK;
    if (args->tsv || args->obs_out || args->obsm_out || args->layer_out || !args->output)
        return ql_fail(
            err, QL_EUSAGE,
            "--shard writes a part with -o; --tsv, --obs-out, --obsm-out and --layer-out "
            "are for all cells");
    if (a->job.run->n_args == 1) return QL_OK;
    ql_fail(err, QL_EUSAGE, "--shard takes one input");
    return ql_hint(err, QL_EUSAGE, "quell convert joins several");
}

/* Cells of other parts are predicted by those. */
static void keep_shard(const apply_job *a, ql_prep *p)
{
    const cell_range r = shard_range(a->job.shard, p->n_cells);
    int64_t n = 0;
    for (int64_t i = 0; i < p->n_kept_cells; i++) {
        const int64_t cell = p->kept_cell[i];
        if (cell >= r.first && cell < r.first + r.n) p->kept_cell[n++] = cell;
    }
    p->n_kept_cells = n;
}

static ql_status write_header(void *ctx, ql_h5ad_writer *w, ql_err *err)
{
    const apply_job *a = ctx;
    shard_header h = {.spec = a->job.shard,
                      .n_cells = a->job.fit.ds.counts.n_rows,
                      .marks = &a->marks,
                      .opts = a->job.run->opts};
    QL_TRY(ql_denoise_deflate(&a->args, &h.deflate, err));
    return shard_write_header(&h, w, err);
}

static ql_status begin_shard(apply_job *a)
{
    denoise_job *j = &a->job;
    const cell_range r = shard_range(j->shard, j->fit.ds.counts.n_rows);
    if (j->shard.of == 0) return QL_OK;
    j->write_more = write_header;
    j->ctx = a;
    ql_log_info(j->run->log, "part %lld of %lld: %lld of %lld cells, from cell %lld on",
                (long long)j->shard.number, (long long)j->shard.of, (long long)r.n,
                (long long)j->fit.ds.counts.n_rows, (long long)r.first);
    return shard_marks_make(&j->fit.ds, a->args.load_model, &a->marks, &j->run->err);
}

static ql_status take_model(apply_job *a)
{
    fit_run *f = &a->job.fit;
    ql_err *err = &f->run->err;
    const ql_gene_places places = {a->match.n_model, a->match.place, a->match.n_file};
    QL_TRY(ql_rows_pick(&f->rows, a->match.map, a->match.n_model, err));
    QL_TRY(
        ql_fitted_take(&a->model.bundle, &f->options, &f->rows, &places, f->kern, &f->fitted, err));
    if (a->models) {
        ensemble_specs_covariates(a->models, &f->options);
        QL_TRY(ql_ensemble_take(&a->model.bundle, a->models->spec, a->models->n, &f->rows, &places,
                                f->kern, f->run->threads, &f->fitted, err));
    }
    f->candidates = a->model.choice; /* what was compared is written again */
    a->model.choice = NULL;
    if (f->fitted.prep.n_kept_cells < f->fitted.prep.n_cells)
        ql_log_info(f->run->log, "set aside: %lld cells without counts in the model's genes",
                    (long long)(f->fitted.prep.n_cells - f->fitted.prep.n_kept_cells));
    keep_shard(a, &f->fitted.prep);
    ql_summary_int(f->run->summary, "cells", f->fitted.prep.n_cells);
    ql_summary_int(f->run->summary, "genes", f->fitted.prep.n_genes);
    return a->args.score && f->ds.is_counts ? score(f) : QL_OK;
}

static ql_status match_genes(apply_job *a)
{
    fit_run *f = &a->job.fit;
    QL_TRY(gene_match_make(&a->model, &f->ds.genes, &a->match, &f->run->err));
    tell_genes(a);
    a->applied = (denoise_applied){
        .genes = a->model.genes,
        .n_missing = a->match.n_model - a->match.by_name - a->match.by_id,
        .options = ql_str_text(&a->options),
        .version = a->model.version,
    };
    a->job.applied = &a->applied;
    return QL_OK;
}

/* The model is an input too, which no output may replace. */
static ql_status check_outputs(const apply_job *a)
{
    const denoise_args *args = &a->args;
    QL_TRY(denoise_job_check(&a->job));
    QL_TRY(check_shard(a));
    if (!args->output) return QL_OK;
    return ql_output_check(args->output, args->load_model, args->force, &a->job.run->err);
}

/* Models of quell 0.3.0's first days know nothing of the cells they were trained on. */
static ql_status check_reference(const apply_job *a)
{
    const unsigned wanted = EXTRA_BIT(EXTRA_DISTANCE) | EXTRA_BIT(EXTRA_OUTLIER);
    if (!(a->job.which & wanted) || ql_reference_is_in(&a->model.bundle)) return QL_OK;
    ql_fail(&a->job.run->err, QL_EDATA,
            "%s: does not know the cells it was trained on, which --write distance and outlier "
            "compare with",
            a->args.load_model);
    return ql_hint(&a->job.run->err, QL_EDATA, "train it again with this quell");
}

static ql_status work(apply_job *a)
{
    bool done;
    denoise_job *j = &a->job;
    QL_TRY(shard_parse(a->args.shard, &j->shard, &j->run->err));
    if (a->args.shard) a->args.score = false;
    if (!a->args.fit.plan) QL_TRY(check_outputs(a));
    QL_TRY(model_file_read(a->args.load_model, j->run->threads, &a->model, &j->run->err));
    adopt_options(a);
    QL_TRY(ensemble_specs_read(&a->model.bundle, &a->args.fit.model, 1, &a->models, &j->run->err));
    QL_TRY(denoise_job_extras(j));
    QL_TRY(check_reference(a));
    const fit_output output = {.path = a->args.output,
                               .layer = denoise_writes_layers(&a->args, j->which),
                               .scores = extras_scores(j->which),
                               .text = a->args.tsv != NULL,
                               .columns = a->args.obs_out != NULL,
                               .model = true,
                               .models = a->models,
                               .model_genes = a->model.genes->n};
    QL_TRY(fit_run_begin(&j->fit, &a->args.fit, output, j->run));
    j->fit.cov = a->model.cov; /* which it fills in with what the cells say */
    a->model.cov = (ql_covariates){0};
    j->fit.cov_free = a->args.decode_as && !j->fit.options.ae.vae.encode_covariates;
    if (!a->args.fit.plan) tell_model(a);
    QL_TRY(fit_run_read(&j->fit, &done));
    if (done) return QL_OK;
    QL_TRY(match_genes(a));
    QL_TRY(begin_shard(a));
    QL_TRY(denoise_job_begin(j));
    QL_TRY(take_model(a));
    return denoise_job_write(j);
}

static ql_status apply_run(const void *args, ql_run *run)
{
    char kind[MODEL_KIND];
    apply_job a = {.args = *(const denoise_args *)args};
    QL_TRY(model_file_kind(a.args.load_model, kind, &run->err));
    if (strcmp(kind, SCDHA_KIND) == 0) return scdha_apply(&a.args, run);
    a.job.a = &a.args;
    a.job.run = run;
    ql_status st = work(&a);
    release(&a);
    return st;
}

static const ql_opt_table apply_tables[] = {
    {apply_rows, 0},
    {ql_denoise_rows, 0},
    {fit_rows, offsetof(denoise_args, fit)},
    {mqc_rows, offsetof(denoise_args, fit.mqc)},
    {ql_join_outer_rows, offsetof(denoise_args, fit.join)},
    {ql_read_rows, offsetof(denoise_args, fit.read)},
    {NULL, 0},
};

static const ql_positional apply_positionals[] = {
    {"INPUT...", "count matrices, in any format that can be read; several are joined"},
    {NULL, NULL},
};

const ql_command ql_cmd_apply = {
    .name = "apply",
    .group = "Models",
    .summary = "denoise and embed cells with a saved model",
    .positionals = apply_positionals,
    .examples = {{"quell apply new.h5ad --load-model atlas.quell.h5 -o new.dca.h5ad",
                  "the latent space and denoised counts of new cells, without training"},
                 {"quell apply new.h5 -m atlas.quell.h5 -o new.h5ad --no-denoised",
                  "the latent space alone"}},
    .tables = apply_tables,
    QL_ARGS(denoise_args),
    .run = apply_run,
    .more = "Genes are matched by name, else by id (a column gene_ids), in any order. Genes of the "
            "model "
            "that the data do not have count as 0 and get none of the molecules; genes that the "
            "model does not have are ignored.",
};
