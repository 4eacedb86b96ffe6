#include "hidden_norm.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "quell/buffers.h"
#include "quell/rng.h"

static int declare(ql_params *p, const char *prefix, const char *what, int64_t rows, int64_t cols,
                   bool trained)
{
    char name[32];
    snprintf(name, sizeof name, "%s/%s", prefix, what);
    return ql_params_add(p, name, rows, cols, trained);
}

void ql_hidden_declare(ql_hidden *h, ql_params *p, const char *prefix, bool dense)
{
    if (!h->tied) h->weight = dense ? declare(p, prefix, "weight", h->n_out, h->n_in, true) : -1;
    h->bias = declare(p, prefix, "bias", 1, h->n_out, true);
    h->beta = h->gamma = h->mean = h->var = h->slopes = -1;
    if (h->batch_norm || h->layer_norm) h->beta = declare(p, prefix, "beta", 1, h->n_out, true);
    if (h->layer_norm || (h->batch_norm && h->gain))
        h->gamma = declare(p, prefix, "gamma", 1, h->n_out, true);
    if (h->act->trained_slope) h->slopes = declare(p, prefix, "slope", 1, h->n_out, true);
    if (!h->batch_norm) return;
    h->mean = declare(p, prefix, "moving_mean", 1, h->n_out, false);
    h->var = declare(p, prefix, "moving_var", 1, h->n_out, false);
}

enum { MAX_BUFFERS = 24 };

static int list_buffers(ql_hidden *h, int64_t cells, ql_buffer *list)
{
    const int64_t n = h->n_out * cells, turned = cells * ql_pad(h->n_out);
    const int64_t tangent = h->contracted ? n : 0;
    const bool orthogonal = h->orthogonal > 0;
    const ql_buffer all[] = {
        QL_BUFFER(h->pre, n),
        QL_BUFFER(h->norm, n),
        QL_BUFFER(h->sum, n),
        QL_BUFFER(h->out, n),
        QL_BUFFER(h->grad, n),
        QL_BUFFER(h->mask, n),
        QL_BUFFER(h->out_t, turned),
        QL_BUFFER(h->inv_sd, h->layer_norm ? cells : h->n_out),
        QL_BUFFER(h->dw, h->tied ? 0 : h->n_out * ql_pad(h->n_in)),
        QL_BUFFER(h->db, ql_pad(h->n_out)),
        QL_BUFFER(h->turned, orthogonal ? h->n_in * ql_pad(h->n_out) : 0),
        QL_BUFFER(h->gram, orthogonal ? h->n_out * ql_pad(h->n_out) : 0),
        QL_BUFFER(h->tangent.r, tangent),
        QL_BUFFER(h->tangent.t, tangent),
        QL_BUFFER(h->tangent.t_t, h->contracted ? turned : 0),
        QL_BUFFER(h->tangent.slope, tangent),
        QL_BUFFER(h->tangent.curve, tangent),
        QL_BUFFER(h->tangent.back, tangent),
        QL_BUFFER(h->tangent.dgamma, h->contracted ? ql_pad(h->n_out) : 0),
        QL_BUFFER(h->tangent.dslope, h->contracted ? ql_pad(h->n_out) : 0),
    };
    memcpy(list, all, sizeof all);
    return (int)(sizeof all / sizeof *all);
}

ql_status ql_hidden_alloc(ql_hidden *h, int64_t capacity, ql_err *err)
{
    ql_buffer list[MAX_BUFFERS];
    int n = list_buffers(h, capacity, list);
    h->capacity = capacity;
    return ql_buffers_alloc(list, n, "hidden layer", err);
}

int64_t ql_hidden_bytes(const ql_hidden *h, int64_t capacity)
{
    ql_hidden copy = *h;
    ql_buffer list[MAX_BUFFERS];
    int n = list_buffers(&copy, capacity, list);
    return ql_buffers_bytes(list, n);
}

void ql_hidden_free(ql_hidden *h)
{
    ql_buffer list[MAX_BUFFERS];
    int n = list_buffers(h, h->capacity, list);
    if (h->tied) h->dw = NULL;
    ql_buffers_free(list, n);
    *h = (ql_hidden){0};
}

/* ---- activation ---- */

static void activate(ql_hidden *h, const ql_params *p, const ql_kern *kern, int64_t n_pad)
{
    if (h->slopes < 0) {
        h->act->forward(kern, h->slope, h->n_out * n_pad, h->sum, h->out);
        return;
    }
    for (int64_t u = 0; u < h->n_out; u++)
        h->act->forward(kern, ql_param(p, h->slopes)[u], n_pad, h->sum + u * n_pad,
                        h->out + u * n_pad);
}

