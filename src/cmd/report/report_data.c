#include "report_data.h"

#include <math.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/reader.h"

#define RUN "uns/quell/denoise"

void report_data_free(report_data *d)
{
    ql_results_close(d->file);
    ql_dataset_free(&d->ds);
    ql_str_free(&d->matrix);
    ql_str_free(&d->key);
    ql_free(d->loss);
    ql_free(d->validation);
    ql_free(d->depth);
    ql_free(d->raw);
    ql_free(d->denoised);
    ql_free(d->place[0]);
    ql_free(d->place[1]);
}

/* ---- counts ---- */

static ql_status read_counts(const char *path, ql_run *run, report_data *d)
{
    static const char layers[] = "layers/";
    const char *matrix = ql_str_text(&d->matrix);
    const bool layer = strncmp(matrix, layers, strlen(layers)) == 0;
    const ql_read_options opt = {.format = "h5ad",
                                 .layer = layer ? matrix + strlen(layers) : NULL,
                                 .use_raw = strcmp(matrix, "raw/X") == 0,
                                 .use_x = strcmp(matrix, "X") == 0,
                                 .allow_noncounts = true,
                                 .columns = true,
                                 .threads = run->threads};
    ql_notes notes = {0};
    ql_status st = ql_read_counts(path, &opt, &d->ds, &notes, &run->err);
    ql_notes_free(&notes);
    if (st != QL_OK) return st;
    QL_TRY(QL_NEW(d->depth, d->ds.counts.n_rows, "depths", &run->err));
    ql_csr_sums(&d->ds.counts, d->depth, NULL);
    return QL_OK;
}

/* ---- genes ---- */

static void take_raw(report_data *d)
{
    const ql_csr *m = &d->ds.counts;
    for (int64_t i = 0; i < m->n_rows; i++)
        for (int64_t k = m->indptr[i]; k < m->indptr[i + 1]; k++)
            for (int g = 0; g < d->n_genes; g++)
                if (d->gene[g] == m->indices[k]) d->raw[g * m->n_rows + i] = m->data[k];
}

/* Values on another scale cannot stand beside counts. Files that do not say so are older, and
 * counts. */
static bool on_scale_of_counts(const ql_h5ad_results *file)
{
    ql_str name = {0};
    const bool other = ql_results_text(file, RUN "/scale_name", &name) &&
                       strcmp(ql_str_text(&name), "counts") != 0;
    ql_str_free(&name);
    return !other;
}

static ql_status read_genes(const char *named, report_data *d, ql_run *run)
{
    const ql_csr *m = &d->ds.counts;
    QL_TRY(report_choose_genes(named, d, &run->err));
    if (d->n_genes == 0) return QL_OK;
    QL_TRY(QL_NEW(d->raw, d->n_genes * m->n_rows, "counts of genes", &run->err));
    QL_TRY(QL_NEW(d->denoised, d->n_genes * m->n_rows, "values of genes", &run->err));
    take_raw(d);
    if (!on_scale_of_counts(d->file)) return QL_OK;
    const ql_results_pick pick = {m->n_rows, m->n_cols, d->gene, d->n_genes, run->threads};
    return ql_results_columns(d->file, "layers/denoised", &pick, d->denoised, &d->has_denoised,
                              &run->err);
}

/* ---- embedding ---- */

/* The leading direction of the columns of x [n, width] (centred), by powers of their covariance. */
static void leading(const double *cov, int64_t width, double *v, double *next)
{
    enum { ROUNDS = 300 };
    for (int64_t i = 0; i < width; i++) v[i] = 1 + 0.01 * (double)i;
    for (int round = 0; round < ROUNDS; round++) {
        double norm = 0;
        for (int64_t i = 0; i < width; i++) {
            next[i] = 0;
            for (int64_t j = 0; j < width; j++) next[i] += cov[i * width + j] * v[j];
            norm += next[i] * next[i];
        }
        if (!(norm > 0)) return;
        for (int64_t i = 0; i < width; i++) v[i] = next[i] / sqrt(norm);
    }
}

static void deflate(double *cov, int64_t width, const double *v)
{
    double value = 0;
    for (int64_t i = 0; i < width; i++)
        for (int64_t j = 0; j < width; j++) value += v[i] * cov[i * width + j] * v[j];
    double norm = 0;
    for (int64_t i = 0; i < width; i++) norm += v[i] * v[i];
    for (int64_t i = 0; norm > 0 && i < width; i++)
        for (int64_t j = 0; j < width; j++)
            cov[i * width + j] -= value * v[i] * v[j] / (norm * norm);
}

static bool cell_is_finite(const ql_frame *f, int64_t i)
{
    for (int c = 0; c < f->n_columns; c++)
        if (!isfinite(((const double *)f->columns[c].values)[i])) return false;
    return true;
}

static double centred(const ql_frame *f, const double *mean, int c, int64_t i)
{
    return ((const double *)f->columns[c].values)[i] - mean[c];
}

