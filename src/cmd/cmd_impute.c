/* quell impute: what masked genes of cells would have. */
#include <math.h>
#include <string.h>

#include "generate/use_run.h"
#include "input/cell_select.h"
#include "input/compression.h"
#include "input/gene_list.h"
#include "quell/alloc.h"
#include "quell/h5ad_writer.h"
#include "quell/impute.h"

typedef struct {
    ql_common_args common;
    use_args use;
    const char *output, *table, *mask, *mask_where, *compression;
    int rounds;
} impute_args;

#define S impute_args
/* clang-format off */
static const ql_option impute_rows[] = {
    {.name = "mask", QL_STRING_AT(S, mask), .unit = "FILE", .group = "Mask",
     .help = "names of genes that are taken as not measured, one a line",
     .more = "Their counts, where the input has them, are not looked at but to say how far off the "
             "imputed ones are."},
    {.name = "mask-where", QL_STRING_AT(S, mask_where), .unit = "GENES", .group = "Mask",
     .help = "the same by columns of var: a modality",
     .more = "Terms COLUMN=VALUE or COLUMN!=VALUE with commas between, such as "
             "feature_types=Antibody Capture."},
    {.name = "rounds", QL_INT_AT(S, rounds), .def = "5", .min = 0, .max = 1000, .group = "Mask",
     .level = QL_OPT_EXPERT, .help = "times that imputed genes are encoded with the others",
     .more = "0: masked genes are 0 to the encoder."},
    {.name = "output", .letter = 'o', QL_STRING_AT(S, output), .unit = "FILE", .group = "Output",
     .bits = QL_OPT_VOLATILE, .help = "the h5ad to write",
     .more = "The input with layers/imputed: expected molecules of the masked genes, at the depth of "
             "each cell's other genes; other genes are not stored in it."},
    {.name = "table", QL_STRING_AT(S, table), .unit = "FILE", .group = "Output", .bits = QL_OPT_VOLATILE,
     .help = "how far off, a masked gene a line: .tsv, .csv, .gz"},
    {.name = "compression", QL_STRING_AT(S, compression), .def = "gzip", .unit = "none|gzip[:LEVEL]",
     .group = "Output", .help = "compression of what is written"},
    {.name = NULL},
};
/* clang-format on */
#undef S

typedef struct {
    const impute_args *a;
    use_run *u;
    uint8_t *masked; /* [model genes] */
    int64_t n_masked;
    int32_t *gene, *column;          /* [n_masked] the model's number; the file's, ascending */
    int64_t *order;                  /* [n_masked] of the columns: place among the masked */
    int64_t *place;                  /* [model genes] among the masked, or -1 */
    ql_impute_sums *sums;            /* [n_masked] */
    double *truth;                   /* [n_masked] scratch: counts of a cell */
    double seen;                     /* molecules of the other genes, of all cells */
    ql_h5ad_writer *writer;          /* the run's; NULL: none is wanted */
    float *band;                     /* [band_rows, n_masked] */
    int64_t band_rows, row, in_band; /* rows of the file written or in the band */
} job;

static void release(job *j)
{
    void *const all[] = {j->masked, j->gene, j->column, j->order,
                         j->place,  j->sums, j->truth,  j->band};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) ql_free(all[i]);
}

/* ---- the mask ---- */

/* Genes of the file, as masked or not, become the model's. */
static ql_status take_mask(job *j, const uint8_t *of_file)
{
    const gene_match *m = &j->u->match;
    ql_err *err = &j->u->run->err;
    for (int64_t g = 0; g < m->n_file; g++)
        if (of_file[g] && m->map[g] >= 0) j->masked[m->map[g]] = 1;
    for (int64_t g = 0; g < m->n_model; g++) j->n_masked += j->masked[g];
    if (j->n_masked == 0)
        return ql_fail(err, QL_EDATA, "none of the masked genes is one of the model's");
    if (j->n_masked == m->n_model)
        return ql_fail(err, QL_EDATA,
                       "all genes of the model are masked: there is nothing to go by");
    QL_TRY(QL_NEW(j->gene, j->n_masked, "masked genes", err));
    QL_TRY(QL_NEW(j->column, j->n_masked, "masked genes", err));
    QL_TRY(QL_NEW(j->order, j->n_masked, "masked genes", err));
    QL_TRY(QL_NEW(j->place, m->n_model, "masked genes", err));
    QL_TRY(QL_NEW(j->sums, j->n_masked, "masked genes", err));
    QL_TRY(QL_NEW(j->truth, j->n_masked, "masked genes", err));
    for (int64_t g = 0, k = 0; g < m->n_model; g++) {
        j->place[g] = j->masked[g] ? k : -1;
        if (j->masked[g]) j->gene[k++] = (int32_t)g;
    }
    for (int64_t g = 0, k = 0; g < m->n_file; g++) {
        if (m->map[g] < 0 || !j->masked[m->map[g]]) continue;
        j->column[k] = (int32_t)g;
        j->order[k++] = j->place[m->map[g]];
    }
    return QL_OK;
}

