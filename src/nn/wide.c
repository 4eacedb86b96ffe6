#include "quell/wide.h"

#include <string.h>

#include "quell/alloc.h"
#include "quell/tile.h"

enum { TILE = QL_TILE };

/* ---- minibatches ---- */

int64_t ql_wide_batch_bytes(int64_t capacity, int64_t max_row)
{
    return (capacity + 1) * 8 + (capacity * max_row + QL_PAD) * (int64_t)(4 + sizeof(ql_real));
}

ql_status ql_wide_batch_new(ql_wide_batch *b, int64_t capacity, int64_t max_row, ql_err *err)
{
    *b = (ql_wide_batch){.capacity = capacity};
    QL_TRY(QL_NEW(b->start, capacity + 1, "a minibatch", err));
    QL_TRY(QL_NEW(b->gene, capacity * max_row + QL_PAD, "a minibatch", err));
    return QL_NEW(b->value, capacity * max_row + QL_PAD, "a minibatch", err);
}

void ql_wide_batch_free(ql_wide_batch *b)
{
    ql_free(b->start);
    ql_free(b->gene);
    ql_free(b->value);
    *b = (ql_wide_batch){0};
}

void ql_wide_batch_fill(ql_wide_batch *b, const ql_csr *cells, const int64_t *list, int64_t n)
{
    int64_t at = 0;
    b->n = n;
    for (int64_t i = 0; i < n; i++) {
        b->start[i] = at;
        for (int64_t k = cells->indptr[list[i]]; k < cells->indptr[list[i] + 1]; k++) {
            b->gene[at] = cells->indices[k];
            b->value[at++] = (ql_real)cells->data[k];
        }
    }
    b->start[n] = at;
}

/* ---- in ---- */

void ql_wide_in(const ql_kern *kern, const ql_wide_batch *x, const ql_real *weight,
                const ql_real *bias, int64_t ld, ql_real *out)
{
    for (int64_t i = 0; i < x->n; i++) {
        const int64_t at = x->start[i];
        memcpy(out + i * ld, bias, (size_t)ld * sizeof *out);
        kern->gather(x->start[i + 1] - at, x->gene + at, 0, x->value + at, weight, ld,
                     out + i * ld);
    }
}

void ql_wide_in_back(const ql_kern *kern, const ql_wide_batch *x, const ql_real *d, int64_t n_genes,
                     int64_t ld, ql_real *by_weight, ql_real *by_bias)
{
    memset(by_weight, 0, (size_t)(n_genes * ld) * sizeof *by_weight);
    memset(by_bias, 0, (size_t)ld * sizeof *by_bias);
    for (int64_t i = 0; i < x->n; i++) {
        const int64_t at = x->start[i];
        kern->scatter(x->start[i + 1] - at, x->gene + at, 0, x->value + at, by_weight, ld,
                      d + i * ld);
        kern->add(ld, d + i * ld, by_bias);
    }
}

/* ---- out ---- */

int64_t ql_wide_work_bytes(int64_t capacity, int64_t ld)
{
    return (ld * TILE + 2 * capacity * TILE + ql_pad(capacity)) * (int64_t)sizeof(ql_real) +
           capacity * 8;
}

ql_status ql_wide_work_new(ql_wide_work *w, int64_t capacity, int64_t ld, ql_err *err)
{
    *w = (ql_wide_work){0};
    QL_TRY(QL_NEW(w->turned, ld * TILE, "work space", err));
    QL_TRY(QL_NEW(w->error, capacity * TILE, "work space", err));
    QL_TRY(QL_NEW(w->loss, capacity * TILE, "work space", err));
    QL_TRY(QL_NEW(w->sum, ql_pad(capacity), "work space", err));
    return QL_NEW(w->next, capacity, "work space", err);
}

void ql_wide_work_free(ql_wide_work *w)
{
    void *const owned[] = {w->turned, w->error, w->loss, w->sum, w->next};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) ql_free(owned[i]);
    *w = (ql_wide_work){0};
}

/* Genes [first, first + n), n a multiple of QL_PAD. */
typedef struct {
    int64_t first, n;
} tile_genes;

