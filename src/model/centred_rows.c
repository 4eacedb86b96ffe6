#include "centred_rows.h"

#include <string.h>

#include "quell/alloc.h"
#include "quell/parallel.h"

enum { BLOCK = QL_PCA_BLOCK, SLABS = QL_PCA_SLABS };

int64_t ql_centred_bytes(const ql_rows *counts)
{
    int64_t row = ql_pad(counts->max_row) * (int64_t)(sizeof(int32_t) + sizeof(ql_real));
    return SLABS * (counts->n_cols * BLOCK * 8 + row + ql_cursor_bytes(counts->max_row) + 1024);
}

ql_status ql_centred_open(ql_centred *c, const ql_rows *counts, const ql_prep *prep,
                          const ql_kern *kern, int threads, ql_err *err)
{
    *c = (ql_centred){.counts = counts, .prep = prep, .kern = kern, .threads = threads};
    c->room = ql_pad(counts->max_row);
    QL_TRY(QL_NEW(c->shift_p, BLOCK, "products", err));
    QL_TRY(QL_NEW(c->sums, SLABS * prep->n_kept_genes * BLOCK, "products", err));
    QL_TRY(QL_NEW(c->totals, SLABS * BLOCK, "products", err));
    QL_TRY(QL_NEW(c->squares, SLABS, "products", err));
    QL_TRY(QL_NEW(c->gene, SLABS * c->room, "products", err));
    QL_TRY(QL_NEW(c->value, SLABS * c->room, "products", err));
    for (int i = 0; i < SLABS; i++) QL_TRY(ql_cursor_open(&c->cursor[i], counts, err));
    return QL_OK;
}

void ql_centred_close(ql_centred *c)
{
    void *const owned[] = {c->shift_p, c->sums, c->totals, c->squares, c->gene, c->value};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) ql_free(owned[i]);
    for (int i = 0; i < SLABS; i++) ql_cursor_close(&c->cursor[i]);
    *c = (ql_centred){0};
}

/* A cell's entries as inputs, without their constant part. */
typedef struct {
    int64_t n;
    const int32_t *gene;
    const ql_real *value;
} inputs;

static inputs inputs_of(ql_centred *c, int64_t slab, int64_t row)
{
    const ql_prep *prep = c->prep;
    ql_row_view view = ql_cursor_row(&c->cursor[slab], row);
    int32_t *gene = c->gene + slab * c->room;
    ql_real *value = c->value + slab * c->room;
    memcpy(gene, view.gene, (size_t)view.n * sizeof *gene);
    for (int64_t k = 0; k < view.n; k++) value[k] = (ql_real)view.count[k];
    for (int64_t k = view.n; k < ql_pad(view.n); k++) {
        gene[k] = 0;
        value[k] = 0;
    }
    double size = prep->opt.size_factors ? prep->total[row] / prep->median_total : 1;
    c->kern->input_values(ql_pad(view.n), value, gene, (ql_real)(1 / size), prep->inv_sd,
                          prep->opt.log, value);
    return (inputs){view.n, gene, value};
}

/* y = the cell's inputs times p. */
static void times_p(const ql_centred *c, const inputs *x, double y[BLOCK])
{
    memcpy(y, c->shift_p, BLOCK * sizeof *y);
    for (int64_t k = 0; k < x->n; k++) {
        const double v = (double)x->value[k], *p = c->p + (int64_t)x->gene[k] * BLOCK;
        for (int j = 0; j < BLOCK; j++) y[j] += v * p[j];
    }
}

static int64_t slab_start(const ql_centred *c, int64_t slab)
{
    return slab * c->prep->n_kept_cells / SLABS;
}