static ql_status make_mask(job *j)
{
    const ql_frame *genes = &j->u->f.ds.genes;
    ql_err *err = &j->u->run->err;
    uint8_t *of_file = NULL;
    gene_list list = {0};
    ql_status st;
    QL_GO(QL_NEW(of_file, genes->index.n, "masked genes", err));
    QL_GO(QL_NEW(j->masked, j->u->g.n_genes, "masked genes", err));
    if (j->a->mask_where) QL_GO(cell_select("--mask-where", j->a->mask_where, genes, of_file, err));
    if (j->a->mask) QL_GO(gene_list_read(j->a->mask, &genes->index, j->u->run->log, &list, err));
    for (int64_t k = 0; k < list.n; k++) of_file[list.ascending[k]] = 1;
    QL_GO(take_mask(j, of_file));
    ql_log_info(j->u->run->log, "masked: %lld of %lld genes", (long long)j->n_masked,
                (long long)j->u->g.n_genes);
out:
    ql_free(of_file);
    gene_list_free(&list);
    return st;
}

/* ---- how far off ---- */

static ql_status write_genes(const job *j)
{
    enum { MEAN, IMPUTED, CORRELATION, GAIN, N };
    static const char *const names[N] = {"mean", "imputed_mean", "correlation", "gain"};
    const double n = (double)j->u->n_usable;
    ql_err *err = &j->u->run->err;
    double *column = NULL;
    ql_frame frame = {0};
    ql_status st;
    QL_GO(QL_NEW(column, N * j->n_masked, "a table of genes", err));
    for (int64_t k = 0; k < j->n_masked; k++) {
        const char *name = ql_name(j->u->model.genes, j->gene[k]);
        const double of[N] = {j->sums[k].count / n, j->sums[k].expected / n,
                              ql_impute_correlation(&j->sums[k], n),
                              ql_impute_gain(&j->sums[k], j->seen)};
        for (int c = 0; c < N; c++) column[c * j->n_masked + k] = of[c];
        QL_GO(ql_names_add(&frame.index, name, strlen(name), err));
    }
    for (int c = 0; c < N; c++) QL_GO(use_column(&frame, names[c], column + c * j->n_masked, err));
    QL_GO(use_write_table(j->u, j->a->table, &frame));
out:
    ql_free(column);
    ql_frame_free(&frame);
    return st;
}

static void tell(const job *j)
{
    double gain = 0, count = 0, sum = 0, used = 0;
    for (int64_t k = 0; k < j->n_masked; k++) {
        const double r = ql_impute_correlation(&j->sums[k], (double)j->u->n_usable);
        if (j->sums[k].count > 0) gain += ql_impute_gain(&j->sums[k], j->seen) * j->sums[k].count;
        count += j->sums[k].count;
        if (r == r) sum += r, used += 1;
    }
    if (!(count > 0)) {
        ql_log_info(j->u->run->log, "the input has no counts of the masked genes to compare with");
        return;
    }
    ql_log_info(j->u->run->log,
                "masked molecules: gain %.4f nats each over the gene's mean share; mean "
                "correlation of a gene over cells %.4f",
                gain / count, used > 0 ? sum / used : 0.0);
    ql_summary_double(j->u->run->summary, "gain", gain / count);
    if (used > 0) ql_summary_double(j->u->run->summary, "correlation", sum / used);
}

/* ---- the file ---- */

static ql_status flush(job *j, ql_err *err)
{
    if (j->in_band == 0) return QL_OK;
    QL_TRY(ql_h5ad_dense_rows(j->writer, j->band, j->in_band, err));
    j->in_band = 0;
    return QL_OK;
}

/* Row of the file: values, or NULL for a cell that nothing is known of (0). */
static ql_status put_row(job *j, const float *expected, ql_err *err)
{
    float *to = j->band + j->in_band * j->n_masked;
    for (int64_t k = 0; k < j->n_masked; k++) to[k] = expected ? expected[j->order[k]] : 0;
    j->row++;
    if (++j->in_band < j->band_rows) return QL_OK;
    return flush(j, err);
}

static ql_status take_cells(void *ctx, int64_t first, int64_t n, const float *expected,
                            const double *seen, const float *z, ql_err *err)
{
    job *j = ctx;
    const ql_rows *rows = &j->u->f.rows;
    ql_row_cursor c;
    ql_status st = QL_OK;
    (void)z;
    QL_TRY(ql_cursor_open(&c, rows, err));
    for (int64_t i = 0; i < n && st == QL_OK; i++) {
        const int64_t row = j->u->usable[first + i];
        const ql_row_view v = ql_cursor_row(&c, row);
        memset(j->truth, 0, (size_t)j->n_masked * sizeof *j->truth);
        for (int64_t k = 0; k < v.n; k++)
            if (j->place[v.gene[k]] >= 0) j->truth[j->place[v.gene[k]]] = (double)v.count[k];
        j->seen += seen[i];
        for (int64_t k = 0; k < j->n_masked; k++)
            ql_impute_add(&j->sums[k], j->truth[k], (double)expected[i * j->n_masked + k], seen[i],
                          j->u->total[row]);
        while (j->writer && j->row < row && st == QL_OK) st = put_row(j, NULL, err);
        if (j->writer && st == QL_OK) st = put_row(j, expected + i * j->n_masked, err);
    }
    ql_cursor_close(&c);
    return st == QL_OK ? ql_rows_check(rows, err) : st;
}

