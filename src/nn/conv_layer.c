#include "quell/conv_layer.h"

#include <string.h>

#include "quell/alloc.h"
#include "quell/transpose.h"

static int64_t positions_of(const ql_conv_shape *shape, int64_t n_genes)
{
    return (n_genes + shape->stride - 1) / shape->stride;
}

int64_t ql_conv_features(const ql_conv_shape *shape, int64_t n_genes)
{
    return positions_of(shape, n_genes) * shape->filters;
}

/* Weights and biases of the filters. */
static int64_t part_size(const ql_conv_shape *shape)
{
    return (shape->width + 1) * ql_pad(shape->filters);
}

static int64_t strips_of(const ql_conv_shape *shape, int64_t n_genes)
{
    return ql_tiling_of(ql_conv_features(shape, n_genes)).n_strips;
}

int64_t ql_conv_bytes(const ql_conv_shape *shape, int64_t n_genes)
{
    int64_t parts = (strips_of(shape, n_genes) + 1) * part_size(shape);
    return (parts + n_genes) * (int64_t)sizeof(ql_real);
}

void ql_conv_declare(ql_conv *c, ql_params *p, ql_conv_shape shape, int64_t n_genes,
                     const ql_activation *act, ql_real slope)
{
    *c = (ql_conv){.shape = shape, .n_genes = n_genes, .act = act, .slope = slope};
    c->positions = positions_of(&shape, n_genes);
    c->weight = ql_params_add(p, "inputconv/weight", shape.width, shape.filters, true);
    c->bias = ql_params_add(p, "inputconv/bias", 1, shape.filters, true);
}

ql_status ql_conv_alloc(ql_conv *c, const ql_input_map *map, ql_err *err)
{
    const int64_t strips = strips_of(&c->shape, c->n_genes);
    c->place = map->place;
    QL_TRY(QL_NEW(c->shift_at, c->n_genes, "convolution", err));
    QL_TRY(QL_NEW(c->parts, strips * part_size(&c->shape), "convolution", err));
    QL_TRY(QL_NEW(c->sum, part_size(&c->shape), "convolution", err));
    for (int64_t g = 0; g < c->n_genes && map->shift; g++)
        c->shift_at[c->place ? c->place[g] : g] = map->shift[g];
    return QL_OK;
}

void ql_conv_free(ql_conv *c)
{
    ql_free(c->shift_at);
    ql_free(c->parts);
    ql_free(c->sum);
    *c = (ql_conv){0};
}

/* ---- a tile's features ---- */

/* Four places are corrupted together, wherever a tile begins. */
enum { TOGETHER = 4 };

static int64_t tile_positions(const ql_conv_shape *shape)
{
    return QL_TILE / shape->filters;
}

/* Places that the positions of a tile see, at most. */
static int64_t most_places(const ql_conv_shape *shape)
{
    return (tile_positions(shape) - 1) * shape->stride + shape->width + 2 * TOGETHER;
}

int64_t ql_conv_space(const ql_conv_shape *shape)
{
    return (most_places(shape) + 3 * QL_TILE + ql_pad(shape->filters)) * QL_BLOCK +
           ql_pad(shape->filters);
}

/* One block of cells of one tile. */
typedef struct {
    int64_t first, n, ld;   /* cells */
    int64_t q0, n_q, rows;  /* positions; features */
    int64_t start, places;  /* first place in x, places in it */
    ql_real *x;             /* [places, ld] */
    ql_real *pre, *out, *d; /* [rows, ld] */
    ql_real *d_t;           /* [n, pad(filters)] of one position */
    ql_real *row_sums;      /* [filters] */
} conv_block;

