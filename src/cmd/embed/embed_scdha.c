/* quell embed --model scdha: choice of genes, an ensemble of models, their latent spaces. */
#include <math.h>
#include <string.h>

#include "embed.h"
#include "quell/alloc.h"
#include "quell/h5ad_writer.h"
#include "scdha_file.h"
#include "scdha_weights.h"

typedef struct {
    const embed_args *a;
    const char *key;
    ql_run *run;
    fit_run fit;
    ql_scdha_options options;
    ql_scdha model;
    ql_scdha_choice choice;
    double *cell_weight; /* of --sample-weights */
    ql_h5ad_writer *writer;
} job;

/* ---- options ---- */

static bool was_set(const job *j, const char *name)
{
    return ql_opts_was_set(j->run->opts, name);
}

static ql_scdha_options options_of(const job *j)
{
    const scdha_args *s = &j->a->scdha;
    const model_args *m = &j->a->d.fit.model;
    ql_scdha_options o =
        ql_scdha_defaults(strcmp(s->rules, "reference") ? QL_SCDHA_OWN : QL_SCDHA_REFERENCE);
    o.genes = s->top_genes;
    o.models = s->models;
    o.snapshots = s->snapshots;
    o.train_cells = s->train_cells;
    o.latent = s->latent_width;
    o.warm_up = s->l1_epochs;
    o.noise = s->noise;
    o.cell_noise = strcmp(s->noise_per, "cell") == 0;
    o.gene_rule = strcmp(s->genes_by, "weights") ? QL_SCDHA_DISPERSION : QL_SCDHA_WEIGHTS;
    o.result = scdha_result(s);
    if (!isnan(s->error_weight)) o.beta = s->error_weight;
    if (was_set(j, "epochs")) o.epochs = m->epochs;
    if (was_set(j, "batch-size")) o.batch_size = m->batch_size;
    if (was_set(j, "learning-rate")) o.rate = m->learning_rate;
    o.weight_decay = m->weight_decay;
    o.seed = (uint64_t)m->seed.seed;
    o.threads = j->run->threads;
    return o;
}

/* What belongs to other models. */
ql_status embed_scdha_check(const denoise_args *d, ql_run *run)
{
    const denoise_job j = {.a = d, .run = run};
    const struct {
        bool given;
        const char *name;
    } strangers[] = {{d->fit.init_from != NULL, "init-from"},
                     {d->fit.mqc.dir != NULL, "mqc"},
                     {d->fit.model.mcv, "mcv"}};
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++)
        if (strangers[i].given)
            return ql_fail(&run->err, QL_EUSAGE, "--%s is of no use with --model scdha",
                           strangers[i].name);
    return d->fit.plan ? QL_OK : denoise_job_check(&j);
}

/* ---- the work ---- */

static void on_epoch(void *ctx, const ql_scdha_epoch *e)
{
    const job *j = ctx;
    ql_progress p = QL_PROGRESS(e->filter ? "choose genes" : "train", "epoch", (double)e->number,
                                (double)e->total);
    p.loss = e->loss;
    ql_log_progress(j->run->log, &p);
    ql_log_metric(j->run->log, e->number, e->filter ? "filter_loss" : "loss", e->loss);
    if (e->number == e->total) ql_log_progress_end(j->run->log);
}

static void tell_sizes(const job *j)
{
    ql_scdha_options o = j->options;
    ql_scdha_resolve(&o, j->fit.rows.n_rows);
    ql_log_info(j->run->log,
                "model: scdha, %lld models of %lld cells in minibatches of %lld, latent space of "
                "%lld, seed %lld, %d threads (%s), %s kernels",
                (long long)o.models, (long long)o.train_cells, (long long)o.batch_size,
                (long long)o.latent, (long long)o.seed, j->run->threads, j->run->threads_from,
                j->fit.kern->isa);
}

static void tell_fit(const job *j)
{
    const ql_scdha *m = &j->model;
    ql_logger *log = j->run->log;
    ql_log_info(
        log, "inputs: %s, each cell stretched to 0 to 1; %lld genes without counts set aside",
        m->scale.log ? "logarithms of the counts" : "as they are (their range is no more than 100)",
        (long long)(m->scale.n_genes - m->scale.n_kept));
    if (m->weight)
        ql_log_info(log, "genes: %lld of %lld chosen by their %s", (long long)m->n_genes,
                    (long long)m->scale.n_kept, m->filter_loss ? "weights" : "dispersion");
    if (m->skipped)
        ql_log_warn(log, "%lld steps were left out because a gradient was not a number",
                    (long long)m->skipped);
    ql_summary_int(j->run->summary, "cells", m->n_cells);
    ql_summary_int(j->run->summary, "genes", m->scale.n_genes);
    ql_summary_int(j->run->summary, "chosen_genes", m->n_genes);
    ql_summary_int(j->run->summary, "epochs", ql_scdha_epochs(&m->opt));
}