static void covariance(const ql_frame *f, double *mean, double *cov)
{
    const int width = f->n_columns;
    double n = 0;
    for (int64_t i = 0; i < f->index.n; i++) {
        if (!cell_is_finite(f, i)) continue;
        n++;
        for (int c = 0; c < width; c++)
            mean[c] += (((const double *)f->columns[c].values)[i] - mean[c]) / n;
    }
    for (int64_t i = 0; i < f->index.n; i++) {
        if (!cell_is_finite(f, i)) continue;
        for (int a = 0; a < width; a++)
            for (int b = 0; b < width; b++)
                cov[a * width + b] += centred(f, mean, a, i) * centred(f, mean, b, i) / n;
    }
}

static ql_status project(const ql_frame *f, report_data *d, ql_err *err)
{
    const int64_t width = f->n_columns, n = f->index.n;
    double *work;
    QL_TRY(QL_NEW(work, width * (width + 3), "principal components", err));
    double *mean = work, *v = mean + width, *next = v + width, *cov = next + width;
    covariance(f, mean, cov);
    for (int axis = 0; axis < 2; axis++) {
        leading(cov, width, v, next);
        deflate(cov, width, v);
        for (int64_t i = 0; i < n; i++) {
            d->place[axis][i] = 0;
            for (int c = 0; c < width; c++) d->place[axis][i] += v[c] * centred(f, mean, c, i);
        }
    }
    ql_free(work);
    return QL_OK;
}

static bool usable(const ql_frame *f)
{
    enum { WIDEST = 512 };
    bool is = f->n_columns >= 2 && f->n_columns <= WIDEST;
    for (int c = 0; is && c < f->n_columns; c++) is = f->columns[c].type == QL_COL_F64;
    return is;
}

static ql_status read_places(const char *path, report_data *d, ql_err *err)
{
    const int64_t n = d->ds.counts.n_rows;
    ql_frame f = {0};
    ql_status st;
    QL_GO(ql_names_copy(&d->ds.cells.index, &f.index, err));
    QL_GO(ql_read_obsm(path, ql_str_text(&d->key), &f, err));
    if (!usable(&f)) goto out;
    for (int axis = 0; axis < 2; axis++) {
        QL_GO(QL_NEW(d->place[axis], n, "an embedding", err));
        memcpy(d->place[axis], f.columns[axis].values, sizeof(double) * (size_t)n);
    }
    if (f.n_columns > 2) QL_GO(project(&f, d, err));
out:
    ql_frame_free(&f);
    return st;
}

/* X_umap if there is one, else what the run wrote: the only member of scale/ that obsm has too. */
static void find_key(report_data *d)
{
    enum { MEMBERS = 100 };
    static const char *const names[] = {"X_umap", "X_dca"};
    ql_names scales = {0}, has = {0};
    if (!ql_results_members(d->file, "obsm", MEMBERS, &has)) return;
    (void)ql_results_members(d->file, RUN "/scale", MEMBERS, &scales);
    for (int64_t i = 0; i < has.n; i++) {
        bool take = !strcmp(ql_name(&has, i), names[1]);
        for (int64_t k = 0; k < scales.n; k++)
            take = take || !strcmp(ql_name(&has, i), ql_name(&scales, k));
        if (!take && strcmp(ql_name(&has, i), names[0]) != 0) continue;
        ql_str_clear(&d->key);
        ql_str_puts(&d->key, ql_name(&has, i));
        if (!strcmp(ql_name(&has, i), names[0])) break;
    }
    ql_names_free(&scales);
    ql_names_free(&has);
}

/* ---- all of it ---- */

static ql_status read_history(report_data *d, ql_err *err)
{
    int64_t n = 0;
    QL_TRY(QL_NEW(d->loss, REPORT_EPOCHS, "the training history", err));
    QL_TRY(QL_NEW(d->validation, REPORT_EPOCHS, "the training history", err));
    if (ql_results_numbers(d->file, RUN "/history/loss", REPORT_EPOCHS, d->loss, &d->n_epochs) &&
        ql_results_numbers(d->file, RUN "/history/validation", REPORT_EPOCHS, d->validation, &n) &&
        n == d->n_epochs)
        return QL_OK;
    d->n_epochs = 0;
    return QL_OK;
}

ql_status report_data_read(const char *path, const char *genes, ql_run *run, report_data *d)
{
    const ql_format *format;
    const ql_read_options look = {.threads = run->threads};
    QL_TRY(ql_format_detect(path, &look, &format, &run->err));
    if (strcmp(format->name, "h5ad") != 0)
        return ql_fail(&run->err, QL_EDATA, "%s: is %s, not an h5ad with results of quell", path,
                       format->name);
    QL_TRY(ql_results_open(path, &d->file, &run->err));
    if (!ql_results_text(d->file, RUN "/matrix", &d->matrix)) {
        ql_fail(&run->err, QL_EDATA, "%s: holds no results of quell (no " RUN ")", path);
        return ql_hint(&run->err, QL_EDATA, "quell denoise %s -o OUT.h5ad makes them", path);
    }
    QL_TRY(read_history(d, &run->err));
    QL_TRY(read_counts(path, run, d));
    QL_TRY(read_genes(genes, d, run));
    find_key(d);
    return d->key.len ? read_places(path, d, &run->err) : QL_OK;
}
