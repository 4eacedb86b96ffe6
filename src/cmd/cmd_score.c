/* quell score: how likely cells are under a generative model. */
#include <math.h>
#include <stdio.h>

#include "generate/use_run.h"
#include "quell/alloc.h"
#include "quell/evidence.h"

typedef struct {
    ql_common_args common;
    use_args use;
    const char *output, *h5ad;
    int samples;
    bool encoder_only;
} score_args;

#define S score_args
/* clang-format off */
static const ql_option score_rows[] = {
    {.name = "output", .letter = 'o', QL_STRING_AT(S, output), .unit = "FILE", .group = "Output",
     .bits = QL_OPT_VOLATILE | QL_OPT_REQUIRED, .help = "the table to write, a cell a line: .tsv, .csv, .gz",
     .more = "log_lik: ln p(x) by importance weighting, in nats, and its standard error; elbo: the evidence "
             "lower bound; of both, higher is better. anomaly: how far log_lik is below what cells of the same "
             "number of molecules have, in robust standard deviations."},
    {.name = "h5ad", QL_STRING_AT(S, h5ad), .unit = "FILE", .group = "Output", .bits = QL_OPT_VOLATILE,
     .help = "also write the input with these columns in obs",
     .more = "As quell_log_lik, quell_ess, quell_anomaly and so on."},
    {.name = "draws", .letter = 'n', QL_INT_AT(S, samples), .def = "100", .min = 2, .max = 1000000,
     .group = "Model", .help = "codes drawn for each cell",
     .more = "A fourth from the encoder's posterior, of which elbo is; the others from one fitted to the cell."},
    {.name = "encoder-only", QL_FLAG_AT(S, encoder_only), .group = "Model", .level = QL_OPT_EXPERT,
     .help = "draw all of them from the encoder's posterior"},
    {.name = NULL},
};
/* clang-format on */
#undef S

typedef struct {
    const char *name;
    size_t at; /* of ql_evidence */
} figure;

#define FIGURE(name)                                                                               \
    {                                                                                              \
#name, offsetof(ql_evidence, name)                                                         \
    }
static const figure figures[] = {FIGURE(log_lik), FIGURE(log_lik_se),     FIGURE(ess), FIGURE(elbo),
                                 FIGURE(elbo_se), FIGURE(reconstruction), FIGURE(kl)};
enum { N_FIGURES = sizeof figures / sizeof *figures };

static double value_of(const ql_evidence *e, const figure *f)
{
    return *(const double *)(const void *)((const char *)e + f->at);
}

/* A column as the table or obs has it. */
static ql_status add(ql_frame *frame, const char *prefix, const char *name, const double *values,
                     ql_err *err)
{
    char whole[64];
    (void)snprintf(whole, sizeof whole, "%s%s", prefix, name);
    return use_column(frame, whole, values, err);
}

/* Columns of all cells of the input: NaN for those without molecules in the model's genes. */
static ql_status make_table(const use_run *u, const ql_evidence *e, const char *prefix,
                            ql_frame *frame)
{
    ql_err *err = &u->run->err;
    double *column = NULL, *anomaly = NULL;
    ql_status st;
    QL_GO(QL_NEW(column, u->n_cells, "a column", err));
    QL_GO(QL_NEW(anomaly, u->n_cells, "a column", err));
    QL_GO(ql_names_copy(&u->f.ds.cells.index, &frame->index, err));
    if (!*prefix) QL_GO(use_column(frame, "n_counts", u->total, err));
    for (int k = 0; k < N_FIGURES; k++) {
        for (int64_t i = 0; i < u->n_cells; i++) column[i] = NAN;
        for (int64_t i = 0; i < u->n_usable; i++)
            column[u->usable[i]] = value_of(&e[i], &figures[k]);
        QL_GO(add(frame, prefix, figures[k].name, column, err));
        if (k == 0) QL_GO(ql_evidence_anomaly(column, u->total, u->n_cells, anomaly, err));
    }
    QL_GO(add(frame, prefix, "anomaly", anomaly, err));
out:
    ql_free(column);
    ql_free(anomaly);
    return st;
}

