#include "quell/preprocess.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/order.h"
#include "quell/parallel.h"

/* Sums over cells are taken in this many slabs of rows, added in order: fixed, so that threads
 * change no bit. */
enum { SLABS = 8, CHUNK = 1024 };

/* Median of the totals of the kept cells: the mean of the middle two for an even number. */
static ql_status median_total(ql_prep *p, ql_err *err)
{
    double *sorted;
    int64_t n = p->n_kept_cells;
    QL_TRY(QL_NEW(sorted, n, "cell totals", err));
    for (int64_t i = 0; i < n; i++) sorted[i] = p->total[p->kept_cell[i]];
    qsort(sorted, (size_t)n, sizeof *sorted, ql_by_value);
    p->median_total = n % 2 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
    ql_free(sorted);
    return QL_OK;
}

/* Molecules of each cell and each gene. */
static ql_status sum_counts(const ql_rows *m, double *cell_total, double *gene_total, ql_err *err)
{
    ql_row_cursor c;
    QL_TRY(ql_cursor_open(&c, m, err));
    for (int64_t i = 0; i < m->n_rows; i++) {
        ql_row_view row = ql_cursor_row(&c, i);
        double sum = 0;
        for (int64_t k = 0; k < row.n; k++) {
            sum += (double)row.count[k];
            gene_total[row.gene[k]] += (double)row.count[k];
        }
        cell_total[i] = sum;
    }
    ql_cursor_close(&c);
    return ql_rows_check(m, err);
}

static ql_status find_kept(const ql_rows *m, ql_prep *p, int32_t **renumber, ql_err *err)
{
    double *gene_total = NULL;
    ql_status st;
    QL_GO(QL_NEW(gene_total, m->n_cols, "gene totals", err));
    QL_GO(QL_NEW(p->total, m->n_rows, "cell totals", err));
    QL_GO(QL_NEW(p->kept_gene, m->n_cols, "gene list", err));
    QL_GO(QL_NEW(p->kept_cell, m->n_rows, "cell list", err));
    QL_GO(QL_NEW(p->gene_total, m->n_cols, "gene totals", err));
    QL_GO(QL_NEW(*renumber, m->n_cols, "gene list", err));
    QL_GO(sum_counts(m, p->total, gene_total, err));
    for (int64_t g = 0; g < m->n_cols; g++) {
        if (!(gene_total[g] > 0)) continue;
        (*renumber)[g] = (int32_t)p->n_kept_genes;
        p->gene_total[p->n_kept_genes] = gene_total[g];
        p->kept_gene[p->n_kept_genes++] = g;
        p->grand_total += gene_total[g];
    }
    for (int64_t i = 0; i < m->n_rows; i++)
        if (p->total[i] > 0) p->kept_cell[p->n_kept_cells++] = i;
    if (p->n_kept_genes == 0 || p->n_kept_cells == 0)
        st = ql_fail(err, QL_EDATA, "the matrix has no counts: all %" PRId64 " entries are zero",
                     m->n_rows * m->n_cols);
out:
    ql_free(gene_total);
    return st;
}

typedef struct {
    const ql_rows *m;
    const ql_prep *p;
    const ql_kern *kern;
    double *sum, *square, *rate; /* [SLABS, genes] */
    ql_row_cursor cursor[SLABS];
} moment_job;

/* The inputs of n counts of a cell, scaled by its size factor. */
static void input_chunk(const moment_job *job, int64_t row, const float *count, int64_t n,
                        ql_real *x)
{
    const ql_prep *p = job->p;
    double size = p->opt.size_factors ? p->total[row] / p->median_total : 1;
    ql_real inv = (ql_real)(1 / size);
    for (int64_t k = 0; k < n; k++) x[k] = (ql_real)count[k] * inv;
    for (int64_t k = n; k < ql_pad(n); k++) x[k] = 0;
}

