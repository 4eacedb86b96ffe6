#include "quell/input_layer.h"

#include <string.h>

#include "quell/alloc.h"

void ql_input_declare(ql_input_layer *in, ql_params *p, int64_t n_genes, int64_t n_out)
{
    in->n_out = n_out;
    in->tiling = ql_tiling_of(n_genes);
    in->weight = ql_params_add(p, "input/weight", n_genes, n_out, true);
}

static int64_t strip_stride(const ql_input_layer *in)
{
    return (in->capacity + 1) * ql_pad(in->n_out);
}

ql_status ql_input_alloc(ql_input_layer *in, int64_t capacity, ql_err *err)
{
    in->capacity = capacity;
    QL_TRY(QL_NEW(in->parts, in->tiling.n_strips * strip_stride(in), "input layer", err));
    return QL_NEW(in->sum, strip_stride(in), "input layer", err);
}

void ql_input_free(ql_input_layer *in)
{
    ql_free(in->parts);
    ql_free(in->sum);
    *in = (ql_input_layer){0};
}

ql_real *ql_input_part(const ql_input_layer *in, int64_t strip)
{
    return in->parts + strip * strip_stride(in);
}

void ql_input_begin_strip(ql_input_layer *in, const ql_batch *b, int64_t strip)
{
    size_t n = (size_t)((b->n + 1) * ql_pad(in->n_out));
    memset(ql_input_part(in, strip), 0, n * sizeof(ql_real));
}

void ql_input_forward_tile(ql_input_layer *in, const ql_params *p, const ql_kern *kern,
                           const ql_batch *b, int64_t strip, int64_t tile)
{
    const int64_t h = ql_pad(in->n_out);
    ql_real *part = ql_input_part(in, strip);
    ql_span genes = ql_tile_genes(&in->tiling, tile);
    const ql_real *w = ql_param(p, in->weight) + genes.first * h;
    for (int64_t i = 0; i < b->n; i++) {
        ql_span e = ql_entries_in(&b->in, &b->tiling, i, tile);
        kern->gather(e.count, b->in.gene + e.first, (int32_t)genes.first, b->in.value + e.first, w,
                     h, part + i * h);
    }
    if (in->shift) kern->gather_all(genes.count, in->shift + genes.first, w, h, part + b->n * h);
}

void ql_input_reduce(ql_input_layer *in, const ql_kern *kern, const ql_batch *b, int64_t first,
                     int64_t n)
{
    const int64_t h = ql_pad(in->n_out);
    if (first + n > b->n + 1) n = b->n + 1 - first;
    if (n <= 0) return;
    ql_strip_sum(kern, in->tiling.n_strips, in->parts, strip_stride(in), first * h, n * h,
                 in->sum + first * h);
}

/* Units [first, first + n), whose bias is bias[0], ... */
static void finish_units(const ql_input_layer *in, const ql_batch *b, const ql_real *bias,
                         int64_t first, int64_t n, ql_real *pre)
{
    const int64_t h = ql_pad(in->n_out);
    const ql_real *constant = in->sum + b->n * h + first, *sum = in->sum + first;
    for (int64_t u = 0; u < n; u++) {
        ql_real start = bias[u] + constant[u];
        for (int64_t i = 0; i < b->n; i++) pre[u * b->n_pad + i] = start + sum[i * h + u];
        for (int64_t i = b->n; i < b->n_pad; i++) pre[u * b->n_pad + i] = bias[u];
    }
}

void ql_input_finish(const ql_input_layer *in, const ql_batch *b, const ql_real *bias, ql_real *pre)
{
    finish_units(in, b, bias, 0, in->n_out - in->n_beside, pre);
}

void ql_input_finish_beside(const ql_input_layer *in, const ql_batch *b, const ql_real *bias,
                            ql_real *pre)
{
    finish_units(in, b, bias, in->n_out - in->n_beside, in->n_beside, pre);
}

void ql_input_backward_tile(const ql_input_layer *in, ql_params *p, const ql_kern *kern,
                            const ql_batch *b, int64_t tile, const ql_real *d_t,
                            const ql_real *d_sum, ql_real *dw, const ql_input_terms *terms,
                            const ql_opt_step *step)
{
    const int64_t h = ql_pad(in->n_out);
    ql_span genes = ql_tile_genes(&in->tiling, tile);
    if (in->shift)
        kern->outer(genes.count, in->shift + genes.first, dw, h, d_sum);
    else
        memset(dw, 0, (size_t)(genes.count * h) * sizeof(ql_real));
    for (int64_t i = 0; i < b->n; i++) {
        ql_span e = ql_entries_in(&b->in, &b->tiling, i, tile);
        kern->scatter(e.count, b->in.gene + e.first, (int32_t)genes.first, b->in.value + e.first,
                      dw, h, d_t + i * h);
    }
    ql_input_terms_add(terms, p, kern, tile, dw);
    ql_params_update(p, in->weight, genes.first, genes.count, dw, step);
}