static conv_block block_at(const ql_conv *c, const ql_conv_pass *pass, int64_t tile, int64_t first)
{
    const ql_span rows = ql_tile_genes(&pass->dense->tiling, tile);
    const int64_t left = pass->batch->n - first;
    conv_block k = {.first = first, .n = left < QL_BLOCK ? left : QL_BLOCK, .rows = rows.count};
    k.ld = ql_pad(k.n);
    k.q0 = rows.first / c->shape.filters;
    k.n_q = rows.count / c->shape.filters;
    k.start = k.q0 * c->shape.stride / TOGETHER * TOGETHER;
    k.places = (k.q0 + k.n_q - 1) * c->shape.stride + c->shape.width - k.start;
    k.x = pass->space;
    k.pre = k.x + most_places(&c->shape) * QL_BLOCK;
    k.out = k.pre + QL_TILE * QL_BLOCK;
    k.d = k.out + QL_TILE * QL_BLOCK;
    k.d_t = k.d + QL_TILE * QL_BLOCK;
    k.row_sums = k.d_t + ql_pad(c->shape.filters) * QL_BLOCK;
    return k;
}

/* Inputs of the places that exist; 0 beyond. */
static void place_inputs(const ql_conv *c, const ql_conv_pass *pass, const conv_block *k)
{
    const ql_batch *b = pass->batch;
    const int64_t end = k->start + k->places;
    const int64_t last = (end < c->n_genes ? end : c->n_genes) - 1;
    for (int64_t r = 0; r < k->places; r++) {
        ql_real empty = k->start + r < c->n_genes ? c->shift_at[k->start + r] : 0;
        for (int64_t i = 0; i < k->ld; i++) k->x[r * k->ld + i] = empty;
    }
    for (int64_t i = 0; i < k->n; i++) {
        ql_span from = ql_entries_in(&b->ordered, &b->tiling, k->first + i, k->start / QL_TILE);
        ql_span to = ql_entries_in(&b->ordered, &b->tiling, k->first + i, last / QL_TILE);
        for (int64_t e = from.first; e < to.first + to.count; e++) {
            int64_t place = b->ordered.gene[e];
            if (place >= k->start && place < end)
                k->x[(place - k->start) * k->ld + i] += b->ordered.value[e];
        }
    }
}

static void damage(const ql_conv *c, const ql_conv_pass *pass, const conv_block *k)
{
    const ql_batch *b = pass->batch;
    const int64_t left = c->n_genes - k->start, n = k->places < left ? k->places : left;
    const ql_corrupt_place at = {b->seed, b->epoch, b->row + k->first, k->start};
    if (pass->corrupt && ql_corrupt_is_dense(pass->corrupt) && !b->clean)
        ql_corrupt_block(pass->corrupt, &at, n, k->n, c->shift_at + k->start, k->x, k->ld);
}

/* Where position q of the block begins in x. */
static ql_real *window(const ql_conv *c, const conv_block *k, int64_t q)
{
    return k->x + ((k->q0 + q) * c->shape.stride - k->start) * k->ld;
}

static void make_features(const ql_conv *c, const ql_conv_pass *pass, const conv_block *k)
{
    const int64_t f = c->shape.filters;
    place_inputs(c, pass, k);
    damage(c, pass, k);
    for (int64_t q = 0; q < k->n_q; q++)
        pass->kern->gemm(&(ql_gemm){.m = f,
                                    .n = k->ld,
                                    .p = c->shape.width,
                                    .a = ql_param(pass->params, c->weight),
                                    .a_row = 1,
                                    .a_col = ql_pad(f),
                                    .b = window(c, k, q),
                                    .ldb = k->ld,
                                    .c = k->pre + q * f * k->ld,
                                    .ldc = k->ld,
                                    .start = QL_FROM_BIAS,
                                    .bias = ql_param(pass->params, c->bias)});
    c->act->forward(pass->kern, c->slope, k->rows * k->ld, k->pre, k->out);
}

/* Weights of the dense layer that belong to the block's features. */
static const ql_real *dense_weights(const ql_conv *c, const ql_conv_pass *pass, const conv_block *k)
{
    return ql_param(pass->params, pass->dense->weight) +
           k->q0 * c->shape.filters * ql_pad(pass->dense->n_out);
}

void ql_conv_forward_tile(const ql_conv *c, const ql_conv_pass *pass, int64_t strip, int64_t tile)
{
    const int64_t h = ql_pad(pass->dense->n_out);
    for (int64_t first = 0; first < pass->batch->n; first += QL_BLOCK) {
        const conv_block k = block_at(c, pass, tile, first);
        make_features(c, pass, &k);
        pass->kern->gemm(&(ql_gemm){.m = k.n,
                                    .n = h,
                                    .p = k.rows,
                                    .a = k.out,
                                    .a_row = 1,
                                    .a_col = k.ld,
                                    .b = dense_weights(c, pass, &k),
                                    .ldb = h,
                                    .c = ql_input_part(pass->dense, strip) + first * h,
                                    .ldc = h,
                                    .start = QL_FROM_C});
    }
}