static ql_status write_h5ad(use_run *u, const ql_evidence *e)
{
    ql_frame frame = {0};
    ql_status st = QL_OK;
    if (!u->writer) return QL_OK;
    QL_GO(make_table(u, e, "quell_", &frame));
    QL_GO(ql_h5ad_columns(u->writer, "obs", &frame, &u->run->err));
    QL_GO(use_commit_h5ad(u, "obs/quell_log_lik and others"));
out:
    ql_frame_free(&frame);
    return st;
}

static void tell(const use_run *u, const ql_evidence *e, int samples)
{
    double elbo = 0, log_lik = 0, square = 0, n = (double)u->n_usable;
    int64_t poor = 0;
    for (int64_t i = 0; i < u->n_usable; i++) {
        elbo += e[i].elbo / n;
        log_lik += e[i].log_lik / n;
        square += e[i].log_lik_se * e[i].log_lik_se;
        poor += e[i].ess < QL_LEAST_ESS;
    }
    ql_log_info(u->run->log, "mean over %lld cells: log-likelihood %.3f +- %.3f nats, ELBO %.3f",
                (long long)u->n_usable, log_lik, sqrt(square) / n, elbo);
    ql_summary_double(u->run->summary, "log_lik", log_lik);
    ql_summary_double(u->run->summary, "elbo", elbo);
    ql_summary_int(u->run->summary, "cells_low_ess", poor);
    if (poor > 0)
        ql_log_warn(u->run->log,
                    "%lld cells have an effective sample size below %g of %d: their log_lik is "
                    "too low and its error larger than said; more --draws help",
                    (long long)poor, QL_LEAST_ESS, samples);
}

static ql_status score_cells(const void *args, use_run *u)
{
    const score_args *a = args;
    const ql_gen_cells cells = {.counts = &u->f.rows, .row = u->usable, .n = u->n_usable};
    const ql_evidence_options opt = {a->samples, u->seed, a->encoder_only};
    ql_evidence *e = NULL;
    ql_frame frame = {0};
    ql_status st;
    QL_GO(QL_NEW(e, u->n_usable, "likelihoods", &u->run->err));
    QL_GO(ql_evidence_of(&u->g, &cells, &opt, e, &u->run->err));
    tell(u, e, a->samples);
    QL_GO(make_table(u, e, "", &frame));
    QL_GO(use_write_table(u, a->output, &frame));
    QL_GO(write_h5ad(u, e));
out:
    ql_free(e);
    ql_frame_free(&frame);
    return st;
}

static int64_t score_bytes(const void *args, const ql_rows *shape, const ql_fit_options *fit)
{
    (void)args;
    (void)fit;
    return shape->n_rows * (int64_t)sizeof(ql_evidence) +
           use_table_bytes(shape->n_rows, N_FIGURES + 3) + ql_evidence_bytes(shape->n_cols);
}

static const use_command score_use = {
    .use = offsetof(score_args, use),
    .output = {offsetof(score_args, output), offsetof(score_args, h5ad)},
    .h5ad = offsetof(score_args, h5ad),
    .bytes = score_bytes,
    .work = score_cells,
};

static ql_status score_run(const void *args, ql_run *run)
{
    return use_run_work(&score_use, args, run);
}

static const ql_opt_table tables[] = {{score_rows, 0}, USE_TABLES(score_args, use), {NULL, 0}};

const ql_command ql_cmd_score = {
    .name = "score",
    .group = "Generative models",
    .summary = "how likely cells are: density and anomaly",
    .positionals = use_positionals,
    .examples = {{"quell score new.h5ad -m vae.quell.h5 -o scores.tsv",
                  "log-likelihood with its standard error, ELBO, anomaly"},
                 {"quell score new.h5ad -m vae.quell.h5 -o scores.tsv -n 1000",
                  "the same with ten times the draws"}},
    .tables = tables,
    QL_ARGS(score_args),
    .run = score_run,
};
