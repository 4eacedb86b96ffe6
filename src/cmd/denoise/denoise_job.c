#include "denoise_job.h"

#include <stdio.h>
#include <string.h>

#include "../fit/model_type.h"
#include "denoise_layers.h"
#include "mqc.h"
#include "quell/alloc.h"
#include "quell/outlier.h"
#include "quell/reference_make.h"

void denoise_job_free(denoise_job *j)
{
    ql_h5ad_abort(j->writer);
    fit_run_free(&j->fit);
    gene_list_free(&j->genes);
    cell_extras_free(&j->extras);
    decode_as_free(&j->decode);
}

/* ---- before the work ---- */

static ql_status check_model(const denoise_job *j, const char *in_path)
{
    ql_str path = {0};
    ql_err *err = &j->run->err;
    if (j->a->save_weights && !j->a->save_model && !j->a->output)
        return ql_fail(err, QL_EUSAGE,
                       "--saveweights puts the model beside -o FILE; give --save-model FILE");
    denoise_model_path(j->a, &path);
    bool twice = j->a->output && strcmp(ql_str_text(&path), j->a->output) == 0;
    ql_status st =
        twice ? ql_fail(err, QL_EUSAGE, "%s: is to be both the output and the model", j->a->output)
              : ql_output_check(ql_str_text(&path), in_path, j->a->force, err);
    ql_str_free(&path);
    return st;
}

ql_status denoise_job_check(const denoise_job *j)
{
    const denoise_args *a = j->a;
    ql_err *err = &j->run->err;
    if (!a->output && !a->tsv && !a->obs_out && !a->obsm_out && !a->layer_out)
        return ql_fail(err, QL_EUSAGE, "no output: give -o FILE.h5ad (or --tsv DIR)");
    const char *key = denoise_key(a);
    if (!*key || strchr(key, '/') || !strcmp(key, ".") || strlen(key) > 200)
        return ql_fail(err, QL_EUSAGE, "--key: '%s' cannot name a member of obsm", key);
    QL_TRY(denoise_layers_check(a, err));
    if (a->decode_as && a->fit.model.automatic && !model_is_vae(&a->fit.model))
        return ql_fail(err, QL_EUSAGE, "--decode-as: with --auto only of --model vae");
    QL_TRY(mqc_check(&a->fit.mqc, j->run));
    if (a->tsv) QL_TRY(denoise_check_tsv(a->tsv, a->force, err));
    for (int i = 0; i < j->run->n_args; i++) {
        QL_TRY(denoise_check_side(a, j->run->args[i], err));
        if (denoise_saves_model(a)) QL_TRY(check_model(j, j->run->args[i]));
        if (a->output) QL_TRY(ql_output_check(a->output, j->run->args[i], a->force, err));
    }
    return ql_inputs_check(&a->fit.join, j->run);
}

/* Reads without UMIs count a molecule many times, so few of their entries are 1. */
#define READS_ONES_SHARE 0.2

static ql_status looks_like_umis(const ql_rows *m, bool *umis, ql_err *err)
{
    int64_t ones = 0;
    ql_row_cursor c;
    QL_TRY(ql_cursor_open(&c, m, err));
    for (int64_t i = 0; i < m->n_rows; i++) {
        ql_row_view row = ql_cursor_row(&c, i);
        for (int64_t k = 0; k < row.n; k++) ones += row.count[k] <= 1;
    }
    ql_cursor_close(&c);
    *umis = (double)ones >= READS_ONES_SHARE * (double)m->nnz;
    return ql_rows_check(m, err);
}

static bool writes_estimate(const denoise_args *a)
{
    return a->denoised || a->tsv || a->layer_out;
}

static ql_status choose_estimate(denoise_job *j)
{
    const char *asked = j->a->estimate;
    const ql_likelihood *lik = j->fit.options.ae.likelihood;
    bool can = ql_has_posterior(lik) || j->fit.options.fit_theta, umis;
    if (j->a->decode_as) { /* the cells' counts are of their own batch */
        j->posterior = false;
        if (!asked || !strcmp(asked, "mean")) return QL_OK;
        return ql_fail(&j->run->err, QL_EUSAGE, "--decode-as writes means, not --estimate %s",
                       asked);
    }
    j->posterior = can && (!asked || strcmp(asked, "mean") != 0);
    if (!can && asked && strcmp(asked, "mean") != 0)
        return ql_fail(&j->run->err, QL_EUSAGE, "--estimate %s: %s %s has no posterior", asked,
                       lik->of_inputs ? "--target" : "--type",
                       lik->of_inputs ? "input" : lik->name);
    const bool wanted = writes_estimate(j->a) || denoise_asks_how_sure(j->a);
    if (asked || !can || !wanted) return denoise_layers_fit(j->a, j->posterior, &j->run->err);
    QL_TRY(looks_like_umis(&j->fit.rows, &umis, &j->run->err));
    if (umis) return QL_OK;
    j->posterior = false;
    ql_log_warn(j->run->log,
                "few entries are 1: these look like reads without UMIs, where the posterior "
                "would keep amplification noise; writing the mean (--estimate posterior to "
                "have it all the same)");
    return denoise_layers_fit(j->a, false, &j->run->err);
}

