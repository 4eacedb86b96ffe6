/* quell sample: cells drawn from a generative model, and how real they look. */
#include <string.h>

#include "generate/use_run.h"
#include "input/compression.h"
#include "quell/alloc.h"
#include "quell/h5ad_writer.h"
#include "quell/realism.h"
#include "quell/sampling.h"

typedef struct {
    ql_common_args common;
    use_args use;
    const char *output, *check, *select, *label, *compression;
    bool prior;
    int64_t number;
    double library, ridge;
    int folds;
} sample_args;

#define S sample_args
/* clang-format off */
static const ql_option sample_rows[] = {
    {.name = "prior", QL_FLAG_AT(S, prior), .group = "Samples",
     .help = "codes from the prior, not from cells' posteriors",
     .more = "A sample still goes with a cell of the input: its number of molecules and its batch are that "
             "cell's, unless --library and --decode-as say otherwise."},
    {.name = "label", QL_STRING_AT(S, label), .group = "Samples", .unset = "any, each as likely",
     .help = "codes of the prior of this label", .more = "Of models of --labels-as scanvi, with --prior."},
    {.name = "select", QL_STRING_AT(S, select), .unit = "CELLS", .group = "Samples", .unset = "all",
     .help = "cells of the input that samples go with",
     .more = "CELLS are terms COLUMN=VALUE or COLUMN!=VALUE with commas between; VALUE may be several, "
             "with | between."},
    {.name = "number", .letter = 'n', QL_INT64_AT(S, number), .min = 1, .max = 1e9, .group = "Samples",
     .unset = "one for each cell", .help = "samples, for cells drawn with replacement"},
    {.name = "library", QL_DOUBLE_AT(S, library), .min = 0, .max = 1e9, .bits = QL_OPT_MIN_EXCLUDED,
     .unset = "as their cells", .group = "Samples", .help = "molecules that a sample is expected to have"},
    {.name = "output", .letter = 'o', QL_STRING_AT(S, output), .unit = "FILE", .group = "Output",
     .bits = QL_OPT_VOLATILE, .help = "the h5ad to write",
     .more = "X: counts. obs: origin (posterior, prior), cell and library. obsm/X_vae: the codes."},
    {.name = "compression", QL_STRING_AT(S, compression), .def = "gzip", .unit = "none|gzip[:LEVEL]",
     .group = "Output", .help = "compression of what is written"},
    {.name = "check", QL_STRING_AT(S, check), .unit = "FILE", .group = "Check", .bits = QL_OPT_VOLATILE,
     .help = "compare samples and cells: a table, .tsv, .csv, .gz",
     .more = "Figures of both side by side, and how well a logistic classifier tells them apart "
             "(cross-validated AUROC, 0.5: not at all). Give cells that the model was not trained on."},
    {.name = "folds", QL_INT_AT(S, folds), .def = "5", .min = 2, .max = 100, .group = "Check",
     .level = QL_OPT_EXPERT, .help = "folds of the cross-validation"},
    {.name = "ridge", QL_DOUBLE_AT(S, ridge), .def = "1", .min = 0, .max = 1e9, .group = "Check",
     .level = QL_OPT_EXPERT, .help = "penalty of the classifier, 1 / C"},
    {.name = NULL},
};
/* clang-format on */
#undef S

typedef struct {
    const sample_args *a;
    use_run *u;
    int64_t *chosen, n_chosen; /* cells of the input */
    int64_t *row, n;           /* cell of each sample */
    double *library;           /* [n] */
    ql_csr counts;
    float *z; /* [n, n_latent] that were decoded */
} job;

static void release(job *j)
{
    ql_free(j->chosen);
    ql_free(j->row);
    ql_free(j->library);
    ql_free(j->z);
    ql_csr_free(&j->counts);
}

static ql_status choose(job *j)
{
    const sample_args *a = j->a;
    const use_run *u = j->u;
    ql_err *err = &u->run->err;
    ql_rng rng = ql_rng_start(u->seed, QL_RNG_CELLS, 2, 0);
    QL_TRY(use_run_select(u, "--select", a->select, &j->chosen, &j->n_chosen, err));
    j->n = a->number > 0 ? a->number : j->n_chosen;
    QL_TRY(QL_NEW(j->row, j->n, "cells of samples", err));
    QL_TRY(QL_NEW(j->library, j->n, "libraries", err));
    QL_TRY(QL_NEW(j->z, j->n * u->g.n_latent, "codes", err));
    for (int64_t i = 0; i < j->n; i++) {
        const int64_t k = a->number > 0 ? ql_rng_below(&rng, (uint32_t)j->n_chosen) : i;
        j->row[i] = j->chosen[k];
        j->library[i] = a->library > 0 ? a->library : u->total[j->row[i]];
    }
    return QL_OK;
}

