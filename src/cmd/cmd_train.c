/* quell train: read counts, train a count autoencoder, write it. */
#include <string.h>

#include "denoise/denoise_output.h"
#include "denoise/mqc.h"
#include "fit/fit_run.h"
#include "quell/h5ad_writer.h"
#include "quell/outlier.h"
#include "quell/reference_make.h"

typedef struct {
    ql_common_args common;
    fit_args fit;
    const char *save_model, *estimate;
    bool force, shrink_genes;
} train_args;

static const char *const estimates[] = {"posterior", "mean", "both", NULL};

#define S train_args
/* clang-format off */
static const ql_option train_rows[] = {
    {.name = "save-model", .letter = 'o', QL_STRING_AT(S, save_model), .unit = "FILE", .group = "Output",
     .bits = QL_OPT_VOLATILE | QL_OPT_REQUIRED, .aliases = "output", .help = "the model file to write"},
    {.name = "force", QL_FLAG_AT(S, force), .group = "Output", .bits = QL_OPT_VOLATILE,
     .help = "replace an existing file"},
    {.name = "shrink-genes", QL_FLAG_AT(S, shrink_genes), .group = "Output",
     .help = "as quell denoise --shrink-genes, which --draws wants"},
    {.name = "estimate", QL_CHOICE_AT(S, estimate), .choices = estimates, .group = "Output",
     .level = QL_OPT_EXPERT, .unset = "by the data applied to",
     .help = "what quell apply puts into layers/denoised"},
    {.name = NULL},
};
/* clang-format on */
#undef S

static ql_status check(const train_args *a, ql_run *run)
{
    for (int i = 0; i < run->n_args; i++)
        QL_TRY(ql_output_check(a->save_model, run->args[i], a->force, &run->err));
    QL_TRY(mqc_check(&a->fit.mqc, run));
    return ql_inputs_check(&a->fit.join, run);
}

static denoise_result result_of(fit_run *f)
{
    const bool posterior = f->options.fit_theta || ql_has_posterior(f->options.ae.likelihood);
    return (denoise_result){.run = f->run,
                            .ds = &f->ds,
                            .rows = &f->rows,
                            .fitted = &f->fitted,
                            .choice = f->candidates,
                            .posterior = posterior};
}

static void report(const fit_run *f, const denoise_result *r)
{
    denoise_report(r, &f->fitted.score, "cells that were not trained on", "heldout");
    if (f->args->model.mcv)
        denoise_report(r, &f->mcv, "all cells, a model of 90 % of their molecules", "mcv");
}

static ql_status write_model(const train_args *a, fit_run *f)
{
    const model_content content = {.args = &a->fit.model,
                                   .genes = &f->ds.genes,
                                   .fitted = &f->fitted,
                                   .choice = f->candidates,
                                   .estimate = a->estimate,
                                   .in_path = f->ds.path,
                                   .force = a->force,
                                   .threads = f->run->threads};
    QL_TRY(ql_reference_make(&f->fitted, &f->rows, &f->run->err));
    QL_TRY(model_file_write(a->save_model, &content, &f->run->err));
    ql_log_info(f->run->log, "wrote %s: a model of %lld genes", a->save_model,
                (long long)f->fitted.prep.n_kept_genes);
    return QL_OK;
}

static ql_status work(const train_args *a, fit_run *f, ql_run *run)
{
    bool done;
    const fit_output output = {.path = a->save_model,
                               .model = true,
                               .scores = QL_OUTLIER_SCORES,
                               .means = a->estimate && !strcmp(a->estimate, "mean")};
    if (!a->fit.plan) QL_TRY(check(a, run));
    QL_TRY(fit_run_begin(f, &a->fit, output, run));
    f->options.shrink_genes = a->shrink_genes;
    QL_TRY(fit_run_read(f, &done));
    if (done) return QL_OK;
    QL_TRY(fit_run_train(f));
    const denoise_result r = result_of(f);
    report(f, &r);
    QL_TRY(write_model(a, f));
    return mqc_write(&a->fit.mqc, &r, &run->err);
}

static ql_status train_run(const void *args, ql_run *run)
{
    fit_run f = {0};
    ql_status st = fit_run_end(&f, work(args, &f, run));
    fit_run_free(&f);
    return st;
}

static const ql_opt_table train_tables[] = {
    {train_rows, 0},
    FIT_TABLES(train_args, fit),
    {ql_kind_rows, offsetof(train_args, fit.model)},
    {NULL, 0},
};

static const ql_positional train_positionals[] = {
    {"INPUT...", "count matrices, in any format that can be read; several are joined"},
    {NULL, NULL},
};

const ql_command ql_cmd_train = {
    .name = "train",
    .group = "Models",
    .summary = "train a model on a count matrix and save it",
    .positionals = train_positionals,
    .examples = {{"quell train atlas.h5ad --save-model atlas.quell.h5",
                  "train once; quell apply then takes seconds"},
                 {"quell train more.h5ad --init-from atlas.quell.h5 -o more.quell.h5",
                  "go on training with other cells"}},
    .tables = train_tables,
    .presets = ql_model_presets,
    QL_ARGS(train_args),
    .run = train_run,
};
