#include "quell/fit.h"

#include <math.h>

#include "library_prior.h"
#include "pretrain.h"
#include "quell/alloc.h"
#include "quell/coverage.h"
#include "quell/gene_gain.h"

enum {
    STEPS_AN_EPOCH = 16, /* small data: smaller minibatches, so that an epoch still has this many */
    BATCH_MOST = 128,
    BATCH_LEAST = 32,
    PATIENCE_EPOCHS = 8, /* stop after this many epochs without a gain, */
    PATIENCE_STEPS = 200 /* but not within this many steps */
};

/* The largest power of two that leaves enough steps in an epoch. */
static int64_t batch_size_for(int64_t n_cells)
{
    int64_t size = BATCH_MOST;
    while (size > BATCH_LEAST && n_cells < size * STEPS_AN_EPOCH) size /= 2;
    return size;
}

static int64_t patience_for(int64_t n_cells, int64_t batch_size)
{
    int64_t steps = n_cells > batch_size ? (n_cells + batch_size - 1) / batch_size : 1;
    int64_t epochs = (PATIENCE_STEPS + steps - 1) / steps;
    return epochs > PATIENCE_EPOCHS ? epochs : PATIENCE_EPOCHS;
}

int64_t ql_scvi_epochs(int64_t n_cells)
{
    const double epochs = rint(20000.0 / (double)n_cells * 400);
    return epochs < 1 ? 1 : epochs > 400 ? 400 : (int64_t)epochs;
}

static void decide_sizes(ql_train_options *t, int64_t n_cells)
{
    if (t->scvi_epochs && ql_scvi_epochs(n_cells) < t->epochs) t->epochs = ql_scvi_epochs(n_cells);
    int64_t n_train = (int64_t)((double)n_cells * (1 - t->validation));
    if (t->batch_size <= 0) t->batch_size = batch_size_for(n_train);
    if (t->patience < 0) t->patience = patience_for(n_train, t->batch_size);
}

static ql_ae_sizes sizes_of(const ql_rows *counts, const ql_train_options *t, int threads)
{
    return (ql_ae_sizes){
        .n_genes = counts->n_cols,
        .max_row_nnz = counts->max_row,
        .batch_size = t->batch_size,
        .n_threads = threads,
        /* validation and scoring always predict other molecules than they see */
        .separate_targets = true,
    };
}

int64_t ql_fit_bytes(const ql_rows *counts, const ql_fit_options *opt)
{
    enum { GENE_BYTES = 3 * 8 * 8 + QL_THETA_GRID * 8 + 64, CELL_BYTES = 8 * 8, N_CURSORS = 10 };
    ql_train_options t = opt->train;
    decide_sizes(&t, counts->n_rows);
    ql_ae_sizes sizes = sizes_of(counts, &t, opt->threads);
    ql_ae_config cfg = opt->ae;
    int64_t bytes = ql_ae_bytes(&cfg, &sizes);
    /* the best weights' copy: one array beside the weights and their moments */
    bytes += bytes / (2 + cfg.optimizer->n_moments);
    if (opt->layer_epochs > 0) bytes += ql_pretrain_bytes(&cfg, &sizes);
    if (opt->resumable) bytes += ql_ae_state_bytes(&cfg, counts->n_cols);
    return bytes + 2 * ql_thinned_bytes(counts, &t) + counts->n_cols * GENE_BYTES +
           counts->n_rows * CELL_BYTES + N_CURSORS * ql_cursor_bytes(counts->max_row);
}

int64_t ql_fit_held_bytes(const ql_rows *counts, const ql_fit_options *opt)
{
    ql_fit_options o = *opt;
    const int moments = o.ae.optimizer->n_moments;
    const int64_t weights = ql_ae_state_bytes(&o.ae, counts->n_cols) / (moments + 2);
    ql_train_options t = o.train;
    o.layer_epochs = 0;
    o.resumable = false;
    decide_sizes(&t, counts->n_rows);
    return ql_fit_bytes(counts, &o) - 2 * ql_thinned_bytes(counts, &t) - (moments + 1) * weights;
}

ql_status ql_fitted_judge(ql_fitted *f, const ql_held_out *parts, ql_err *err)
{
    QL_TRY(ql_score_model(&f->ae, parts, f->prep.gene_total, 0, f->theta, &f->score, err));
    QL_TRY(ql_gene_gain_make(f, parts, err));
    return ql_coverage_make(f, parts, err);
}