/* sum += x' y over the slab's cells */
static void square_slab(void *ctx, int64_t slab)
{
    ql_centred *c = ctx;
    const int64_t size = c->prep->n_kept_genes * BLOCK;
    double *sum = c->sums + slab * size, *total = c->totals + slab * BLOCK, y[BLOCK];
    memset(sum, 0, (size_t)size * sizeof *sum);
    memset(total, 0, BLOCK * sizeof *total);
    for (int64_t i = slab_start(c, slab); i < slab_start(c, slab + 1); i++) {
        const inputs x = inputs_of(c, slab, c->prep->kept_cell[i]);
        times_p(c, &x, y);
        for (int j = 0; j < BLOCK; j++) total[j] += y[j];
        for (int64_t k = 0; k < x.n; k++) {
            const double v = (double)x.value[k];
            double *to = sum + (int64_t)x.gene[k] * BLOCK;
            for (int j = 0; j < BLOCK; j++) to[j] += v * y[j];
        }
    }
}

static void begin_pass(ql_centred *c, const double *p)
{
    const ql_prep *prep = c->prep;
    c->p = p;
    memset(c->shift_p, 0, BLOCK * sizeof *c->shift_p);
    for (int64_t g = 0; g < prep->n_kept_genes; g++)
        for (int j = 0; j < BLOCK; j++) c->shift_p[j] += (double)prep->shift[g] * p[g * BLOCK + j];
}

ql_status ql_centred_square(ql_centred *c, const double *p, double *out, ql_err *err)
{
    const int64_t genes = c->prep->n_kept_genes;
    double total[BLOCK] = {0};
    begin_pass(c, p);
    ql_parallel_for(c->threads, SLABS, square_slab, c);
    for (int s = 0; s < SLABS; s++)
        for (int j = 0; j < BLOCK; j++) total[j] += c->totals[s * BLOCK + j];
    for (int64_t g = 0; g < genes; g++)
        for (int j = 0; j < BLOCK; j++) {
            double sum = (double)c->prep->shift[g] * total[j];
            for (int s = 0; s < SLABS; s++) sum += c->sums[(s * genes + g) * BLOCK + j];
            out[g * BLOCK + j] = sum;
        }
    return ql_rows_check(c->counts, err);
}

static void score_slab(void *ctx, int64_t slab)
{
    ql_centred *c = ctx;
    double y[BLOCK];
    for (int64_t i = slab_start(c, slab); i < slab_start(c, slab + 1); i++) {
        const int64_t row = c->prep->kept_cell[i];
        const inputs x = inputs_of(c, slab, row);
        times_p(c, &x, y);
        for (int64_t j = 0; j < c->n; j++) c->out[row * c->stride + c->column + j] = (float)y[j];
    }
}

ql_status ql_centred_scores(ql_centred *c, const double *p, float *out, int64_t stride,
                            int64_t column, int64_t n, ql_err *err)
{
    begin_pass(c, p);
    c->out = out;
    c->stride = stride;
    c->column = column;
    c->n = n;
    ql_parallel_for(c->threads, SLABS, score_slab, c);
    return ql_rows_check(c->counts, err);
}

/* What the entries add to the squares of a cell without counts. */
static void norm_slab(void *ctx, int64_t slab)
{
    ql_centred *c = ctx;
    double sum = 0;
    for (int64_t i = slab_start(c, slab); i < slab_start(c, slab + 1); i++) {
        const inputs x = inputs_of(c, slab, c->prep->kept_cell[i]);
        for (int64_t k = 0; k < x.n; k++) {
            const double v = (double)x.value[k];
            sum += v * (v + 2 * (double)c->prep->shift[x.gene[k]]);
        }
    }
    c->squares[slab] = sum;
}

ql_status ql_centred_norm(ql_centred *c, double *sum, ql_err *err)
{
    double empty = 0;
    ql_parallel_for(c->threads, SLABS, norm_slab, c);
    for (int64_t g = 0; g < c->prep->n_kept_genes; g++)
        empty += (double)c->prep->shift[g] * (double)c->prep->shift[g];
    *sum = empty * (double)c->prep->n_kept_cells;
    for (int s = 0; s < SLABS; s++) *sum += c->squares[s];
    return ql_rows_check(c->counts, err);
}