static void slab_moments(void *ctx, int64_t slab)
{
    moment_job *job = ctx;
    const int64_t n_genes = job->p->n_kept_genes, rows = job->m->n_rows;
    double *sum = job->sum + slab * n_genes, *square = job->square + slab * n_genes;
    double *rate = job->rate + slab * n_genes;
    ql_real x[CHUNK];
    for (int64_t i = slab * rows / SLABS; i < (slab + 1) * rows / SLABS; i++) {
        ql_row_view row = ql_cursor_row(&job->cursor[slab], i);
        for (int64_t k = 0; k < row.n; k += CHUNK) {
            int64_t left = row.n - k, n = left < CHUNK ? left : CHUNK;
            const int32_t *gene = row.gene + k;
            input_chunk(job, i, row.count + k, n, x);
            for (int64_t j = 0; j < n; j++) rate[gene[j]] += (double)x[j];
            if (job->p->opt.log) job->kern->log1p(ql_pad(n), x, x);
            for (int64_t j = 0; j < n; j++) {
                sum[gene[j]] += (double)x[j];
                square[gene[j]] += (double)x[j] * (double)x[j];
            }
        }
    }
}

static double slab_total(const double *slabs, int64_t n_genes, int64_t g)
{
    double s = 0;
    for (int slab = 0; slab < SLABS; slab++) s += slabs[slab * n_genes + g];
    return s;
}

/* What the input layer multiplies and adds, of a gene's mean and sd. */
static void input_scale(ql_prep *p, int64_t g)
{
    p->inv_sd[g] = p->opt.scale ? 1 / p->sd[g] : 1;
    p->shift[g] = p->opt.center ? -p->mean[g] * p->inv_sd[g] : 0;
}

/* Mean and sample standard deviation of one gene's inputs over the kept cells (ddof 1, sd 0 -> 1).
 */
static void gene_scale(ql_prep *p, const moment_job *job, int64_t g)
{
    double n = (double)p->n_kept_cells;
    double mean = slab_total(job->sum, p->n_kept_genes, g) / n;
    double var = slab_total(job->square, p->n_kept_genes, g) / n - mean * mean;
    var = n > 1 ? var * n / (n - 1) : 0;
    double sd = var > 0 ? sqrt(var) : 0;
    /* what is left of a constant gene is rounding, not variance */
    if (sd <= 1e-6 * mean) sd = 0;
    p->mean[g] = (ql_real)mean;
    p->sd[g] = (ql_real)(sd > 0 ? sd : 1);
    input_scale(p, g);
}

/* ln of the mean scaled count, through the kernels' log: it starts the biases, so no libm here. */
static void log_rates(ql_prep *p, const moment_job *job)
{
    ql_real x[CHUNK];
    for (int64_t g0 = 0; g0 < p->n_kept_genes; g0 += CHUNK) {
        int64_t left = p->n_kept_genes - g0, n = left < CHUNK ? left : CHUNK;
        for (int64_t g = 0; g < n; g++)
            x[g] =
                (ql_real)(slab_total(job->rate, p->n_kept_genes, g0 + g) / (double)p->n_kept_cells);
        for (int64_t g = n; g < ql_pad(n); g++) x[g] = 1;
        job->kern->log(ql_pad(n), x, x);
        memcpy(p->log_rate + g0, x, (size_t)n * sizeof *x);
    }
}

static ql_status alloc_scales(ql_prep *p, ql_err *err)
{
    const int64_t g = p->n_kept_genes;
    QL_TRY(QL_NEW(p->mean, g, "gene moments", err));
    QL_TRY(QL_NEW(p->sd, g, "gene moments", err));
    QL_TRY(QL_NEW(p->inv_sd, g, "gene moments", err));
    QL_TRY(QL_NEW(p->shift, g, "gene moments", err));
    return QL_NEW(p->log_rate, g, "gene moments", err);
}

