/* quell apply with a model of scDHA: latent spaces of other cells. */
#include <string.h>

#include "../denoise/denoise_job.h"
#include "../fit/gene_match.h"
#include "scdha_file.h"

typedef struct {
    denoise_args args;
    ql_run *run;
    fit_run fit;
    scdha_file file;
    gene_match match;
    ql_opts *opts; /* of args.fit.model */
    ql_h5ad_writer *writer;
} job;

/* Options of what this model has not. */
static ql_status check(const job *j)
{
    const denoise_args *a = &j->args;
    const denoise_job like = {.a = a, .run = j->run};
    const struct {
        bool given;
        const char *name;
    } strangers[] = {{a->estimate, "estimate"},   {a->genes, "genes"},
                     {a->write, "write"},         {a->tsv, "tsv"},
                     {a->obs_out, "obs-out"},     {a->obsm_out, "obsm-out"},
                     {a->layer_out, "layer-out"}, {a->shard, "shard"},
                     {a->fit.mqc.dir, "mqc"}};
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++)
        if (strangers[i].given)
            return ql_fail(&j->run->err, QL_EUSAGE, "--%s is of no use with a model of scdha",
                           strangers[i].name);
    if (a->fit.plan) return QL_OK;
    QL_TRY(denoise_job_check(&like));
    return ql_output_check(a->output, a->load_model, a->force, &j->run->err);
}

static void tell_genes(const job *j)
{
    const gene_match *g = &j->match;
    const int64_t missing = g->n_model - g->by_name - g->by_id;
    const double share = 100 * g->missing_share;
    ql_logger *log = j->run->log;
    ql_log_info(log, "genes: %lld of the model's %lld are in the data (%lld by name, %lld by id)",
                (long long)(g->n_model - missing), (long long)g->n_model, (long long)g->by_name,
                (long long)g->by_id);
    ql_summary_int(j->run->summary, "model_genes", g->n_model);
    ql_summary_int(j->run->summary, "missing_genes", missing);
    if (share > 5)
        ql_log_warn(log,
                    "%lld genes of the model are not in the data and count as 0; they held %.1f %% "
                    "of what it was trained on: expect poorer results",
                    (long long)missing, share);
    else if (missing > 0)
        ql_log_info(log, "genes: %lld of the model are not in the data and count as 0",
                    (long long)missing);
}

/* Data of another scale than the model's give no error, only nonsense. */
static void check_scale(const job *j)
{
    const bool log = j->file.model.scale.log;
    if (j->fit.ds.is_counts == log) return;
    ql_log_warn(j->run->log, "the model was trained on %s, and these data look like %s",
                log ? "counts" : "logarithms", log ? "logarithms" : "counts");
}

static ql_status begin(job *j, bool *done)
{
    const ql_scdha_options *o = &j->file.model.opt;
    const fit_output output = {
        .path = j->args.output, .model = true, .model_genes = j->file.file.genes->n, .scdha = o};
    QL_TRY(fit_run_begin(&j->fit, &j->args.fit, output, j->run));
    QL_TRY(fit_run_read(&j->fit, done));
    if (*done) return QL_OK;
    QL_TRY(gene_match_make(&j->file.file, &j->fit.ds.genes, &j->match, &j->run->err));
    tell_genes(j);
    check_scale(j);
    return QL_OK;
}

static ql_status work(job *j)
{
    bool done;
    ql_scdha *model = &j->file.model;
    QL_TRY(model_default_options(&j->args.fit.model, &j->opts, &j->run->err));
    QL_TRY(check(j));
    QL_TRY(scdha_file_read(j->args.load_model, &j->file, &j->run->err));
    model->opt.threads = j->run->threads;
    QL_TRY(begin(j, &done));
    if (done) return QL_OK;
    const scdha_output out = {.args = &j->args,
                              .run = j->run,
                              .ds = &j->fit.ds,
                              .rows = &j->fit.rows,
                              .kern = j->fit.kern,
                              .model = model,
                              .place = j->match.map,
                              .key = j->args.key,
                              .n_latents = model->n_latents,
                              .applied = j->file.file.version,
                              .n_missing = j->match.n_model - j->match.by_name - j->match.by_id};
    ql_summary_int(j->run->summary, "cells", j->fit.rows.n_rows);
    ql_summary_int(j->run->summary, "genes", j->match.n_file);
    QL_TRY(scdha_output_begin(&out, &j->fit.notes, &j->writer));
    QL_TRY(ql_rows_pick(&j->fit.rows, j->match.map, j->match.n_model, &j->run->err));
    return scdha_output_write(&out, &j->writer);
}

ql_status scdha_apply(const denoise_args *a, ql_run *run)
{
    job j = {.args = *a, .run = run};
    if (!ql_opts_was_set(run->opts, "key")) j.args.key = "X_scdha";
    ql_status st = work(&j);
    ql_h5ad_abort(j.writer);
    gene_match_free(&j.match);
    scdha_file_free(&j.file);
    fit_run_free(&j.fit);
    ql_opts_free(j.opts);
    return st;
}
