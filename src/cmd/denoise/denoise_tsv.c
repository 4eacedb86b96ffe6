/* DCA's own text files: mean.tsv, latent.tsv, dispersion.tsv, dropout.tsv. Genes and cells without
 * counts are not in them. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "denoise_output.h"
#include "quell/alloc.h"
#include "quell/tsv_writer.h"

enum { BLOCK_BYTES = 64 << 20 };

/* One folder of files in the making. */
typedef struct {
    const denoise_result *r;
    const char *dir;
    ql_names cells, genes; /* those with counts; genes: of the chosen */
    int32_t *chosen;       /* [genes.n] in the order asked for; NULL: all */
    int64_t *kept;         /* [genes.n] their numbers among the kept; NULL: all */
} tsv_job;

static ql_status pick_names(const ql_names *all, const int64_t *which, int64_t n, ql_names *out,
                            ql_err *err)
{
    for (int64_t i = 0; i < n; i++) {
        const char *name = ql_name(all, which[i]);
        QL_TRY(ql_names_add(out, name, strlen(name), err));
    }
    return QL_OK;
}

static ql_status fill_genes(void *ctx, int64_t row0, int64_t n, float *out, ql_err *err)
{
    return ql_predict_genes(ctx, row0, n, out, err);
}

static ql_status write_file(const tsv_job *j, const char *name, ql_tsv_table *table, ql_err *err)
{
    char path[4096];
    if (snprintf(path, sizeof path, "%s/%s", j->dir, name) >= (int)sizeof path)
        return ql_fail(err, QL_ECREATE, "%s: path too long", j->dir);
    table->threads = j->r->run->threads;
    table->force = j->r->args->force;
    return ql_tsv_write(path, table, err);
}

/* genes x cells of one of the model's values. */
static ql_status write_matrix(const tsv_job *j, const char *name, ql_value value, bool header,
                              ql_err *err)
{
    const denoise_result *r = j->r;
    ql_predictor p = {0};
    ql_status st;
    QL_GO(ql_predictor_new(&p, r->fitted, r->rows, value, j->chosen, j->genes.n, err));
    const int64_t row = j->cells.n * (int64_t)sizeof(float);
    const int64_t block = row > 0 ? BLOCK_BYTES / row : 1;
    ql_tsv_table table = {
        .n_rows = j->genes.n,
        .n_cols = j->cells.n,
        .header = header ? &j->cells : NULL,
        .row_names = &j->genes,
        .fill = fill_genes,
        .ctx = &p,
        .block_rows = block < 1            ? 1
                      : block < j->genes.n ? block
                                           : j->genes.n,
    };
    QL_GO(write_file(j, name, &table, err));
out:
    ql_predictor_free(&p);
    return st;
}

/* Rows of an array in memory. */
typedef struct {
    const float *data;
    const int64_t *rows; /* NULL: as they are */
    int64_t width;
} array_rows;

static ql_status fill_array(void *ctx, int64_t row0, int64_t n, float *out, ql_err *err)
{
    const array_rows *a = ctx;
    (void)err;
    for (int64_t i = 0; i < n; i++) {
        int64_t row = a->rows ? a->rows[row0 + i] : row0 + i;
        memcpy(out + i * a->width, a->data + row * a->width, (size_t)a->width * sizeof *out);
    }
    return QL_OK;
}

static ql_status write_latent(const tsv_job *j, ql_err *err)
{
    const denoise_result *r = j->r;
    array_rows a = {.rows = r->fitted->prep.kept_cell, .width = ql_ae_latent_width(&r->fitted->ae)};
    float *latent;
    ql_status st;
    QL_TRY(QL_NEW(latent, r->ds->counts.n_rows * a.width, "the latent space", err));
    QL_GO(ql_predict_latent(r->fitted, r->rows, r->fitted->ae.cfg.latent_at, latent, err));
    a.data = latent;
    ql_tsv_table table = {.n_rows = j->cells.n,
                          .n_cols = a.width,
                          .row_names = &j->cells,
                          .fill = fill_array,
                          .ctx = &a};
    QL_GO(write_file(j, "latent.tsv", &table, err));
out:
    ql_free(latent);
    return st;
}

/* cells x 1: a value that all genes share. */
static ql_status write_shared(const tsv_job *j, const char *name, ql_value value, ql_err *err)
{
    const denoise_result *r = j->r;
    array_rows a = {.width = 1};
    ql_predictor p = {0};
    float *of_cells = NULL;
    ql_status st;
    QL_GO(QL_NEW(of_cells, j->cells.n, "values of the cells", err));
    QL_GO(ql_predictor_new(&p, r->fitted, r->rows, value, NULL, 0, err));
    QL_GO(ql_predict_genes(&p, 0, 1, of_cells, err));
    a.data = of_cells;
    ql_tsv_table table = {
        .n_rows = j->cells.n, .n_cols = 1, .row_names = &j->cells, .fill = fill_array, .ctx = &a};
    QL_GO(write_file(j, name, &table, err));
out:
    ql_predictor_free(&p);
    ql_free(of_cells);
    return st;
}

/* genes x 1: one dispersion per gene. */
static ql_status write_theta(const tsv_job *j, ql_err *err)
{
    array_rows a = {.data = j->r->fitted->theta, .rows = j->kept, .width = 1};
    ql_tsv_table table = {
        .n_rows = j->genes.n, .n_cols = 1, .row_names = &j->genes, .fill = fill_array, .ctx = &a};
    return write_file(j, "dispersion.tsv", &table, err);
}

