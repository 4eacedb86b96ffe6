#include "quell/gene_screen.h"

#include <math.h>
#include <stdlib.h>

#include "quell/alloc.h"
#include "quell/fmath.h"
#include "quell/order.h"
#include "quell/predict.h"
#include "quell/rank_test.h"

enum {
    KNOTS = 10,           /* of a linear spline of ln(molecules), at its quantiles */
    OF_DEPTH = 2 + KNOTS, /* 1, ln(molecules), how far it is above each knot */
    BLOCK = 128           /* cells; decides no value */
};
#define NO_LENGTH 1e-10 /* of what is left of a column's squares: it is one of those before it */

typedef struct {
    const ql_fitted *f;
    int64_t n, width;      /* cells; columns of the basis */
    int half;              /* genes that are screened: even or odd ones, by what the others say */
    double *basis;         /* [width, n] orthonormal, those of depth first; owned */
    int64_t n_depth, rank; /* columns that are of depth; that are not 0 */
    double *sum, *square;  /* [genes, width], [genes]; owned */
} screen;

int64_t ql_gene_screen_bytes(const ql_rows *counts, int64_t units)
{
    enum { RANK = sizeof(ql_ranked), ENTRY = sizeof(int32_t) + sizeof(float) };
    const int64_t width = OF_DEPTH + units;
    return counts->n_rows * (width * (int64_t)sizeof(double) + RANK) +
           counts->n_cols * (width + 2) * (int64_t)sizeof(double) + BLOCK * counts->max_row * ENTRY;
}

static void release(screen *s)
{
    ql_free(s->basis);
    ql_free(s->sum);
    ql_free(s->square);
}

static double dot(const double *a, const double *b, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += a[i] * b[i];
    return sum;
}

/* Columns become orthonormal (Gram and Schmidt, twice); one that adds nothing becomes 0. */
static void orthonormal(screen *s)
{
    for (int64_t c = 0; c < s->width; c++) {
        double *v = s->basis + c * s->n;
        const double before = dot(v, v, s->n);
        for (int twice = 0; twice < 2; twice++)
            for (int64_t k = 0; k < c; k++) {
                const double *q = s->basis + k * s->n, part = dot(v, q, s->n);
                for (int64_t i = 0; i < s->n; i++) v[i] -= part * q[i];
            }
        const double left = dot(v, v, s->n);
        const bool some = left > NO_LENGTH * before && left > 0;
        for (int64_t i = 0; i < s->n; i++) v[i] = some ? v[i] / sqrt(left) : 0;
        s->rank += some;
        if (c < OF_DEPTH) s->n_depth += some;
    }
}

/* ---- what the other genes say of cells ---- */

/* A block of cells, of which the genes of one half have no molecules. */
static ql_status take_block(const screen *s, const ql_rows *counts, int64_t first, int64_t n,
                            ql_csr *out, ql_err *err)
{
    ql_row_cursor c;
    int64_t at = 0;
    QL_TRY(ql_cursor_open(&c, counts, err));
    for (int64_t i = 0; i < n; i++) {
        const ql_row_view row = ql_cursor_row(&c, s->f->prep.kept_cell[first + i]);
        for (int64_t k = 0; k < row.n; k++) {
            if (row.gene[k] % 2 == s->half) continue;
            out->indices[at] = row.gene[k];
            out->data[at++] = row.count[k];
        }
        out->indptr[i + 1] = at;
    }
    ql_cursor_close(&c);
    out->n_rows = n;
    return ql_rows_check(counts, err);
}

typedef struct {
    screen *s;
    int64_t first;
    float *code;
} latent_job;

static ql_status place_latent(void *ctx, const ql_ae *ae, int64_t first_row, int64_t n, ql_err *err)
{
    const latent_job *j = ctx;
    const screen *s = j->s;
    (void)err;
    for (int64_t i = 0; i < n; i++) {
        double *to = s->basis + OF_DEPTH * s->n + j->first + first_row + i;
        ql_ae_latent(ae, QL_LATENT_LINEAR, i, j->code);
        for (int64_t u = 0; u < ql_ae_latent_width(ae); u++) to[u * s->n] = (double)j->code[u];
    }
    return QL_OK;
}

static ql_status see_latent(screen *s, ql_fitted *f, const ql_rows *counts, ql_err *err)
{
    const int64_t block = s->n < BLOCK ? s->n : BLOCK;
    latent_job job = {.s = s};
    const ql_ae_visitor visitor = {.cells = place_latent, .ctx = &job};
    ql_csr part = {0};
    int64_t *own = NULL;
    ql_status st;
    QL_GO(QL_NEW(job.code, ql_ae_latent_width(&f->ae), "the latent space", err));
    QL_GO(ql_csr_alloc(&part, block, counts->n_cols, block * counts->max_row, err));
    QL_GO(ql_rows_list(block, &own, err));
    for (job.first = 0; job.first < s->n; job.first += block) {
        const int64_t n = s->n - job.first < block ? s->n - job.first : block;
        QL_GO(take_block(s, counts, job.first, n, &part, err));
        const ql_rows rows = ql_rows_of_csr(&part);
        const ql_batch_source source = {.counts = &rows, .cell = f->prep.kept_cell + job.first};
        QL_GO(ql_ae_visit(&f->ae, &source, own, n, 0, &visitor, err));
    }
out:
    part.n_rows = block;
    ql_csr_free(&part);
    ql_free(own);
    ql_free(job.code);
    return st;
}

