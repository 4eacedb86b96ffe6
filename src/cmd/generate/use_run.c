#include "use_run.h"

#include <math.h>
#include <string.h>

#include "../fit/cell_covariates.h"
#include "../input/compression.h"
#include "quell/alloc.h"
#include "quell/frame_table.h"
#include "quell/h5ad_writer.h"

enum { BATCH = 128 }; /* decides no value */

#define S use_args
/* clang-format off */
const ql_option use_rows[] = {
    {.name = "load-model", .letter = 'm', QL_STRING_AT(S, load_model), .unit = "FILE", .group = "Model",
     .bits = QL_OPT_VOLATILE | QL_OPT_REQUIRED,
     .help = "the model: a variational autoencoder of quell train"},
    {.name = "decode-as", QL_STRING_AT(S, decode_as), .unit = "BATCH", .group = "Model",
     .unset = "each cell's own", .help = "decode as cells of this batch"},
    {.name = "force", QL_FLAG_AT(S, force), .group = "Output", .bits = QL_OPT_VOLATILE,
     .help = "replace existing outputs"},
    {.name = NULL},
};
/* clang-format on */
#undef S

const ql_positional use_positionals[] = {
    {"INPUT...", "count matrices, in any format that can be read; several are joined"},
    {NULL, NULL},
};

static void use_run_free(use_run *u)
{
    ql_h5ad_abort(u->writer);
    ql_free(u->usable);
    gene_match_free(&u->match);
    model_file_free(&u->model);
    fit_run_free(&u->f);
}

/* Can path be written? It must be neither an input nor the model. NULL: nothing. */
static ql_status check_output(const use_args *a, const char *path, ql_run *run)
{
    if (!path) return QL_OK;
    for (int i = 0; i < run->n_args; i++)
        QL_TRY(ql_output_check(path, run->args[i], a->force, &run->err));
    return ql_output_check(path, a->load_model, a->force, &run->err);
}

/* What concerns training is of no concern here. */
static void adopt_options(use_run *u)
{
    model_args *m = &u->fit.model;
    u->seed = (uint64_t)m->seed.seed;
    *m = u->model.args;
    m->precision = "float32";
    m->mcv = false;
    m->input_thin = m->input_dropout = 0;
    m->corrupt = m->pretrain = "none";
    m->corrupt_strength = NAN;
    m->gene_order = NULL;
    m->batch_size = BATCH;
    m->validation = 0;
}

ql_status use_find_level(const ql_names *levels, const char *column, const char *option,
                         const char *name, int64_t *at, ql_err *err)
{
    for (*at = 0; *at < levels->n; ++*at)
        if (strcmp(ql_name(levels, *at), name) == 0) return QL_OK;
    return cell_level_unknown(levels, column, option, name, "", err);
}

static ql_status find_batch(use_run *u)
{
    const ql_covariates *cov = u->f.fitted.cov;
    const char *name = u->a->decode_as;
    ql_err *err = &u->run->err;
    u->batch = QL_OWN_BATCH;
    if (!name) return QL_OK;
    if (u->g.n_batches == 0)
        return ql_fail(err, QL_EUSAGE, "--decode-as %s: the model has no batches", name);
    return use_find_level(&cov->item[0].levels, cov->item[0].name, "--decode-as", name, &u->batch,
                          err);
}

static void tell_genes(const use_run *u)
{
    const gene_match *g = &u->match;
    const int64_t found = g->by_name + g->by_id;
    ql_log_info(u->run->log, "genes: %lld of the model's %lld are in the data", (long long)found,
                (long long)g->n_model);
    ql_summary_int(u->run->summary, "model_genes", g->n_model);
    ql_summary_int(u->run->summary, "missing_genes", g->n_model - found);
    if (found < g->n_model)
        ql_log_warn(u->run->log,
                    "%lld genes of the model are not in the data and count as 0; they held %.1f %% "
                    "of the molecules it was trained on",
                    (long long)(g->n_model - found), 100 * g->missing_share);
}

