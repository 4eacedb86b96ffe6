/* Reading the counts of a run: planned before, in memory or in a file, with all that the cells' and
 * genes' columns have to say. */
#include <stdlib.h>
#include <string.h>

#include "../input/gene_order.h"
#include "cell_covariates.h"
#include "fit_run.h"
#include "memory_plan.h"
#include "model_type.h"
#include "quell/clock.h"

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
        .trials = f->output.trials || model_type_is_auto(&f->args->model),
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
    return ql_hint(err, st,
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

static ql_status read_options(const fit_run *f, ql_read_options *opt)
{
    QL_TRY(ql_read_args_options(&f->args->read, f->run->threads, opt, &f->run->err));
    opt->allow_noncounts = f->args->allow_noncounts;
    opt->columns = f->output.columns || f->output.model || has_covariates(f);
    return QL_OK;
}

/* The sizes are known: to where the plan says. What only may be too large is read in bands, which
 * tells how large it is. */
static ql_status read_known(fit_run *f, const ql_read_options *opt, const ql_read_sizes *sizes)
{
    bool stream = f->args->stream;
    const memory_plan p = plan_of(f, sizes, 0);
    ql_status st = memory_plan_choose(&p, stream, f->run, &stream);
    if (st == QL_EMEMORY && sizes->rough && sizes->streams) {
        stream = true;
        f->run->err = (ql_err){0};
        st = QL_OK;
    }
    return st == QL_OK ? read_as(f, opt, p.near, stream) : st;
}

/* The counts are there, and all is known of them: they stay, or move into a file. */
static ql_status settle(fit_run *f)
{
    bool stream;
    memory_plan p = final_plan(f);
    QL_TRY(memory_plan_choose(&p, f->ds.store != NULL, f->run, &stream));
    if (stream && !f->ds.store) {
        QL_TRY(ql_dataset_stream(&f->ds, cache_folder(f), p.near, &f->run->err));
        f->rows = ql_dataset_rows(&f->ds);
        p.cache = ql_store_bytes(f->ds.store);
    }
    f->options.train.molecules = f->ds.is_counts;
    memory_plan_tell(&p, stream, stream ? ql_store_folder(f->ds.store) : NULL, f->run);
    return QL_OK;
}

ql_status fit_run_read(fit_run *f, bool *done)
{
    ql_read_options opt;
    ql_read_sizes sizes;
    memory_plan p;
    QL_TRY(read_options(f, &opt));
    QL_TRY(measure(f, &opt, &sizes));
    const bool known = sizes.n_rows > 0;
    *done = f->args->plan != NULL;
    if (*done && known) {
        p = plan_of(f, &sizes, 0);
        return memory_plan_print(&p, f->args->plan, f->run);
    }
    QL_TRY(known ? read_known(f, &opt, &sizes) : read_unknown(f, &opt, &sizes, f->args->stream));
    if (*done) {
        p = plan_next(f, &sizes);
        return memory_plan_print(&p, f->args->plan, f->run);
    }
    QL_TRY(settle(f));
    QL_TRY(read_covariates(f));
    return order_genes(f);
}
