/* Heads that share something over the genes: one unit for all of them (UNIT), or a dropout that is
 * a function of the mean (ELEMENT), where k and c may be one number each. A tile only adds to its
 * strip's sums; the strips are added in a fixed order, and weights change once all tiles have read
 * them. */
#include <string.h>

#include "heads_internal.h"
#include "quell/alloc.h"

static bool has_unit(const ql_heads *h)
{
    for (int k = 0; k < QL_MAX_HEADS; k++)
        if (h->kind[k] == QL_KIND_UNIT) return true;
    return false;
}

/* Numbers of h->unit: each head's strips and their sum, then the gradients by weight and bias. */
static int64_t unit_reals(const ql_heads *h, int64_t capacity)
{
    if (!has_unit(h)) return 0;
    return QL_MAX_HEADS * (h->tiling.n_strips + 1) * capacity + ql_pad(h->n_in) + QL_PAD;
}

static int64_t scalars(const ql_heads *h)
{
    return h->shared_pi ? 2 * (int64_t)h->tiling.n_strips : 0;
}

int64_t ql_head_shared_bytes(const ql_heads *h, int64_t capacity)
{
    return unit_reals(h, capacity) * (int64_t)sizeof(ql_real) +
           scalars(h) * (int64_t)sizeof(double);
}

ql_status ql_head_shared_alloc(ql_heads *h, ql_err *err)
{
    const int64_t reals = unit_reals(h, h->capacity), sums = scalars(h);
    if (reals > 0) QL_TRY(QL_NEW(h->unit, reals, "output heads", err));
    if (sums > 0) QL_TRY(QL_NEW(h->scalar, sums, "output heads", err));
    return QL_OK;
}

/* A strip's sums of a UNIT head [capacity]; strip n_strips: their total. */
static ql_real *unit_sums(const ql_heads *h, int head, int64_t strip)
{
    return h->unit + (head * (int64_t)(h->tiling.n_strips + 1) + strip) * h->capacity;
}

void ql_head_shared_begin(ql_heads *h, const ql_batch *b, int64_t strip)
{
    for (int k = 0; k < QL_MAX_HEADS; k++)
        if (h->kind[k] == QL_KIND_UNIT)
            memset(unit_sums(h, k, strip), 0, (size_t)b->n_pad * sizeof(ql_real));
    if (h->scalar) h->scalar[2 * strip] = h->scalar[2 * strip + 1] = 0;
}

void ql_head_unit(const ql_heads *h, const ql_params *p, const ql_kern *kern,
                  const ql_head_pass *pass, const tile_block *t, int head, ql_head_space *s)
{
    ql_real *row = s->act[head];
    kern->gemm(&(ql_gemm){.m = 1,
                          .n = t->ld,
                          .p = h->n_in,
                          .a = ql_param(p, h->weight[head]),
                          .a_row = p->tensor[h->weight[head]].ld,
                          .a_col = 1,
                          .b = pass->hidden[h->branch[head]] + t->first,
                          .ldb = pass->batch->n_pad,
                          .c = row,
                          .ldc = t->ld,
                          .start = QL_FROM_BIAS,
                          .bias = ql_param(p, h->bias[head])});
    for (int64_t g = 1; g < t->genes.count; g++)
        memcpy(row + g * t->ld, row, (size_t)t->ld * sizeof *row);
}

void ql_head_unit_backward(ql_heads *h, const ql_kern *kern, const tile_block *t, int head,
                           int64_t strip, const ql_head_space *s)
{
    ql_real *sums = unit_sums(h, head, strip) + t->first;
    for (int64_t g = 0; g < t->genes.count; g++) kern->add(t->ld, s->act[head] + g * t->ld, sums);
}

/* k and c of the block's first gene, and how far on the next gene's are. */
typedef struct {
    const ql_real *k, *c;
    int64_t stride;
} element;

static element element_of(const ql_heads *h, const ql_params *p, const tile_block *t)
{
    const int64_t first = h->shared_pi ? 0 : t->genes.first;
    return (element){ql_param(p, h->weight[QL_HEAD_PI]) + first,
                     ql_param(p, h->bias[QL_HEAD_PI]) + first, h->shared_pi ? 0 : 1};
}

void ql_head_element(const ql_heads *h, const ql_params *p, const tile_block *t, ql_head_space *s)
{
    const element e = element_of(h, p, t);
    for (int64_t g = 0; g < t->genes.count; g++) {
        const ql_real k = e.k[g * e.stride], c = e.c[g * e.stride];
        const ql_real *u = s->act[QL_HEAD_MEAN] + g * t->ld;
        ql_real *a = s->act[QL_HEAD_PI] + g * t->ld;
        for (int64_t i = 0; i < t->ld; i++) a[i] = k * u[i] + c;
    }
}