static ql_status take_model(use_run *u, bool any_counts)
{
    fit_run *f = &u->f;
    ql_err *err = &u->run->err;
    const ql_gene_places places = {u->match.n_model, u->match.place, u->match.n_file};
    QL_TRY(ql_rows_pick(&f->rows, u->match.map, u->match.n_model, err));
    /* a sampled or in-painted cell may have counts of any gene */
    ql_rows any = f->rows;
    if (any_counts) any.max_row = u->match.n_model;
    QL_TRY(ql_fitted_take(&u->model.bundle, &f->options, &any, &places, f->kern, &f->fitted, err));
    QL_TRY(ql_vae_generative_of(&f->fitted, &u->vae, &u->g, err));
    u->g.threads = u->run->threads;
    const ql_prep *p = &f->fitted.prep;
    u->total = p->total;
    u->n_cells = p->n_cells;
    u->n_usable = p->n_kept_cells;
    QL_TRY(QL_NEW(u->usable, u->n_usable, "cells", err));
    memcpy(u->usable, p->kept_cell, (size_t)u->n_usable * sizeof *u->usable);
    ql_rows_sort(u->usable, u->n_usable);
    if (u->n_usable < u->n_cells)
        ql_log_info(u->run->log, "set aside: %lld cells without counts in the model's genes",
                    (long long)(u->n_cells - u->n_usable));
    ql_summary_int(u->run->summary, "cells", u->n_cells);
    return find_batch(u);
}

/* ---- the run ---- */

static const char *text_at(const void *args, size_t offset)
{
    if (offset == 0) return NULL;
    return *(const char *const *)(const void *)((const char *)args + offset);
}

static int64_t bytes_beside(const void *ctx, const ql_rows *shape, const ql_fit_options *fit)
{
    const use_run *u = ctx;
    return ql_bundle_bytes(&u->model.bundle) + u->command->bytes(u->args, shape, fit);
}

static ql_status read_model(use_run *u)
{
    ql_err *err = &u->run->err;
    QL_TRY(model_file_read(u->a->load_model, u->run->threads, &u->model, err));
    if (!u->model.fit.ae.vae.on) {
        ql_fail(err, QL_EUSAGE, "%s: is a model of type %s, not a variational autoencoder",
                u->a->load_model, u->model.fit.ae.likelihood->name);
        return ql_hint(err, QL_EUSAGE,
                       "quell embed INPUT --model vae --save-model FILE trains one");
    }
    if (!u->model.models) return QL_OK;
    return ql_fail(err, QL_EUSAGE, "%s: is an ensemble; this asks one variational autoencoder",
                   u->a->load_model);
}

/* While the counts are those of the input: genes are picked in place. */
static ql_status begin_h5ad(use_run *u)
{
    const use_command *c = u->command;
    const char *path = text_at(u->args, c->h5ad), *level = text_at(u->args, c->compression);
    ql_write_options how = {.force = u->a->force, .threads = u->run->threads};
    if (!path) return QL_OK;
    QL_TRY(ql_compression_level(level ? level : "gzip", 4, &how.deflate, &u->run->err));
    return ql_h5ad_begin(path, &u->f.ds, &how, NULL, &u->writer, &u->run->err);
}

/* Model and cells. *done: only the plan was wanted. */
static ql_status begin(use_run *u, const char *output, bool *done)
{
    *done = false;
    QL_TRY(read_model(u));
    adopt_options(u);
    const fit_output out = {.path = output,
                            .columns = true,
                            .model = true,
                            .model_genes = u->model.genes->n,
                            .beside = bytes_beside,
                            .beside_ctx = u};
    QL_TRY(fit_run_begin(&u->f, &u->fit, out, u->run));
    u->f.cov = u->model.cov; /* which it fills in with what the cells say */
    u->model.cov = (ql_covariates){0};
    QL_TRY(fit_run_read(&u->f, done));
    if (*done) return QL_OK;
    QL_TRY(gene_match_make(&u->model, &u->f.ds.genes, &u->match, &u->run->err));
    tell_genes(u);
    QL_TRY(begin_h5ad(u));
    return take_model(u, u->command->any_counts);
}