static ql_status begin_output(denoise_job *j)
{
    ql_write_options opt = {.force = j->a->force, .threads = j->run->threads};
    int notes = j->fit.notes.n;
    QL_TRY(ql_denoise_deflate(j->a, &opt.deflate, &j->run->err));
    if (!j->a->output) return QL_OK;
    if (j->shard.of > 0) {
        const cell_range range = shard_range(j->shard, j->fit.ds.counts.n_rows);
        QL_TRY(shard_begin(j->a->output, &j->fit.ds, range, &opt, &j->writer, &j->run->err));
        return denoise_claim_h5ad(j->a, j->writer, &j->run->err);
    }
    QL_TRY(ql_h5ad_begin(j->a->output, &j->fit.ds, &opt, &j->fit.notes, &j->writer, &j->run->err));
    ql_notes added = {.items = j->fit.notes.items + notes, .n = j->fit.notes.n - notes};
    ql_log_notes(j->run->log, &added);
    return denoise_claim_h5ad(j->a, j->writer, &j->run->err);
}

ql_status denoise_job_extras(denoise_job *j)
{
    const model_args *m = &j->a->fit.model;
    QL_TRY(model_type_check(m, &j->run->err));
    /* until it has been chosen, only what each candidate has can be promised */
    const ql_likelihood *lik =
        model_type_is_auto(m) ? ql_likelihood_find("poisson") : model_likelihood(m);
    return extras_parse(j->a->write, lik, &j->which, &j->run->err);
}

/* Draws are for tests, which would find the accidents that the means have learnt. */
static bool shrinks(const denoise_job *j)
{
    if (ql_opts_was_set(j->run->opts, "shrink-genes")) return j->a->shrink_genes;
    return j->a->draws > 0 && j->fit.options.fit_theta;
}

ql_status denoise_job_open(denoise_job *j, bool *done)
{
    const denoise_args *a = j->a;
    QL_TRY(denoise_job_extras(j));
    const fit_output output = {.path = a->output,
                               .layer = denoise_writes_layers(a, j->which),
                               .text = a->tsv != NULL,
                               .columns = a->obs_out != NULL,
                               .scores = extras_scores(j->which) |
                                         (denoise_saves_model(a) ? QL_OUTLIER_SCORES : 0),
                               .trials = j->trials,
                               .means = a->estimate && !strcmp(a->estimate, "mean"),
                               .decode_as = a->decode_as != NULL,
                               .model = denoise_saves_model(a)};
    if (!a->fit.plan) QL_TRY(denoise_job_check(j));
    QL_TRY(fit_run_begin(&j->fit, &a->fit, output, j->run));
    j->fit.options.shrink_genes = shrinks(j);
    return fit_run_read(&j->fit, done);
}

ql_status denoise_job_begin(denoise_job *j)
{
    if (j->a->genes)
        QL_TRY(gene_list_read(j->a->genes, &j->fit.ds.genes.index, j->run->log, &j->genes,
                              &j->run->err));
    if (!j->applied) QL_TRY(type_choose(&j->fit));
    j->fit.options.shrink_genes = shrinks(j); /* the type is known by now */
    QL_TRY(choose_estimate(j));
    return begin_output(j);
}

/* ---- after the work ---- */

static void report(const denoise_job *j, const denoise_result *r)
{
    const char *title =
        j->applied ? "these cells, by held-out molecules" : "cells that were not trained on";
    denoise_report(r, &j->fit.fitted.score, title, "heldout");
    denoise_report_coverage(r);
    if (j->a->fit.model.mcv)
        denoise_report(r, &j->fit.mcv, "all cells, a model of 90 % of their molecules", "mcv");
}