/* ---- the file ---- */

static ql_status copy_text(char **to, const char *text, ql_err *err)
{
    QL_TRY(QL_NEW(*to, (int64_t)strlen(text) + 1, "a name", err));
    memcpy(*to, text, strlen(text));
    return QL_OK;
}

/* Names and columns of the samples. */
static ql_status describe(const job *j, ql_frame *cells, ql_err *err)
{
    const char *origin = j->a->prior ? "prior" : "posterior";
    ql_names origins = {0}, sources = {0};
    ql_str name = {0};
    ql_status st = QL_OK;
    for (int64_t i = 0; i < j->n && st == QL_OK; i++) {
        const char *source = ql_name(&j->u->f.ds.cells.index, j->row[i]);
        ql_str_clear(&name);
        ql_str_printf(&name, "sample%lld", (long long)i + 1);
        QL_GO(ql_names_add(&cells->index, ql_str_text(&name), strlen(ql_str_text(&name)), err));
        QL_GO(ql_names_add(&origins, origin, strlen(origin), err));
        QL_GO(ql_names_add(&sources, source, strlen(source), err));
    }
    QL_GO(ql_frame_add(cells, "origin", QL_COL_STRING, &origins, err));
    QL_GO(ql_frame_add(cells, "cell", QL_COL_STRING, &sources, err));
    QL_GO(ql_frame_add(cells, "library", QL_COL_F64, j->library, err));
out:
    ql_names_free(&origins);
    ql_names_free(&sources);
    ql_str_free(&name);
    return st;
}

static ql_status add_results(const job *j, ql_h5ad_writer *w, ql_err *err)
{
    const sample_args *a = j->a;
    QL_TRY(ql_h5ad_matrix(w, "obsm/X_vae", j->z, j->n, j->u->g.n_latent, err));
    QL_TRY(ql_h5ad_string(w, "uns/quell/sample/version", QL_VERSION, err));
    QL_TRY(ql_h5ad_string(w, "uns/quell/sample/X",
                          "counts drawn from the model: no cells were measured", err));
    QL_TRY(ql_h5ad_string(w, "uns/quell/sample/origin", a->prior ? "prior" : "posterior", err));
    QL_TRY(ql_h5ad_int(w, "uns/quell/sample/seed", (int64_t)j->u->seed, err));
    if (a->use.decode_as)
        QL_TRY(ql_h5ad_string(w, "uns/quell/sample/decoded_as", a->use.decode_as, err));
    if (a->label) QL_TRY(ql_h5ad_string(w, "uns/quell/sample/label", a->label, err));
    return QL_OK;
}

static ql_status write_samples(job *j, int deflate)
{
    ql_err *err = &j->u->run->err;
    const ql_write_options how = {
        .force = j->a->use.force, .deflate = deflate, .threads = j->u->run->threads};
    ql_dataset ds = {.counts = j->counts, .is_counts = true};
    ql_h5ad_writer *w = NULL;
    ql_status st;
    QL_GO(copy_text(&ds.path, j->u->f.ds.path, err));
    QL_GO(copy_text(&ds.format, "sample", err));
    QL_GO(copy_text(&ds.matrix, "X", err));
    QL_GO(describe(j, &ds.cells, err));
    QL_GO(ql_names_copy(j->u->model.genes, &ds.genes.index, err));
    QL_GO(ql_h5ad_begin(j->a->output, &ds, &how, NULL, &w, err));
    st = add_results(j, w, err);
    if (st == QL_OK)
        st = ql_h5ad_commit(w, err);
    else
        ql_h5ad_abort(w);
    if (st == QL_OK)
        ql_log_info(j->u->run->log, "wrote %s: %lld samples", j->a->output, (long long)j->n);
out:
    ds.counts = (ql_csr){0}; /* the job's */
    ql_dataset_free(&ds);
    return st;
}

/* ---- the check ---- */