static ql_status weigh_cells(job *j)
{
    const char *column = j->a->scdha.sample_weights;
    if (!column) return QL_OK;
    QL_TRY(QL_NEW(j->cell_weight, j->fit.rows.n_rows, "weights of the cells", &j->run->err));
    j->options.cell_weight = j->cell_weight;
    return scdha_weights_read(column, &j->fit.ds.cells, j->cell_weight, &j->run->err);
}

static ql_status fit(job *j)
{
    ql_scdha_listener listener = {.epoch = on_epoch, .ctx = j};
    tell_sizes(j);
    QL_TRY(weigh_cells(j));
    QL_TRY(checkpoint_name(&j->fit.states, &j->fit.rows, NULL));
    listener.keeper = checkpoint_keeper(&j->fit.states, CHECKPOINT_FIT);
    QL_TRY(
        ql_scdha_run(&j->fit.rows, &j->options, j->fit.kern, &listener, &j->model, &j->run->err));
    tell_fit(j);
    return QL_OK;
}

/* Which latent space is returned, where clusters are to say so. */
static ql_status choose(job *j)
{
    const ql_scdha_choice *c = &j->choice;
    if (j->options.result != QL_SCDHA_CONSENSUS) return QL_OK;
    ql_log_info(j->run->log, "clusters in each of %d latent spaces", j->model.n_latents);
    QL_TRY(ql_scdha_choose(&j->model, &j->fit.rows, j->fit.kern, &j->choice, &j->run->err));
    if (c->n == 0)
        ql_log_warn(j->run->log, "too few cells to cluster: latent space %d is returned",
                    j->model.returned + 1);
    else
        ql_log_info(j->run->log,
                    "latent space %d of %d agrees best with the consensus of %lld clusters (%.3f)",
                    j->model.returned + 1, c->n, (long long)c->k, c->agreement[j->model.returned]);
    return QL_OK;
}

static scdha_output output_of(job *j)
{
    return (scdha_output){.args = &j->a->d,
                          .run = j->run,
                          .ds = &j->fit.ds,
                          .rows = &j->fit.rows,
                          .kern = j->fit.kern,
                          .model = &j->model,
                          .choice = &j->choice,
                          .key = j->key,
                          .n_latents = (int)(j->options.models * j->options.snapshots),
                          .all = j->a->scdha.all_latents};
}

static ql_status save_model(const job *j, const scdha_output *out)
{
    ql_str path = {0};
    denoise_model_path(&j->a->d, &path);
    ql_status st = scdha_file_write(ql_str_text(&path), out);
    ql_str_free(&path);
    return st;
}

static ql_status work(job *j)
{
    bool done;
    j->options = options_of(j);
    const fit_output output = {.path = j->a->d.output,
                               .columns = j->a->scdha.sample_weights != NULL,
                               .model = denoise_saves_model(&j->a->d),
                               .scdha = &j->options};
    QL_TRY(fit_run_begin(&j->fit, &j->a->d.fit, output, j->run));
    QL_TRY(fit_run_read(&j->fit, &done));
    if (done) return QL_OK;
    j->model.opt = j->options; /* what will be */
    const scdha_output out = output_of(j);
    QL_TRY(scdha_output_begin(&out, &j->fit.notes, &j->writer));
    QL_TRY(fit(j));
    QL_TRY(choose(j));
    if (denoise_saves_model(&j->a->d)) QL_TRY(save_model(j, &out));
    return scdha_output_write(&out, &j->writer);
}

ql_status embed_scdha(const embed_args *a, const char *key, ql_run *run)
{
    job j = {.a = a, .key = key, .run = run};
    ql_status st = fit_run_end(&j.fit, work(&j));
    ql_h5ad_abort(j.writer);
    ql_scdha_choice_free(&j.choice);
    ql_scdha_free(&j.model);
    ql_free(j.cell_weight);
    fit_run_free(&j.fit);
    return st;
}