static ql_status save_model(denoise_job *j)
{
    const model_content content = {.args = &j->a->fit.model,
                                   .genes = &j->fit.ds.genes,
                                   .fitted = &j->fit.fitted,
                                   .choice = j->fit.candidates,
                                   .estimate = j->a->estimate,
                                   .in_path = j->fit.ds.path,
                                   .force = j->a->force,
                                   .threads = j->run->threads};
    ql_str path = {0};
    if (!denoise_saves_model(j->a)) return QL_OK;
    QL_TRY(ql_reference_make(&j->fit.fitted, &j->fit.rows, &j->run->err));
    denoise_model_path(j->a, &path);
    ql_status st = model_file_write(ql_str_text(&path), &content, &j->run->err);
    if (st == QL_OK) ql_log_info(j->run->log, "wrote %s: the model", ql_str_text(&path));
    ql_str_free(&path);
    return st;
}

/* Whether draws are fit for a test: of genes that say nothing, around their mean. */
static void tell_draws(const denoise_job *j)
{
    const ql_fitted *f = &j->fit.fitted;
    const bool set = ql_opts_was_set(j->run->opts, "shrink-genes");
    int64_t n = 0;
    if (j->a->draws == 0 || set) return;
    if (!f->mix_weight) {
        ql_log_warn(j->run->log,
                    "--draws: %s, so tests of the draws find too much in genes that say nothing",
                    j->applied ? "the model was saved without --shrink-genes"
                               : "--shrink-genes was not possible");
        return;
    }
    for (int64_t g = 0; g < f->prep.n_kept_genes; g++) n += f->mix_weight[g] <= 0;
    ql_log_info(j->run->log,
                "--draws: in all layers %lld of %lld genes, which say nothing of the cells, are "
                "drawn around their mean (--shrink-genes)",
                (long long)n, (long long)f->prep.n_kept_genes);
}

/* What each layer's numbers are; of draws the first speaks for all. */
static ql_status tell_layers(const denoise_job *j, const denoise_result *r)
{
    denoise_layer *layers;
    QL_TRY(QL_NEW(layers, LAYERS_MOST, "layers", &j->run->err));
    const int n = denoise_layers(r, layers);
    for (int i = 0; i < n; i++) {
        if (layers[i].view.draw > 0) continue;
        ql_log_info(j->run->log, "%s: %s", layers[i].key, layers[i].text);
    }
    ql_free(layers);
    return QL_OK;
}

static ql_status write_h5ad(denoise_job *j, const denoise_result *r)
{
    QL_TRY(denoise_write_h5ad(r, j->writer, &j->run->err));
    if (j->write_more) QL_TRY(j->write_more(j->ctx, j->writer, &j->run->err));
    ql_h5ad_writer *writer = j->writer;
    j->writer = NULL; /* commit frees it in any case */
    QL_TRY(ql_h5ad_commit(writer, &j->run->err));
    ql_log_info(j->run->log, "wrote %s: obsm/%s (%lld dimensions)%s", j->a->output,
                denoise_key(j->a), (long long)ql_ae_latent_width(&j->fit.fitted.ae),
                j->a->denoised ? ", layers/denoised" : "");
    return tell_layers(j, r);
}

ql_status denoise_job_write(denoise_job *j)
{
    denoise_result r = {.args = j->a,
                        .run = j->run,
                        .ds = &j->fit.ds,
                        .rows = &j->fit.rows,
                        .range = shard_range(j->shard, j->fit.ds.counts.n_rows),
                        .fitted = &j->fit.fitted,
                        .genes = &j->genes,
                        .extras = &j->extras,
                        .run_seed = j->fit.options.train.seed,
                        .posterior = j->posterior,
                        .applied = j->applied,
                        .mcv = j->a->fit.model.mcv ? &j->fit.mcv : NULL,
                        .type = &j->fit.type,
                        .choice = j->fit.candidates};
    report(j, &r);
    tell_draws(j);
    QL_TRY(decode_as_set(j->a->decode_as, &j->fit.fitted, &j->decode, &j->run->err));
    QL_TRY(cell_extras_make(&j->fit.fitted, &j->fit.rows, j->which, j->run, &j->extras));
    if (j->a->tsv) QL_TRY(denoise_write_tsv(&r, j->a->tsv, &j->run->err));
    QL_TRY(denoise_write_side(&r, &j->run->err));
    QL_TRY(save_model(j));
    if (j->writer) QL_TRY(write_h5ad(j, &r));
    return mqc_write(&j->a->fit.mqc, &r, &j->run->err);
}

static ql_status work(denoise_job *j)
{
    bool done;
    QL_TRY(denoise_job_open(j, &done));
    if (done) return QL_OK;
    QL_TRY(denoise_job_begin(j));
    QL_TRY(fit_run_train(&j->fit));
    return denoise_job_write(j);
}

ql_status denoise_job_run(const denoise_args *a, ql_run *run)
{
    denoise_job j = {.a = a, .run = run};
    ql_status st = fit_run_end(&j.fit, work(&j));
    denoise_job_free(&j);
    return st;
}
