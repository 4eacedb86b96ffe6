#include "quell/contract.h"

/* What the norm multiplies unit u of cell j by. */
static ql_real norm_slope(const ql_hidden *h, const ql_params *p, int64_t u, int64_t j)
{
    if (h->batch_norm) return h->inv_sd[u];
    if (h->layer_norm) return ql_param(p, h->gamma)[u] * h->inv_sd[j];
    return 1;
}

/* d = mask times f' or f'' */
static void derivative(const ql_hidden *h, const ql_params *p, const ql_kern *kern, int64_t n,
                       int64_t n_pad, bool second, ql_real *d)
{
    for (int64_t i = 0; i < h->n_out * n_pad; i++)
        d[i] = i % n_pad < n ? (ql_hidden_has_mask(h) ? h->mask[i] : 1) : 0;
    ql_hidden_derive(h, p, kern, n_pad, second, d);
}

void ql_tangent_forward(ql_hidden *h, const ql_params *p, const ql_kern *kern,
                        const ql_hidden *below, const ql_real *first, int64_t n, int64_t n_pad)
{
    ql_tangent *t = &h->tangent;
    if (below)
        kern->gemm(&(ql_gemm){.m = h->n_out,
                              .n = n_pad,
                              .p = h->n_in,
                              .a = ql_param(p, h->weight),
                              .a_row = p->tensor[h->weight].ld,
                              .a_col = 1,
                              .b = below->tangent.t,
                              .ldb = n_pad,
                              .c = t->r,
                              .ldc = n_pad});
    for (int64_t u = 0; u < h->n_out && !below; u++)
        for (int64_t j = 0; j < n_pad; j++) t->r[u * n_pad + j] = first[u];
    ql_hidden_unmask(h, p, kern, n_pad);
    derivative(h, p, kern, n, n_pad, false, t->slope);
    derivative(h, p, kern, n, n_pad, true, t->curve);
    for (int64_t u = 0; u < h->n_out; u++)
        for (int64_t j = 0, at = u * n_pad; j < n_pad; j++, at++)
            t->t[at] = t->slope[at] * norm_slope(h, p, u, j) * t->r[at];
    ql_transpose(h->n_out, n_pad, t->t, n_pad, t->t_t, ql_pad(h->n_out));
}

double ql_tangent_start(ql_hidden *h, double factor, int64_t n, int64_t n_pad)
{
    const ql_tangent *t = &h->tangent;
    double sum = 0;
    for (int64_t u = 0; u < h->n_out; u++)
        for (int64_t j = u * n_pad; j < u * n_pad + n; j++)
            sum += (double)t->t[j] * (double)t->t[j];
    for (int64_t i = 0; i < h->n_out * n_pad; i++) t->back[i] = (ql_real)(2 * factor) * t->t[i];
    return factor * sum;
}

/* What the layer's own values get, and back becomes the gradient by r. slope holds mask f' r back
 * afterwards, which is the gradient by the norm's factor. */
static void backward_to_r(ql_hidden *h, const ql_params *p, int64_t n, int64_t n_pad)
{
    ql_tangent *t = &h->tangent;
    for (int64_t u = 0; u < h->n_out; u++) {
        double dslope = 0;
        for (int64_t j = 0, at = u * n_pad; j < n_pad; j++, at++) {
            ql_real v = norm_slope(h, p, u, j), rb = t->r[at] * t->back[at];
            if (j < n && !(h->sum[at] > 0))
                dslope += (double)((ql_hidden_has_mask(h) ? h->mask[at] : 1) * v * rb);
            t->curve[at] *= v * rb;
            t->back[at] *= t->slope[at] * v;
            t->slope[at] *= rb;
        }
        t->dslope[u] = (ql_real)dslope;
    }
}

/* Through v = (var + eps)^(-1/2) of a unit: dv = -v^2 norm / n. */
static void through_batch_norm(const ql_hidden *h, int64_t n, int64_t n_pad)
{
    for (int64_t u = 0; u < h->n_out; u++) {
        ql_real *q = h->tangent.slope + u * n_pad;
        double sum = 0;
        for (int64_t j = 0; j < n; j++) sum += (double)q[j];
        double v = (double)h->inv_sd[u];
        ql_real factor = (ql_real)(-sum * v * v / (double)n);
        for (int64_t j = 0; j < n; j++) q[j] = factor * h->norm[u * n_pad + j];
    }
}

/* The same for v = gain times that of a cell. */
static void through_layer_norm(const ql_hidden *h, const ql_params *p, int64_t n, int64_t n_pad)
{
    const ql_real *gamma = ql_param(p, h->gamma);
    for (int64_t u = 0; u < h->n_out; u++) {
        double dgamma = 0;
        for (int64_t j = 0; j < n; j++)
            dgamma += (double)h->tangent.slope[u * n_pad + j] * (double)h->inv_sd[j];
        h->tangent.dgamma[u] = (ql_real)dgamma;
    }
    for (int64_t j = 0; j < n; j++) {
        double sum = 0, v = (double)h->inv_sd[j];
        for (int64_t u = 0; u < h->n_out; u++)
            sum += (double)h->tangent.slope[u * n_pad + j] * (double)gamma[u];
        ql_real factor = (ql_real)(-sum * v * v / (double)h->n_out);
        for (int64_t u = 0; u < h->n_out; u++)
            h->tangent.slope[u * n_pad + j] = factor * h->norm[u * n_pad + j];
    }
}

void ql_tangent_backward(ql_hidden *h, const ql_params *p, const ql_kern *kern, ql_hidden *below,
                         int64_t n, int64_t n_pad)
{
    backward_to_r(h, p, n, n_pad);
    if (h->batch_norm) through_batch_norm(h, n, n_pad);
    if (h->layer_norm) through_layer_norm(h, p, n, n_pad);
    if (!below) return;
    const int64_t ld = p->tensor[h->weight].ld;
    kern->gemm(&(ql_gemm){.m = h->n_out,
                          .n = ld,
                          .p = n,
                          .a = h->tangent.back,
                          .a_row = n_pad,
                          .a_col = 1,
                          .b = below->tangent.t_t,
                          .ldb = ld,
                          .c = h->dw,
                          .ldc = ld});
    kern->gemm(&(ql_gemm){.m = h->n_in,
                          .n = n_pad,
                          .p = h->n_out,
                          .a = ql_param(p, h->weight),
                          .a_row = 1,
                          .a_col = ld,
                          .b = h->tangent.back,
                          .ldb = n_pad,
                          .c = below->tangent.back,
                          .ldc = n_pad});
}