/* What a head says of cells and genes, in its own shape. */
static ql_status write_head(const tsv_job *j, const char *name, ql_value value, ql_head_kind kind,
                            ql_err *err)
{
    if (kind == QL_KIND_NONE) return QL_OK;
    if (kind == QL_KIND_UNIT) return write_shared(j, name, value, err);
    return write_matrix(j, name, value, false, err);
}

static ql_status write_files(const tsv_job *j, ql_err *err)
{
    ql_value value = j->r->posterior ? QL_VALUE_POSTERIOR : QL_VALUE_MEAN;
    if (j->r->args->denoised) QL_TRY(write_matrix(j, "mean.tsv", value, true, err));
    QL_TRY(write_latent(j, err));
    const ql_head_kind *kind = j->r->fitted->ae.heads.kind;
    QL_TRY(j->r->fitted->theta
               ? write_theta(j, err)
               : write_head(j, "dispersion.tsv", QL_VALUE_THETA, kind[QL_HEAD_DISP], err));
    return write_head(j, "dropout.tsv", QL_VALUE_PI, kind[QL_HEAD_PI], err);
}

ql_status denoise_check_tsv(const char *dir, bool force, ql_err *err)
{
    static const char *const files[] = {"mean.tsv", "latent.tsv", "dispersion.tsv", "dropout.tsv"};
    char path[4096];
    if (mkdir(dir, 0777) == 0) {
        rmdir(dir); /* it could be made, and will be */
        return QL_OK;
    }
    if (errno != EEXIST) return ql_fail(err, QL_ECREATE, "%s: %s", dir, strerror(errno));
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        QL_TRY(ql_output_check(path, NULL, force, err));
    }
    return QL_OK;
}

/* Number of a gene of the file among the model's, or -1. A model from a file has them in an order
 * of its own. */
static int64_t kept_number(const ql_prep *prep, int64_t gene)
{
    for (int64_t g = 0; g < prep->n_kept_genes; g++)
        if (prep->kept_gene[g] == gene) return g;
    return -1;
}

/* The genes of the files: all that have counts, or those of the chosen. */
static ql_status pick_genes(tsv_job *j, ql_err *err)
{
    const ql_prep *prep = &j->r->fitted->prep;
    const gene_list *list = j->r->genes;
    const ql_names *all = &j->r->ds->genes.index;
    if (!list->in_order && j->r->applied) /* all genes of the model, whichever the file has */
        return ql_names_copy(j->r->applied->genes, &j->genes, err);
    if (!list->in_order)
        return pick_names(all, prep->kept_gene, prep->n_kept_genes, &j->genes, err);
    QL_TRY(QL_NEW(j->chosen, list->n, "gene list", err));
    QL_TRY(QL_NEW(j->kept, list->n, "gene list", err));
    for (int64_t i = 0; i < list->n; i++) {
        const int64_t gene = list->in_order[i], number = kept_number(prep, gene);
        if (number < 0) continue;
        j->chosen[j->genes.n] = (int32_t)gene;
        j->kept[j->genes.n] = number;
        QL_TRY(pick_names(all, &gene, 1, &j->genes, err));
    }
    if (j->genes.n > 0) return QL_OK;
    return ql_fail(err, QL_EDATA, "--tsv: none of the genes of %s has counts", j->r->args->genes);
}

/* Those that this model does not write may lie there from an earlier run. */
static ql_status remove_stale(const tsv_job *j, ql_err *err)
{
    const ql_fitted *f = j->r->fitted;
    const ql_head_kind *kind = f->ae.heads.kind;
    const struct {
        const char *name;
        bool written;
    } files[] = {{"mean.tsv", j->r->args->denoised},
                 {"dispersion.tsv", f->theta || kind[QL_HEAD_DISP] != QL_KIND_NONE},
                 {"dropout.tsv", kind[QL_HEAD_PI] != QL_KIND_NONE}};
    char path[4096];
    for (size_t i = 0; i < sizeof files / sizeof *files && j->r->args->force; i++) {
        snprintf(path, sizeof path, "%s/%s", j->dir, files[i].name);
        if (!files[i].written && unlink(path) != 0 && errno != ENOENT)
            return ql_fail(err, QL_ECREATE, "%s: cannot be removed: %s", path, strerror(errno));
    }
    return QL_OK;
}

ql_status denoise_write_tsv(const denoise_result *r, const char *dir, ql_err *err)
{
    const ql_prep *prep = &r->fitted->prep;
    tsv_job j = {.r = r, .dir = dir};
    ql_status st;
    if (mkdir(dir, 0777) != 0 && errno != EEXIST)
        return ql_fail(err, QL_ECREATE, "%s: %s", dir, strerror(errno));
    QL_GO(pick_names(&r->ds->cells.index, prep->kept_cell, prep->n_kept_cells, &j.cells, err));
    QL_GO(pick_genes(&j, err));
    QL_GO(remove_stale(&j, err));
    QL_GO(write_files(&j, err));
out:
    ql_names_free(&j.cells);
    ql_names_free(&j.genes);
    ql_free(j.chosen);
    ql_free(j.kept);
    return st;
}