/* ---- backward ---- */

static ql_real *part_of(const ql_conv *c, int64_t strip)
{
    return c->parts + strip * part_size(&c->shape);
}

void ql_conv_begin_strip(ql_conv *c, int64_t strip)
{
    memset(part_of(c, strip), 0, (size_t)part_size(&c->shape) * sizeof(ql_real));
}

/* From the gradient by the dense layer's output to that by the features' pre-activations. */
static void feature_gradient(const ql_conv *c, const ql_conv_pass *pass, const conv_block *k,
                             const ql_real *grad)
{
    const int64_t h = ql_pad(pass->dense->n_out);
    pass->kern->gemm(&(ql_gemm){.m = k->rows,
                                .n = k->ld,
                                .p = pass->dense->n_out,
                                .a = dense_weights(c, pass, k),
                                .a_row = h,
                                .a_col = 1,
                                .b = grad + k->first,
                                .ldb = pass->batch->n_pad,
                                .c = k->d,
                                .ldc = k->ld});
    c->act->backward(pass->kern, c->slope, k->rows * k->ld, k->pre, k->out, k->d);
}

static void filter_gradient(const ql_conv *c, const ql_kern *kern, const conv_block *k,
                            ql_real *part)
{
    const int64_t f = c->shape.filters, padded = ql_pad(f);
    ql_real *bias = part + c->shape.width * padded;
    for (int64_t q = 0; q < k->n_q; q++) {
        const ql_real *d = k->d + q * f * k->ld;
        ql_transpose(f, k->n, d, k->ld, k->d_t, padded);
        kern->gemm(&(ql_gemm){.m = c->shape.width,
                              .n = padded,
                              .p = k->n,
                              .a = window(c, k, q),
                              .a_row = k->ld,
                              .a_col = 1,
                              .b = k->d_t,
                              .ldb = padded,
                              .c = part,
                              .ldc = padded,
                              .start = QL_FROM_C});
        kern->row_sums(f, k->ld, d, k->ld, k->row_sums);
        for (int64_t i = 0; i < f; i++) bias[i] += k->row_sums[i];
    }
}

void ql_conv_backward_tile(ql_conv *c, const ql_conv_pass *pass, ql_params *p, int64_t strip,
                           int64_t tile, const ql_real *grad, const ql_real *d_t, ql_real *dw,
                           const ql_opt_step *step)
{
    const int64_t h = ql_pad(pass->dense->n_out);
    const ql_span rows = ql_tile_genes(&pass->dense->tiling, tile);
    for (int64_t first = 0; first < pass->batch->n; first += QL_BLOCK) {
        const conv_block k = block_at(c, pass, tile, first);
        make_features(c, pass, &k);
        pass->kern->gemm(&(ql_gemm){.m = k.rows,
                                    .n = h,
                                    .p = k.n,
                                    .a = k.out,
                                    .a_row = k.ld,
                                    .a_col = 1,
                                    .b = d_t + first * h,
                                    .ldb = h,
                                    .c = dw,
                                    .ldc = h,
                                    .start = first ? QL_FROM_C : QL_FROM_ZERO});
        feature_gradient(c, pass, &k, grad);
        filter_gradient(c, pass->kern, &k, part_of(c, strip));
    }
    ql_params_update(p, pass->dense->weight, rows.first, rows.count, dw, step);
}

void ql_conv_update(ql_conv *c, ql_params *p, const ql_kern *kern, int n_strips,
                    const ql_opt_step *step)
{
    const int64_t size = part_size(&c->shape), weights = c->shape.width * ql_pad(c->shape.filters);
    ql_strip_sum(kern, n_strips, c->parts, size, 0, size, c->sum);
    ql_params_update(p, c->weight, 0, c->shape.width, c->sum, step);
    ql_params_update(p, c->bias, 0, 1, c->sum + weights, step);
}