/* The cells' counts as a matrix of their own. */
static ql_status real_counts(const job *j, ql_csr *out, ql_err *err)
{
    ql_row_cursor c;
    int64_t nnz = 0, at = 0;
    QL_TRY(ql_cursor_open(&c, &j->u->f.rows, err));
    for (int64_t i = 0; i < j->n; i++) nnz += ql_cursor_row(&c, j->row[i]).n;
    ql_cursor_close(&c);
    QL_TRY(ql_csr_alloc(out, j->n, j->u->g.n_genes, nnz, err));
    QL_TRY(ql_cursor_open(&c, &j->u->f.rows, err));
    for (int64_t i = 0; i < j->n; i++) {
        const ql_row_view row = ql_cursor_row(&c, j->row[i]);
        memcpy(out->indices + at, row.gene, (size_t)row.n * sizeof *row.gene);
        memcpy(out->data + at, row.count, (size_t)row.n * sizeof *row.count);
        out->indptr[i + 1] = at += row.n;
    }
    ql_cursor_close(&c);
    return ql_rows_check(&j->u->f.rows, err);
}

static ql_status encode_samples(const job *j, float *z, ql_err *err)
{
    const ql_rows rows = ql_rows_of_csr(&j->counts);
    int64_t *own = NULL;
    QL_TRY(ql_rows_list(j->n, &own, err));
    const ql_gen_cells cells = {.counts = &rows, .row = own, .cell = j->row, .n = j->n};
    ql_status st = ql_gen_encode(&j->u->g, &cells, z, NULL, err);
    ql_free(own);
    return st;
}

static ql_status realism(const job *j, ql_realism *out)
{
    ql_err *err = &j->u->run->err;
    const ql_folds how = {.folds = j->a->folds,
                          .threads = j->u->run->threads,
                          .ridge = j->a->ridge,
                          .seed = j->u->seed};
    ql_csr real = {0};
    float *real_z = NULL, *sampled_z = NULL;
    ql_status st;
    QL_GO(real_counts(j, &real, err));
    QL_GO(use_run_encode(j->u, j->row, j->n, &real_z, err));
    QL_GO(QL_NEW(sampled_z, j->n * j->u->g.n_latent, "codes", err));
    QL_GO(encode_samples(j, sampled_z, err));
    QL_GO(ql_realism_checks(&real, &j->counts, out, err));
    const ql_realism_cells cells = {&real, &j->counts, real_z, sampled_z, j->u->g.n_latent};
    QL_GO(ql_realism_classify(&cells, &how, out, err));
out:
    ql_csr_free(&real);
    ql_free(real_z);
    ql_free(sampled_z);
    return st;
}

static ql_status fill_frame(const ql_realism *r, ql_frame *frame, ql_err *err)
{
    double number[3][QL_REALISM_MOST];
    ql_names measure = {0}, unit = {0};
    ql_status st;
    for (int k = 0; k < r->n; k++) {
        const ql_realism_row *row = &r->row[k];
        number[0][k] = row->real;
        number[1][k] = row->sampled;
        number[2][k] = row->agreement;
        QL_GO(ql_names_add(&frame->index, row->name, strlen(row->name), err));
        QL_GO(ql_names_add(&measure, row->measure, strlen(row->measure), err));
        QL_GO(ql_names_add(&unit, row->unit, strlen(row->unit), err));
    }
    QL_GO(use_column(frame, "real", number[0], err));
    QL_GO(use_column(frame, "sampled", number[1], err));
    QL_GO(use_column(frame, "comparison", number[2], err));
    QL_GO(ql_frame_add(frame, "comparison_is", QL_COL_STRING, &measure, err));
    QL_GO(ql_frame_add(frame, "unit", QL_COL_STRING, &unit, err));
out:
    ql_names_free(&measure);
    ql_names_free(&unit);
    return st;
}

static ql_status check_samples(job *j)
{
    ql_realism r = {0};
    ql_frame frame = {0};
    ql_logger *log = j->u->run->log;
    QL_TRY(realism(j, &r));
    for (int k = 0; k < r.n; k++) {
        const ql_realism_row *row = &r.row[k];
        if (row->real == row->real)
            ql_log_info(log, "  %-28s real %10.4g  sampled %10.4g", row->name, row->real,
                        row->sampled);
        if (row->agreement == row->agreement)
            ql_log_info(log, "  %-28s %s %.4f", row->name, row->measure, row->agreement);
        if (!strncmp(row->name, "auroc", 5))
            ql_summary_double(j->u->run->summary, row->name, row->agreement);
    }
    ql_status st = fill_frame(&r, &frame, &j->u->run->err);
    if (st == QL_OK) st = use_write_table(j->u, j->a->check, &frame);
    ql_frame_free(&frame);
    return st;
}