/* Units become their ranks: no few cells decide, be they as far out as they may. */
static ql_status rank_latent(screen *s, ql_err *err)
{
    ql_ranked *list;
    QL_TRY(QL_NEW(list, s->n, "ranks", err));
    for (int64_t c = OF_DEPTH; c < s->width; c++) {
        double *v = s->basis + c * s->n;
        for (int64_t i = 0; i < s->n; i++) list[i] = (ql_ranked){v[i], i};
        ql_midranks(list, s->n, v);
    }
    ql_free(list);
    return QL_OK;
}

static ql_status place_depth(const screen *s, ql_err *err)
{
    const ql_prep *p = &s->f->prep;
    double *depth = s->basis + s->n, *sorted;
    QL_TRY(QL_NEW(sorted, s->n, "depths", err));
    for (int64_t i = 0; i < s->n; i++) {
        s->basis[i] = 1;
        depth[i] = sorted[i] = ql_log(p->total[p->kept_cell[i]] / p->median_total);
    }
    qsort(sorted, (size_t)s->n, sizeof *sorted, ql_by_value);
    for (int64_t k = 0; k < KNOTS; k++) {
        const double knot = sorted[(k + 1) * s->n / (KNOTS + 1)];
        double *above = depth + (k + 1) * s->n;
        for (int64_t i = 0; i < s->n; i++) above[i] = depth[i] > knot ? depth[i] - knot : 0;
    }
    ql_free(sorted);
    return QL_OK;
}

static ql_status make_basis(screen *s, ql_fitted *f, const ql_rows *counts, ql_err *err)
{
    QL_TRY(place_depth(s, err));
    QL_TRY(see_latent(s, f, counts, err));
    QL_TRY(rank_latent(s, err));
    s->rank = s->n_depth = 0;
    orthonormal(s);
    return QL_OK;
}

/* Products of the genes with the basis; zeros add nothing. */
static ql_status add_counts(screen *s, const ql_rows *counts, ql_err *err)
{
    ql_row_cursor c;
    QL_TRY(ql_cursor_open(&c, counts, err));
    for (int64_t i = 0; i < s->n; i++) {
        const ql_row_view row = ql_cursor_row(&c, s->f->prep.kept_cell[i]);
        for (int64_t k = 0; k < row.n; k++) {
            if (row.gene[k] % 2 != s->half) continue;
            const double count = (double)row.count[k], root = sqrt(count);
            double *sum = s->sum + row.gene[k] * s->width;
            s->square[row.gene[k]] += count;
            for (int64_t v = 0; v < s->width; v++) sum[v] += root * s->basis[v * s->n + i];
        }
    }
    ql_cursor_close(&c);
    return ql_rows_check(counts, err);
}

double ql_f_above(double f, double n1, double n2)
{
    if (!(f > 0)) return 1;
    const double a = 2 / (9 * n1), b = 2 / (9 * n2), root = ql_exp(ql_log(f) / 3);
    const double z = ((1 - b) * root - (1 - a)) / sqrt(a + b * root * root);
    const double tail = 0.5 * ql_two_sided(z);
    return z > 0 ? tail : 1 - tail;
}

static double p_of(const screen *s, int64_t gene)
{
    const double *sum = s->sum + gene * s->width;
    const double depth = dot(sum, sum, OF_DEPTH);
    const double latent = dot(sum + OF_DEPTH, sum + OF_DEPTH, s->width - OF_DEPTH);
    const double left = s->square[gene] - depth - latent;
    const double n1 = (double)(s->rank - s->n_depth), n2 = (double)(s->n - s->rank);
    if (n1 < 1 || n2 < 1 || !(latent > 0)) return 1;
    if (!(left > NO_LENGTH * s->square[gene])) return 0;
    return ql_f_above(latent / n1 / (left / n2), n1, n2);
}

ql_status ql_gene_screen(ql_fitted *f, const ql_rows *counts, double *p, ql_err *err)
{
    const int64_t genes = f->prep.n_kept_genes;
    screen s = {.f = f};
    ql_status st;
    s.n = f->prep.n_kept_cells;
    s.width = OF_DEPTH + ql_ae_latent_width(&f->ae);
    QL_GO(QL_NEW(s.basis, s.width * s.n, "a screen of genes", err));
    QL_GO(QL_NEW(s.sum, genes * s.width, "a screen of genes", err));
    QL_GO(QL_NEW(s.square, genes, "a screen of genes", err));
    for (s.half = 0; s.half < 2; s.half++) {
        QL_GO(make_basis(&s, f, counts, err));
        QL_GO(add_counts(&s, counts, err));
        for (int64_t g = s.half; g < genes; g += 2) p[g] = p_of(&s, g);
    }
out:
    release(&s);
    return st;
}