void ql_hidden_unmask(ql_hidden *h, const ql_params *p, const ql_kern *kern, int64_t n_pad)
{
    if (ql_hidden_has_mask(h)) activate(h, p, kern, n_pad);
}

void ql_hidden_derive(const ql_hidden *h, const ql_params *p, const ql_kern *kern, int64_t n_pad,
                      bool second, ql_real *d)
{
    const int64_t rows = h->slopes < 0 ? 1 : h->n_out, n = h->n_out * n_pad / rows;
    for (int64_t u = 0; u < rows; u++) {
        ql_real slope = h->slopes < 0 ? h->slope : ql_param(p, h->slopes)[u];
        (second ? h->act->second : h->act->backward)(kern, slope, n, h->sum + u * n, h->out + u * n,
                                                     d + u * n);
    }
}

/* Gradient by trained slopes, from that by out: what lies below zero is multiplied by them. */
static void slope_gradient(ql_hidden *h, int64_t n, int64_t n_pad)
{
    for (int64_t u = 0; u < h->n_out; u++) {
        double sum = h->contracted ? (double)h->tangent.dslope[u] : 0;
        for (int64_t j = u * n_pad; j < u * n_pad + n; j++)
            if (!(h->sum[j] > 0)) sum += (double)h->grad[j] * (double)h->sum[j];
        h->db[u] = (ql_real)sum;
    }
}

/* ---- masks ---- */

/* The first of the largest values that are not taken yet; one that is no number comes before all,
 * so that it goes on and is noticed. */
static int64_t largest_left(const ql_real *x, int64_t n, const ql_real *taken, int64_t stride)
{
    int64_t best = -1;
    for (int64_t u = 0; u < n; u++)
        if (taken[u * stride] == 0 && (best < 0 || x[u] > x[best] || isnan(x[u]))) best = u;
    return best;
}

/* Let the keep_largest largest units of each cell pass. */
static void select_largest(ql_hidden *h, int64_t n, int64_t n_pad)
{
    for (int64_t j = 0; j < n; j++) {
        for (int64_t u = 0; u < h->n_out; u++) {
            h->db[u] = h->out[u * n_pad + j];
            h->mask[u * n_pad + j] = 0;
        }
        for (int64_t k = 0; k < h->keep_largest && k < h->n_out; k++)
            h->mask[largest_left(h->db, h->n_out, h->mask + j, n_pad) * n_pad + j] = 1;
        for (int64_t u = 0; u < h->n_out; u++)
            if (h->mask[u * n_pad + j] == 0) h->out[u * n_pad + j] = 0;
    }
}

/* Inverted dropout: kept units are scaled up, so that inference needs no change. */
static void dropout_forward(ql_hidden *h, int64_t n, int64_t n_pad, ql_pass pass)
{
    uint32_t bound = (uint32_t)(h->dropout * 4294967296.0);
    ql_real keep = (ql_real)(1 / (1 - h->dropout));
    for (int64_t u = 0; u < h->n_out; u++) {
        ql_rng rng =
            ql_rng_start(pass.seed, QL_RNG_DROPOUT, pass.step, h->id * 65536 + (uint64_t)u);
        for (int64_t j = 0; j < n; j++) {
            ql_real f = ql_rng_word(&rng) < bound ? 0 : keep;
            h->mask[u * n_pad + j] = h->keep_largest > 0 ? f * h->mask[u * n_pad + j] : f;
            h->out[u * n_pad + j] *= f;
        }
    }
}

/* Pads hold 0 from here on, so that products over cells see nothing of them. */
static void clear_pads(const ql_hidden *h, ql_real *x, int64_t n, int64_t n_pad)
{
    for (int64_t u = 0; u < h->n_out; u++)
        for (int64_t j = n; j < n_pad; j++) x[u * n_pad + j] = 0;
}