/* The untrained model: genes and cells that are kept, the split, the network with its weights. */
static ql_status build(ql_rows *counts, const ql_fit_options *opt, const ql_kern *kern,
                       ql_fitted *out, ql_err *err)
{
    QL_TRY(ql_prep_counts(counts, opt->prep, kern, opt->threads, &out->prep, err));
    if (opt->gene_rank) QL_TRY(ql_prep_places(&out->prep, opt->gene_rank, err));
    decide_sizes(&out->train, out->prep.n_kept_cells);
    QL_TRY(ql_split_cells(counts, &out->prep, &out->train, &out->split, err));
    const ql_ae_sizes sizes = sizes_of(counts, &out->train, opt->threads);
    QL_TRY(ql_ae_new(&out->ae, &opt->ae, &sizes, ql_prep_map(&out->prep), out->prep.log_rate, kern,
                     err));
    out->cov = opt->cov;
    if (opt->cov) out->ae.cov = ql_covariates_values(opt->cov);
    if (opt->layer_epochs > 0) QL_TRY(ql_pretrain_layers(out, counts, opt, &sizes, kern, err));
    if (opt->start) QL_TRY(opt->start->set(opt->start->ctx, out, err));
    return ql_library_prior_fit(&out->ae, counts, out->prep.kept_cell, out->prep.n_kept_cells,
                                !opt->start, err);
}

/* How the code is used by all cells. */
static ql_status measure_codes(const ql_rows *counts, ql_fitted *f, ql_err *err)
{
    const int64_t *cells = f->prep.kept_cell, n = f->prep.n_kept_cells;
    if (ql_ae_code_is_output(&f->ae.cfg))
        QL_TRY(ql_measure_code(&f->ae, counts, cells, n, &f->code, err));
    if (!f->ae.cfg.vae.on) return QL_OK;
    QL_TRY(ql_measure_latent(&f->ae, counts, cells, n, false, &f->latent, err));
    return ql_measure_latent(&f->ae, counts, cells, n, true, &f->second, err);
}

ql_status ql_fit(ql_rows *counts, const ql_fit_options *opt, const ql_kern *kern,
                 const ql_train_listener *listener, ql_fitted *out, ql_err *err)
{
    ql_status st;
    *out = (ql_fitted){.train = opt->train};
    out->train.thinned = opt->train.thinned && opt->train.molecules &&
                         !opt->ae.likelihood->of_inputs; /* other molecules' inputs are others */
    QL_GO(build(counts, opt, kern, out, err));
    QL_GO(ql_train(&out->ae, counts, &out->split, &out->train, listener, &out->result, err));
    if (opt->fit_theta) QL_GO(ql_fitted_theta(out, counts, err));
    if (opt->shrink_genes) QL_GO(ql_shrink_genes(out, counts, err));
    QL_GO(measure_codes(counts, out, err));
    const ql_held_out report = ql_split_report(&out->split);
    if (out->split.n_valid > 0 && opt->train.molecules) QL_GO(ql_fitted_judge(out, &report, err));
out:
    if (st != QL_OK) ql_fitted_free(out);
    return st;
}

/* On held-out molecules of the genes of the file, which are renumbered in place to the model's. */
static ql_status score_held(ql_fitted *f, const ql_csr *seen, ql_csr *held, ql_score *out,
                            ql_err *err)
{
    const ql_held_out parts = {seen, held, NULL};
    int32_t *renumber;
    QL_TRY(QL_NEW(renumber, held->n_cols, "gene list", err));
    for (int64_t g = 0; g < held->n_cols; g++) renumber[g] = -1;
    for (int64_t g = 0; g < f->prep.n_kept_genes; g++) renumber[f->prep.kept_gene[g]] = (int32_t)g;
    double lost = ql_csr_keep_columns(held, renumber, f->prep.n_kept_genes);
    ql_free(renumber);
    return ql_score_model(&f->ae, &parts, f->prep.gene_total, lost, f->theta, out, err);
}

ql_status ql_cross_validate(const ql_rows *counts, uint64_t seed, const ql_fit_call *fit,
                            ql_score *out, ql_err *err)
{
    ql_csr seen = {0}, held = {0};
    ql_fitted fitted = {0};
    int64_t *rows;
    ql_status st;
    QL_TRY(ql_rows_list(counts->n_rows, &rows, err));
    QL_GO(ql_thin_rows(counts, rows, counts->n_rows, QL_HELD_SHARE, seed, QL_RNG_MCV, &seen, &held,
                       err));
    ql_rows input = ql_rows_of_csr(&seen);
    QL_GO(fit->run(fit->ctx, &input, &fitted, err));
    QL_GO(score_held(&fitted, &seen, &held, out, err));
out:
    ql_fitted_free(&fitted);
    ql_csr_free(&seen);
    ql_csr_free(&held);
    ql_free(rows);
    return st;
}