static void reconstruct(const ql_wide_out *o, const ql_wide_work *w, tile_genes t)
{
    const int64_t cells = o->target->n;
    const ql_real *weight = o->weight + t.first * o->ld;
    for (int64_t g = 0; g < t.n; g++)
        for (int64_t k = 0; k < o->width; k++) w->turned[k * TILE + g] = weight[g * o->ld + k];
    for (int64_t i = 0; i < cells; i++)
        memcpy(w->error + i * TILE, o->bias + t.first, (size_t)t.n * sizeof *w->error);
    o->kern->gemm(&(ql_gemm){.m = cells,
                             .n = t.n,
                             .p = o->width,
                             .a = o->h,
                             .a_row = o->ld,
                             .a_col = 1,
                             .b = w->turned,
                             .ldb = TILE,
                             .c = w->error,
                             .ldc = TILE,
                             .start = QL_FROM_C});
}

/* The targets that are not 0 are taken off. */
static void subtract(const ql_wide_out *o, const ql_wide_work *w, tile_genes t)
{
    const ql_wide_batch *x = o->target;
    for (int64_t i = 0; i < x->n; i++) {
        ql_real *row = w->error + i * TILE;
        int64_t k = w->next[i];
        for (; k < x->start[i + 1] && x->gene[k] < t.first + t.n; k++)
            row[x->gene[k] - t.first] -= x->value[k];
        w->next[i] = k;
    }
}

/* Errors become their scaled gradients; returns the sum of the losses. */
static double lose(const ql_wide_out *o, const ql_wide_work *w, tile_genes t)
{
    const ql_real scale = (ql_real)o->scale, twice = (ql_real)(2 * o->scale);
    double sum = 0;
    for (int64_t i = 0; i < o->target->n; i++) {
        ql_real *restrict e = w->error + i * TILE, *restrict loss = w->loss + i * TILE;
        if (o->absolute) {
            for (int64_t g = 0; g < t.n; g++) {
                loss[g] = e[g] < 0 ? -e[g] : e[g];
                e[g] = e[g] > 0 ? scale : e[g] < 0 ? -scale : e[g]; /* 0 and NaN stay */
            }
        } else {
            for (int64_t g = 0; g < t.n; g++) {
                loss[g] = e[g] * e[g];
                e[g] *= twice;
            }
        }
    }
    o->kern->row_sums(o->target->n, t.n, w->loss, TILE, w->sum);
    for (int64_t i = 0; i < o->target->n; i++) sum += (double)w->sum[i];
    return sum;
}

static void spread(const ql_wide_out *o, const ql_wide_work *w, tile_genes t)
{
    const int64_t cells = o->target->n;
    ql_real *by_bias = o->by_bias + t.first;
    o->kern->gemm(&(ql_gemm){.m = t.n,
                             .n = o->ld,
                             .p = cells,
                             .a = w->error,
                             .a_row = 1,
                             .a_col = TILE,
                             .b = o->h,
                             .ldb = o->ld,
                             .c = o->by_weight + t.first * o->ld,
                             .ldc = o->ld,
                             .start = QL_FROM_ZERO});
    memset(by_bias, 0, (size_t)t.n * sizeof *by_bias);
    for (int64_t i = 0; i < cells; i++) o->kern->add(t.n, w->error + i * TILE, by_bias);
    o->kern->gemm(&(ql_gemm){.m = cells,
                             .n = o->ld,
                             .p = t.n,
                             .a = w->error,
                             .a_row = TILE,
                             .a_col = 1,
                             .b = o->weight + t.first * o->ld,
                             .ldb = o->ld,
                             .c = o->by_h,
                             .ldc = o->ld,
                             .start = QL_FROM_C});
}

double ql_wide_out_run(const ql_wide_out *o, const ql_wide_work *w)
{
    const int64_t end = ql_pad(o->n_genes);
    double sum = 0;
    memcpy(w->next, o->target->start, (size_t)o->target->n * sizeof *w->next);
    memset(o->by_h, 0, (size_t)(o->target->n * o->ld) * sizeof *o->by_h);
    for (int64_t g = 0; g < end; g += TILE) {
        const tile_genes t = {g, end - g < TILE ? end - g : TILE};
        reconstruct(o, w, t);
        subtract(o, w, t);
        sum += lose(o, w, t);
        spread(o, w, t);
    }
    return sum;
}