void ql_hidden_forward(ql_hidden *h, const ql_params *p, const ql_kern *kern, const ql_real *in,
                       int64_t n, int64_t n_pad, ql_pass pass)
{
    if (h->weight >= 0) {
        const int64_t ld = p->tensor[h->weight].ld;
        kern->gemm(&(ql_gemm){.m = h->n_out,
                              .n = n_pad,
                              .p = h->n_in,
                              .a = ql_param(p, h->weight),
                              .a_row = h->tied ? 1 : ld,
                              .a_col = h->tied ? ld : 1,
                              .b = in,
                              .ldb = n_pad,
                              .c = h->pre,
                              .ldc = n_pad,
                              .start = QL_FROM_BIAS,
                              .bias = ql_param(p, h->bias)});
    }
    ql_hidden_norm_forward(h, p, n, n_pad, pass.training);
    activate(h, p, kern, n_pad);
    if (h->keep_largest > 0) select_largest(h, n, n_pad);
    if (pass.training && h->dropout > 0) dropout_forward(h, n, n_pad, pass);
    clear_pads(h, h->out, n, n_pad);
    ql_transpose(h->n_out, n_pad, h->out, n_pad, h->out_t, ql_pad(h->n_out));
}

/* grad by out becomes grad by pre; norm and slopes are updated. */
static void backward_to_pre(ql_hidden *h, ql_params *p, const ql_kern *kern, int64_t n,
                            int64_t n_pad, const ql_opt_step *step)
{
    const int64_t size = h->n_out * n_pad;
    const ql_tangent *t = &h->tangent;
    if (ql_hidden_has_mask(h))
        for (int64_t i = 0; i < size; i++) h->grad[i] *= h->mask[i];
    /* the activation's derivative is taken at its own output, before the mask */
    ql_hidden_unmask(h, p, kern, n_pad);
    if (h->slopes >= 0) slope_gradient(h, n, n_pad);
    ql_hidden_derive(h, p, kern, n_pad, false, h->grad);
    if (h->slopes >= 0) ql_params_update(p, h->slopes, 0, 1, h->db, step);
    if (h->contracted) kern->add(size, t->curve, h->grad);
    ql_hidden_norm_backward(h, p, kern, n, n_pad, step);
    if (h->contracted && (h->batch_norm || h->layer_norm)) kern->add(size, t->slope, h->grad);
    clear_pads(h, h->grad, n, n_pad);
}

/* Into dw: of a tied layer, what the weights as they are stored get from it. */
static void weight_gradient(ql_hidden *h, const ql_params *p, const ql_kern *kern,
                            const ql_real *in_t, int64_t n, int64_t n_pad)
{
    const int64_t ld = p->tensor[h->weight].ld;
    const ql_gemm_start start = h->dw_begun ? QL_FROM_C : QL_FROM_ZERO;
    ql_gemm own = {.m = h->n_out,
                   .n = ld,
                   .p = n,
                   .a = h->grad,
                   .a_row = n_pad,
                   .a_col = 1,
                   .b = in_t,
                   .ldb = ld,
                   .c = h->dw,
                   .ldc = ld,
                   .start = start};
    if (!h->tied) {
        kern->gemm(&own);
        return;
    }
    ql_transpose(h->n_out, n, h->grad, n_pad, h->out_t, ld);
    kern->gemm(&(ql_gemm){.m = h->n_in,
                          .n = ld,
                          .p = n,
                          .a = in_t,
                          .a_row = 1,
                          .a_col = ql_pad(h->n_in),
                          .b = h->out_t,
                          .ldb = ld,
                          .c = h->dw,
                          .ldc = ld,
                          .start = start});
}

void ql_hidden_backward(ql_hidden *h, ql_params *p, const ql_kern *kern, const ql_real *in_t,
                        ql_real *din, int64_t n, int64_t n_pad, const ql_opt_step *step)
{
    backward_to_pre(h, p, kern, n, n_pad, step);
    kern->row_sums(h->n_out, n_pad, h->grad, n_pad, h->db);
    if (h->weight >= 0) {
        const int64_t ld = p->tensor[h->weight].ld;
        weight_gradient(h, p, kern, in_t, n, n_pad);
        if (din)
            kern->gemm(&(ql_gemm){.m = h->n_in - h->n_extra,
                                  .n = n_pad,
                                  .p = h->n_out,
                                  .a = ql_param(p, h->weight),
                                  .a_row = h->tied ? ld : 1,
                                  .a_col = h->tied ? 1 : ld,
                                  .b = h->grad,
                                  .ldb = n_pad,
                                  .c = din,
                                  .ldc = n_pad});
        if (h->orthogonal > 0) ql_orthogonal_add(h, p, kern);
        if (!h->tied) ql_params_update(p, h->weight, 0, h->n_out, h->dw, step);
    }
    ql_params_update(p, h->bias, 0, 1, h->db, step);
}