static ql_status end_file(job *j)
{
    ql_err *err = &j->u->run->err;
    while (j->row < j->u->n_cells) QL_TRY(put_row(j, NULL, err));
    QL_TRY(flush(j, err));
    QL_TRY(ql_h5ad_dense_end(j->writer, err));
    QL_TRY(ql_h5ad_string(j->writer, "uns/quell/impute/version", QL_VERSION, err));
    QL_TRY(
        ql_h5ad_string(j->writer, "uns/quell/impute/layer",
                       "layers/imputed: expected molecules of the masked genes, given the cell's "
                       "other genes and at their depth",
                       err));
    return use_commit_h5ad(j->u, "layers/imputed");
}

static ql_status work_on(job *j)
{
    const use_run *u = j->u;
    ql_err *err = &u->run->err;
    QL_TRY(make_mask(j));
    if (j->a->output) {
        QL_TRY(ql_h5ad_claim(j->writer, "uns/quell/impute", err));
        QL_TRY(ql_h5ad_chosen_begin(j->writer, "layers/imputed", u->n_cells, u->match.n_file,
                                    j->column, j->n_masked, &j->band_rows, err));
        QL_TRY(QL_NEW(j->band, j->band_rows * j->n_masked, "imputed values", err));
    }
    const ql_masking m = {.cells = {.counts = &u->f.rows, .row = u->usable, .n = u->n_usable},
                          .masked = j->masked,
                          .rounds = j->a->rounds,
                          .batch = u->batch};
    const ql_imputed sink = {.cells = take_cells, .ctx = j};
    QL_TRY(ql_impute(&u->g, &m, &sink, err));
    tell(j);
    if (j->a->table) QL_TRY(write_genes(j));
    return j->writer ? end_file(j) : QL_OK;
}

static ql_status check(const void *args, ql_run *run)
{
    const impute_args *a = args;
    int deflate;
    QL_TRY(ql_compression_level(a->compression, 4, &deflate, &run->err));
    if (!a->mask && !a->mask_where)
        return ql_fail(&run->err, QL_EUSAGE, "give --mask FILE or --mask-where COLUMN=VALUE");
    if (!a->output && !a->table)
        return ql_fail(&run->err, QL_EUSAGE, "nothing to write: give --output or --table");
    return QL_OK;
}

static ql_status work(const void *args, use_run *u)
{
    job j = {.a = args, .u = u, .writer = u->writer};
    const ql_status st = work_on(&j);
    release(&j);
    return st;
}

/* How many genes are masked is not known: as if all were. */
static int64_t impute_bytes(const void *args, const ql_rows *shape, const ql_fit_options *fit)
{
    enum { BAND = 256, GENE = 128, CHUNKS = 36 << 20 };
    const impute_args *a = args;
    const int64_t rows = shape->n_rows < BAND ? shape->n_rows : BAND;
    (void)fit;
    const int64_t band = a->output ? 2 * rows * shape->n_cols * (int64_t)sizeof(float) + CHUNKS : 0;
    return use_decode_bytes(shape, 6) + band + shape->n_cols * GENE +
           (a->table ? use_table_bytes(shape->n_cols, 4) : 0);
}

static const use_command impute_use = {
    .use = offsetof(impute_args, use),
    .output = {offsetof(impute_args, output), offsetof(impute_args, table)},
    .h5ad = offsetof(impute_args, output),
    .compression = offsetof(impute_args, compression),
    .any_counts = true,
    .check = check,
    .bytes = impute_bytes,
    .work = work,
};

static ql_status impute_run(const void *args, ql_run *run)
{
    return use_run_work(&impute_use, args, run);
}

static const ql_opt_table tables[] = {{impute_rows, 0}, USE_TABLES(impute_args, use), {NULL, 0}};

const ql_command ql_cmd_impute = {
    .name = "impute",
    .group = "Generative models",
    .summary = "what genes that were not measured would have",
    .positionals = use_positionals,
    .examples = {{"quell impute panel.h5ad -m vae.quell.h5 --mask genes.txt -o out.h5ad",
                  "layers/imputed holds the genes of the list"},
                 {"quell impute x.h5 -m m.h5 --mask-where genome=GRCh38 --table error.tsv",
                  "genes by a column of var, and how far off they are"}},
    .tables = tables,
    QL_ARGS(impute_args),
    .run = impute_run,
};