static ql_status gene_moments(const ql_rows *m, const ql_kern *kern, int threads, ql_prep *p,
                              ql_err *err)
{
    const int64_t g = p->n_kept_genes;
    moment_job job = {.m = m, .p = p, .kern = kern};
    ql_status st;
    QL_GO(QL_NEW(job.sum, 3 * SLABS * g, "gene moments", err));
    job.square = job.sum + SLABS * g;
    job.rate = job.square + SLABS * g;
    QL_GO(alloc_scales(p, err));
    for (int i = 0; i < SLABS; i++) QL_GO(ql_cursor_open(&job.cursor[i], m, err));
    ql_parallel_for(threads, SLABS, slab_moments, &job);
    QL_GO(ql_rows_check(m, err));
    for (int64_t i = 0; i < g; i++) gene_scale(p, &job, i);
    log_rates(p, &job);
out:
    for (int i = 0; i < SLABS; i++) ql_cursor_close(&job.cursor[i]);
    ql_free(job.sum);
    return st;
}

ql_status ql_prep_counts(ql_rows *counts, ql_prep_options opt, const ql_kern *kern, int threads,
                         ql_prep *out, ql_err *err)
{
    int32_t *renumber = NULL;
    ql_status st;
    *out = (ql_prep){.opt = opt, .n_cells = counts->n_rows, .n_genes = counts->n_cols};
    QL_GO(find_kept(counts, out, &renumber, err));
    if (out->n_kept_genes < out->n_genes)
        QL_GO(ql_rows_renumber(counts, renumber, out->n_kept_genes, err));
    QL_GO(median_total(out, err));
    QL_GO(gene_moments(counts, kern, threads, out, err));
out:
    ql_free(renumber);
    if (st != QL_OK) ql_prep_free(out);
    return st;
}

static ql_status totals_of_model(const ql_rows *counts, ql_prep *p, ql_err *err)
{
    QL_TRY(QL_NEW(p->total, counts->n_rows, "cell totals", err));
    QL_TRY(QL_NEW(p->kept_cell, counts->n_rows, "cell list", err));
    QL_TRY(QL_NEW(p->kept_gene, p->n_kept_genes, "gene list", err));
    QL_TRY(QL_NEW(p->gene_total, p->n_kept_genes, "gene totals", err));
    QL_TRY(sum_counts(counts, p->total, p->gene_total, err));
    for (int64_t i = 0; i < counts->n_rows; i++)
        if (p->total[i] > 0) p->kept_cell[p->n_kept_cells++] = i;
    for (int64_t g = 0; g < p->n_kept_genes; g++) p->grand_total += p->gene_total[g];
    if (p->n_kept_cells > 0) return QL_OK;
    return ql_fail(err, QL_EDATA, "no cell has counts in the genes of the model");
}

ql_status ql_prep_apply(const ql_rows *counts, ql_prep_options opt, const ql_prep_model *model,
                        ql_prep *out, ql_err *err)
{
    ql_status st;
    *out = (ql_prep){.opt = opt,
                     .n_cells = counts->n_rows,
                     .n_genes = model->n_file_genes,
                     .n_kept_genes = model->n_genes,
                     .median_total = model->median_total};
    QL_GO(alloc_scales(out, err));
    QL_GO(totals_of_model(counts, out, err));
    for (int64_t g = 0; g < model->n_genes; g++) {
        out->kept_gene[g] = model->place[g];
        out->mean[g] = (ql_real)model->mean[g];
        out->sd[g] = (ql_real)model->sd[g];
        input_scale(out, g);
    }
out:
    if (st != QL_OK) ql_prep_free(out);
    return st;
}

typedef struct {
    int64_t rank;
    int32_t gene;
} ranked;

static int compare_ranks(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    return (x->rank > y->rank) - (x->rank < y->rank);
}