/* u becomes u times the gradient by the dropout's pre-activation, of which k times as much goes to
 * the mean's. */
static void through_mean(const element *e, const tile_block *t, ql_real *u, ql_head_space *s)
{
    for (int64_t g = 0; g < t->genes.count; g++) {
        const ql_real k = e->k[g * e->stride], *d = s->act[QL_HEAD_PI] + g * t->ld;
        ql_real *mean = s->act[QL_HEAD_MEAN] + g * t->ld, *product = u + g * t->ld;
        for (int64_t i = 0; i < t->ld; i++) {
            product[i] = product[i] * d[i];
            mean[i] = mean[i] + k * d[i];
        }
    }
}

/* Sum of x [genes, ld] over everything, rows in order. */
static double sum_block(const ql_kern *kern, const tile_block *t, const ql_real *x, ql_real *rows)
{
    double sum = 0;
    kern->row_sums(t->genes.count, t->ld, x, t->ld, rows);
    for (int64_t g = 0; g < t->genes.count; g++) sum += (double)rows[g];
    return sum;
}

void ql_head_element_backward(ql_heads *h, ql_params *p, const ql_kern *kern,
                              const ql_head_pass *pass, const tile_block *t, int64_t strip,
                              ql_head_space *s)
{
    const element e = element_of(h, p, t);
    /* the lists of entries are done with; the pre-activations have become gradients */
    ql_real *u = s->list[QL_HEAD_PI], *d = s->act[QL_HEAD_PI];
    ql_real *dk = s->dw[QL_HEAD_PI], *dc = s->db[QL_HEAD_PI];
    ql_head_dense(h, p, kern, pass, t, QL_HEAD_MEAN, u);
    through_mean(&e, t, u, s);
    if (h->shared_pi) {
        h->scalar[2 * strip] += sum_block(kern, t, u, s->sums);
        h->scalar[2 * strip + 1] += sum_block(kern, t, d, s->sums);
        return;
    }
    ql_head_row_sums(kern, t, u, s->sums, dk);
    ql_head_row_sums(kern, t, d, s->sums, dc);
    if (!ql_is_last_block(pass->batch, t)) return;
    ql_head_update_vector(p, h->weight[QL_HEAD_PI], t->genes, dk, pass, 1);
    ql_head_update_vector(p, h->bias[QL_HEAD_PI], t->genes, dc, pass, 1);
}

static void finish_unit(ql_heads *h, ql_params *p, const ql_kern *kern, const ql_head_pass *pass,
                        int head, ql_real *grad)
{
    const ql_batch *b = pass->batch;
    const ql_real *w = ql_param(p, h->weight[head]);
    ql_real *g = unit_sums(h, head, h->tiling.n_strips);
    ql_real *dw = unit_sums(h, QL_MAX_HEADS, 0), *db = dw + ql_pad(h->n_in);
    ql_strip_sum(kern, h->tiling.n_strips, unit_sums(h, head, 0), h->capacity, 0, b->n_pad, g);
    kern->gemm(&(ql_gemm){.m = 1,
                          .n = ql_pad(h->n_in),
                          .p = b->n,
                          .a = g,
                          .a_row = b->n_pad,
                          .a_col = 1,
                          .b = pass->hidden_t[h->branch[head]],
                          .ldb = ql_pad(h->n_in),
                          .c = dw,
                          .ldc = ql_pad(h->n_in)});
    memset(db, 0, QL_PAD * sizeof *db);
    kern->row_sums(1, b->n_pad, g, b->n_pad, db);
    for (int64_t u = 0; u < h->n_in; u++)
        for (int64_t i = 0; i < b->n_pad; i++)
            grad[u * b->n_pad + i] = grad[u * b->n_pad + i] + w[u] * g[i];
    ql_params_update(p, h->weight[head], 0, 1, dw, pass->step);
    ql_params_update(p, h->bias[head], 0, 1, db, pass->step);
}

static void finish_scalars(ql_heads *h, ql_params *p, const ql_head_pass *pass)
{
    const int tensor[2] = {h->weight[QL_HEAD_PI], h->bias[QL_HEAD_PI]};
    for (int v = 0; v < 2; v++) {
        ql_real grad[QL_PAD] = {0};
        double sum = 0;
        for (int s = 0; s < h->tiling.n_strips; s++) sum += h->scalar[2 * s + v];
        grad[0] = (ql_real)sum;
        ql_params_update(p, tensor[v], 0, 1, grad, pass->step);
    }
}

void ql_heads_finish(ql_heads *h, ql_params *p, const ql_kern *kern, const ql_head_pass *pass,
                     ql_real *grad)
{
    for (int k = 0; k < QL_MAX_HEADS; k++)
        if (h->kind[k] == QL_KIND_UNIT) finish_unit(h, p, kern, pass, k, grad);
    if (h->scalar) finish_scalars(h, p, pass);
}