/* ---- the run ---- */

/* The label that codes of the prior are of. */
static ql_status find_label(const job *j, int64_t *label)
{
    const use_run *u = j->u;
    const ql_covariates *cov = u->f.fitted.cov;
    const char *name = j->a->label;
    *label = QL_ANY_LABEL;
    if (!name) return QL_OK;
    if (u->g.n_labels == 0)
        return ql_fail(&u->run->err, QL_EUSAGE,
                       "--label %s: the codes of this model have no labels (--labels-as scanvi)",
                       name);
    return use_find_level(&cov->labels, cov->label, "--label", name, label, &u->run->err);
}

static ql_status work_on(job *j, int deflate)
{
    const use_run *u = j->u;
    int64_t label;
    QL_TRY(find_label(j, &label));
    QL_TRY(choose(j));
    const ql_sampling s = {
        .prior = j->a->prior,
        .label = label,
        .cells = {.counts = &u->f.rows, .row = j->row, .n = j->n},
        .total = u->total,
        .library = j->library,
        .batch = u->batch,
        .seed = u->seed,
    };
    QL_TRY(ql_sample(&u->g, &s, &j->counts, j->z, &u->run->err));
    ql_summary_int(u->run->summary, "samples", j->n);
    if (j->a->check) QL_TRY(check_samples(j));
    return j->a->output ? write_samples(j, deflate) : QL_OK;
}

static ql_status check(const void *args, ql_run *run)
{
    const sample_args *a = args;
    int deflate;
    QL_TRY(ql_compression_level(a->compression, 4, &deflate, &run->err));
    if (!a->output && !a->check)
        return ql_fail(&run->err, QL_EUSAGE, "nothing to write: give --output or --check");
    if (a->label && !a->prior)
        return ql_fail(&run->err, QL_EUSAGE, "--label is of codes of the prior: give --prior too");
    if (a->check && a->number > 0)
        return ql_fail(&run->err, QL_EUSAGE,
                       "--check compares each cell with its sample: leave "
                       "out --number");
    return QL_OK;
}

static ql_status work(const void *args, use_run *u)
{
    job j = {.a = args, .u = u};
    int deflate = 0;
    ql_status st = ql_compression_level(j.a->compression, 4, &deflate, &u->run->err);
    if (st == QL_OK) st = work_on(&j, deflate);
    release(&j);
    return st;
}

/* Samples have about as many entries as their cells; the check has the cells' counts as well. */
static int64_t sample_bytes(const void *args, const ql_rows *shape, const ql_fit_options *fit)
{
    enum { ENTRY = 8, GROWTH = 2, CELL = 128, GENE = 160, CODES = 5 };
    const sample_args *a = args;
    const int64_t n = a->number > 0 ? a->number : shape->n_rows;
    const double per_cell = shape->n_rows > 0 ? (double)shape->nnz / (double)shape->n_rows : 0;
    const int64_t counts = (int64_t)(per_cell * (double)n) * ENTRY;
    const int64_t checking = a->check ? 2 * counts + fit->threads * shape->n_cols * GENE : 0;
    return GROWTH * counts + checking + n * CELL + CODES * use_code_bytes(n, fit) +
           use_decode_bytes(shape, 4) + shape->n_cols * GENE;
}

static const use_command sample_use = {
    .use = offsetof(sample_args, use),
    .output = {offsetof(sample_args, output), offsetof(sample_args, check)},
    .any_counts = true,
    .check = check,
    .bytes = sample_bytes,
    .work = work,
};

static ql_status sample_run(const void *args, ql_run *run)
{
    return use_run_work(&sample_use, args, run);
}

static const ql_opt_table tables[] = {{sample_rows, 0}, USE_TABLES(sample_args, use), {NULL, 0}};

const ql_command ql_cmd_sample = {
    .name = "sample",
    .group = "Generative models",
    .summary = "cells drawn from a model, and whether they look real",
    .positionals = use_positionals,
    .examples = {{"quell sample pbmc.h5ad -m vae.quell.h5 -o samples.h5ad",
                  "one posterior predictive sample for each cell"},
                 {"quell sample held_out.h5ad -m vae.quell.h5 --check check.tsv",
                  "can samples be told from real cells?"}},
    .tables = tables,
    QL_ARGS(sample_args),
    .run = sample_run,
};