ql_status ql_prep_places(ql_prep *p, const int64_t *rank, ql_err *err)
{
    ranked *order;
    QL_TRY(QL_NEW(p->place, p->n_kept_genes, "gene order", err));
    QL_TRY(QL_NEW(order, p->n_kept_genes, "gene order", err));
    for (int64_t g = 0; g < p->n_kept_genes; g++)
        order[g] = (ranked){rank[p->kept_gene[g]], (int32_t)g};
    qsort(order, (size_t)p->n_kept_genes, sizeof *order, compare_ranks);
    for (int64_t i = 0; i < p->n_kept_genes; i++) p->place[order[i].gene] = (int32_t)i;
    ql_free(order);
    return QL_OK;
}

void ql_prep_free(ql_prep *p)
{
    void *const owned[] = {p->kept_gene, p->kept_cell, p->total, p->gene_total, p->mean,
                           p->sd,        p->inv_sd,    p->shift, p->log_rate,   p->place};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) ql_free(owned[i]);
    *p = (ql_prep){0};
}

ql_input_map ql_prep_map(const ql_prep *p)
{
    return (ql_input_map){
        .log = p->opt.log,
        .size_factors = p->opt.size_factors,
        .inv_sd = p->inv_sd,
        .shift = p->opt.center ? p->shift : NULL,
        .median_total = p->median_total,
        .place = p->place,
    };
}

/* What is left of a row, and what is held out of it, go to the ends of kept and held. */
static void thin_row(ql_row_view row, ql_rng *rng, double p, ql_csr *kept, ql_csr *held, int64_t i)
{
    int64_t a = kept->indptr[i], b = held->indptr[i];
    for (int64_t k = 0; k < row.n; k++) {
        uint32_t y = (uint32_t)row.count[k];
        uint32_t out = ql_rng_binomial(rng, y, p);
        if (y > out) {
            kept->indices[a] = row.gene[k];
            kept->data[a++] = (float)(y - out);
        }
        if (out) {
            held->indices[b] = row.gene[k];
            held->data[b++] = (float)out;
        }
    }
    kept->indptr[i + 1] = a;
    held->indptr[i + 1] = b;
}

static ql_status count_entries(const ql_rows *counts, const int64_t *rows, int64_t n, int64_t *nnz,
                               ql_err *err)
{
    ql_row_cursor c;
    QL_TRY(ql_cursor_open(&c, counts, err));
    *nnz = 0;
    for (int64_t i = 0; i < n; i++) *nnz += ql_cursor_row(&c, rows[i]).n;
    ql_cursor_close(&c);
    return ql_rows_check(counts, err);
}

/* Give back what a matrix has more room for than it holds; a failure to is none. */
static void cut_to_size(ql_csr *m)
{
    int64_t nnz = ql_csr_nnz(m);
    int32_t *indices = ql_realloc(m->indices, nnz, sizeof *indices);
    if (indices) m->indices = indices;
    float *data = ql_realloc(m->data, nnz, sizeof *data);
    if (data) m->data = data;
}

ql_status ql_thin_rows(const ql_rows *counts, const int64_t *rows, int64_t n, double p,
                       uint64_t seed, ql_rng_stream stream, ql_csr *kept, ql_csr *held, ql_err *err)
{
    int64_t nnz = 0;
    ql_row_cursor c;
    QL_TRY(count_entries(counts, rows, n, &nnz, err));
    QL_TRY(ql_csr_alloc(kept, n, counts->n_cols, nnz, err));
    QL_TRY(ql_csr_alloc(held, n, counts->n_cols, nnz, err));
    QL_TRY(ql_cursor_open(&c, counts, err));
    for (int64_t i = 0; i < n; i++) {
        ql_rng rng = ql_rng_start(seed, stream, 0, (uint64_t)rows[i]);
        thin_row(ql_cursor_row(&c, rows[i]), &rng, p, kept, held, i);
    }
    ql_cursor_close(&c);
    cut_to_size(kept);
    cut_to_size(held);
    return ql_rows_check(counts, err);
}