static ql_status run_command(use_run *u)
{
    const use_command *c = u->command;
    const char *output = NULL;
    bool done;
    if (c->check) QL_TRY(c->check(u->args, u->run));
    for (int k = 0; k < 2; k++) {
        const char *path = text_at(u->args, c->output[k]);
        QL_TRY(check_output(u->a, path, u->run));
        if (!output) output = path;
    }
    QL_TRY(begin(u, output, &done));
    return done ? QL_OK : c->work(u->args, u);
}

ql_status use_run_work(const use_command *c, const void *args, ql_run *run)
{
    const use_args *a = (const void *)((const char *)args + c->use);
    use_run u = {.command = c, .args = args, .a = a, .run = run, .fit = a->fit};
    const ql_status st = run_command(&u);
    use_run_free(&u);
    return st;
}

/* ---- bytes ---- */

int64_t use_decode_bytes(const ql_rows *shape, int n)
{
    return n * (int64_t)BATCH * shape->n_cols * (int64_t)sizeof(float);
}

int64_t use_table_bytes(int64_t n_rows, int columns)
{
    enum { COPIES = 2, TEXT = 24 }; /* in the frame; of a value as it is written */
    return n_rows * columns * (COPIES * (int64_t)sizeof(double) + TEXT);
}

int64_t use_code_bytes(int64_t n, const ql_fit_options *fit)
{
    return n * fit->ae.hidden[fit->ae.n_hidden / 2] * (int64_t)sizeof(float);
}

/* ---- cells ---- */

ql_status use_run_select(const use_run *u, const char *option, const char *text, int64_t **rows,
                         int64_t *n, ql_err *err)
{
    uint8_t *keep = NULL;
    ql_status st;
    *rows = NULL;
    *n = 0;
    QL_GO(QL_NEW(keep, u->n_cells, "chosen cells", err));
    QL_GO(cell_select(option, text, &u->f.ds.cells, keep, err));
    QL_GO(QL_NEW(*rows, u->n_usable, "chosen cells", err));
    for (int64_t i = 0; i < u->n_usable; i++)
        if (keep[u->usable[i]]) (*rows)[(*n)++] = u->usable[i];
    if (*n == 0)
        st = ql_fail(err, QL_EDATA, "%s: none of the cells has molecules in the model's genes",
                     option);
out:
    ql_free(keep);
    return st;
}

ql_status use_run_encode(const use_run *u, const int64_t *rows, int64_t n, float **z, ql_err *err)
{
    const ql_gen_cells cells = {.counts = &u->f.rows, .row = rows, .n = n};
    QL_TRY(QL_NEW(*z, n * u->g.n_latent, "codes", err));
    return ql_gen_encode(&u->g, &cells, *z, NULL, err);
}

ql_status use_write_table(const use_run *u, const char *path, const ql_frame *frame)
{
    const ql_frame_table_options how = {
        .in_path = u->f.ds.path, .force = u->a->force, .threads = u->run->threads};
    QL_TRY(ql_frame_table_write(path, frame, &how, &u->run->err));
    ql_log_info(u->run->log, "wrote %s", path);
    return QL_OK;
}

ql_status use_commit_h5ad(use_run *u, const char *what)
{
    ql_h5ad_writer *w = u->writer;
    u->writer = NULL; /* commit frees it in any case */
    QL_TRY(ql_h5ad_commit(w, &u->run->err));
    ql_log_info(u->run->log, "wrote %s: %s", text_at(u->args, u->command->h5ad), what);
    return QL_OK;
}
