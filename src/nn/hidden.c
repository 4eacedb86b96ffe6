#include "quell/hidden.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/rng.h"

/* The reference's batch norm (docs/model.md) */
#define BN_EPS  (ql_real)1e-3
#define BN_KEEP (ql_real)0.99

static int declare(ql_params *p, const char *prefix, const char *what, int64_t rows, int64_t cols,
                   bool trained)
{
    char name[32];
    snprintf(name, sizeof name, "%s/%s", prefix, what);
    return ql_params_add(p, name, rows, cols, trained);
}

void ql_hidden_declare(ql_hidden *h, ql_params *p, const char *prefix, bool dense)
{
    h->weight = dense ? declare(p, prefix, "weight", h->n_out, h->n_in, true) : -1;
    h->bias = declare(p, prefix, "bias", 1, h->n_out, true);
    h->beta = h->mean = h->var = -1;
    if (!h->batch_norm) return;
    h->beta = declare(p, prefix, "beta", 1, h->n_out, true);
    h->mean = declare(p, prefix, "moving_mean", 1, h->n_out, false);
    h->var = declare(p, prefix, "moving_var", 1, h->n_out, false);
}

ql_status ql_hidden_alloc(ql_hidden *h, int64_t capacity, ql_err *err)
{
    const int64_t n = h->n_out * capacity;
    h->capacity = capacity;
    QL_TRY(QL_NEW(h->pre, n, "hidden layer", err));
    QL_TRY(QL_NEW(h->norm, n, "hidden layer", err));
    QL_TRY(QL_NEW(h->sum, n, "hidden layer", err));
    QL_TRY(QL_NEW(h->out, n, "hidden layer", err));
    QL_TRY(QL_NEW(h->grad, n, "hidden layer", err));
    QL_TRY(QL_NEW(h->mask, n, "hidden layer", err));
    QL_TRY(QL_NEW(h->out_t, ql_pad(h->n_out) * capacity, "hidden layer", err));
    QL_TRY(QL_NEW(h->inv_sd, h->n_out, "hidden layer", err));
    QL_TRY(QL_NEW(h->dw, h->n_out * ql_pad(h->n_in), "hidden layer", err));
    return QL_NEW(h->db, ql_pad(h->n_out), "hidden layer", err);
}

void ql_hidden_free(ql_hidden *h)
{
    ql_real *const owned[] = {h->pre,  h->norm,  h->sum,    h->out, h->grad,
                              h->mask, h->out_t, h->inv_sd, h->dw,  h->db};
    for (size_t i = 0; i < sizeof owned / sizeof *owned; i++) ql_free(owned[i]);
    *h = (ql_hidden){0};
}

void ql_transpose(int64_t rows, int64_t cols, const ql_real *src, int64_t ld_src, ql_real *dst,
                  int64_t ld_dst)
{
    enum { BLOCK = 16 };
    for (int64_t j0 = 0; j0 < cols; j0 += BLOCK) {
        for (int64_t i0 = 0; i0 < rows; i0 += BLOCK) {
            int64_t j1 = j0 + BLOCK < cols ? j0 + BLOCK : cols;
            int64_t i1 = i0 + BLOCK < rows ? i0 + BLOCK : rows;
            for (int64_t j = j0; j < j1; j++)
                for (int64_t i = i0; i < i1; i++) dst[j * ld_dst + i] = src[i * ld_src + j];
        }
    }
    for (int64_t j = 0; j < cols; j++)
        for (int64_t i = rows; i < ld_dst; i++) dst[j * ld_dst + i] = 0;
}

void ql_params_update(ql_params *p, int tensor, int64_t first, int64_t rows, const ql_real *grad,
                      const ql_optimizer *opt, const ql_opt_step *step)
{
    const ql_tensor *t = &p->tensor[tensor];
    int64_t at = t->offset + first * t->ld;
    ql_opt_step s = *step;
    s.l1 = t->l1;
    s.l2 = t->l2;
    if (!t->decays) s.weight_decay = 0;
    opt->update(rows * t->ld, p->w + at, grad, p->m ? p->m + at : NULL, p->v ? p->v + at : NULL,
                &s);
}

/* Mean and biased variance of the first n values of each row; sums in the kernels' virtual lanes
 * would need pads of zero, so a plain chain in float64 serves. */
static void row_moments(const ql_real *x, int64_t n, ql_real *mean, ql_real *var)
{
    double s = 0, q = 0;
    for (int64_t j = 0; j < n; j++) s += (double)x[j];
    s /= (double)n;
    for (int64_t j = 0; j < n; j++) q += ((double)x[j] - s) * ((double)x[j] - s);
    *mean = (ql_real)s;
    *var = (ql_real)(q / (double)n);
}

static void batch_norm_forward(ql_hidden *h, const ql_params *p, int64_t n, int64_t n_pad,
                               bool training)
{
    ql_real *moving_mean = ql_param(p, h->mean), *moving_var = ql_param(p, h->var);
    const ql_real *beta = ql_param(p, h->beta);
    for (int64_t u = 0; u < h->n_out; u++) {
        const ql_real *x = h->pre + u * n_pad;
        ql_real mean = moving_mean[u], var = moving_var[u];
        if (training) {
            row_moments(x, n, &mean, &var);
            moving_mean[u] = BN_KEEP * moving_mean[u] + (1 - BN_KEEP) * mean;
            moving_var[u] = BN_KEEP * moving_var[u] + (1 - BN_KEEP) * var;
        }
        h->inv_sd[u] = (ql_real)(1 / sqrt((double)var + (double)BN_EPS));
        for (int64_t j = 0; j < n_pad; j++) {
            h->norm[u * n_pad + j] = (x[j] - mean) * h->inv_sd[u];
            h->sum[u * n_pad + j] = h->norm[u * n_pad + j] + beta[u];
        }
    }
}

/* dx = (dy - mean(dy) - norm * mean(dy * norm)) / sd, in place; db receives beta's gradient. */
static void batch_norm_backward(ql_hidden *h, int64_t n, int64_t n_pad, ql_real *dbeta)
{
    for (int64_t u = 0; u < h->n_out; u++) {
        ql_real *dy = h->grad + u * n_pad;
        const ql_real *x = h->norm + u * n_pad;
        double sum = 0, with_x = 0;
        for (int64_t j = 0; j < n; j++) {
            sum += (double)dy[j];
            with_x += (double)dy[j] * (double)x[j];
        }
        ql_real a = (ql_real)(sum / (double)n), b = (ql_real)(with_x / (double)n);
        for (int64_t j = 0; j < n; j++) dy[j] = (dy[j] - a - x[j] * b) * h->inv_sd[u];
        dbeta[u] = (ql_real)sum;
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
            h->mask[u * n_pad + j] = f;
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
    const int64_t size = h->n_out * n_pad;
    if (h->weight >= 0) {
        kern->gemm(&(ql_gemm){.m = h->n_out,
                              .n = n_pad,
                              .p = h->n_in,
                              .a = ql_param(p, h->weight),
                              .a_row = p->tensor[h->weight].ld,
                              .a_col = 1,
                              .b = in,
                              .ldb = n_pad,
                              .c = h->pre,
                              .ldc = n_pad,
                              .start = QL_FROM_BIAS,
                              .bias = ql_param(p, h->bias)});
    }
    if (h->batch_norm)
        batch_norm_forward(h, p, n, n_pad, pass.training);
    else
        memcpy(h->sum, h->pre, (size_t)size * sizeof(ql_real));
    h->act->forward(kern, size, h->sum, h->out);
    if (pass.training && h->dropout > 0) dropout_forward(h, n, n_pad, pass);
    clear_pads(h, h->out, n, n_pad);
    ql_transpose(h->n_out, n_pad, h->out, n_pad, h->out_t, ql_pad(h->n_out));
}

void ql_hidden_backward(ql_hidden *h, ql_params *p, const ql_kern *kern, const ql_real *in_t,
                        ql_real *din, int64_t n, int64_t n_pad, const ql_optimizer *opt,
                        const ql_opt_step *step)
{
    const int64_t size = h->n_out * n_pad;
    if (h->dropout > 0)
        for (int64_t i = 0; i < size; i++) h->grad[i] *= h->mask[i];
    if (h->dropout >
        0) /* the activation's derivative is taken at its own output, before the mask */
        h->act->forward(kern, size, h->sum, h->out);
    h->act->backward(size, h->sum, h->out, h->grad);
    if (h->batch_norm) {
        batch_norm_backward(h, n, n_pad, h->db);
        ql_params_update(p, h->beta, 0, 1, h->db, opt, step);
    }
    clear_pads(h, h->grad, n, n_pad);
    kern->row_sums(h->n_out, n_pad, h->grad, n_pad, h->db);
    if (h->weight >= 0) {
        const ql_tensor *w = &p->tensor[h->weight];
        kern->gemm(&(ql_gemm){.m = h->n_out,
                              .n = w->ld,
                              .p = n,
                              .a = h->grad,
                              .a_row = n_pad,
                              .a_col = 1,
                              .b = in_t,
                              .ldb = w->ld,
                              .c = h->dw,
                              .ldc = w->ld});
        if (din)
            kern->gemm(&(ql_gemm){.m = h->n_in,
                                  .n = n_pad,
                                  .p = h->n_out,
                                  .a = ql_param(p, h->weight),
                                  .a_row = 1,
                                  .a_col = w->ld,
                                  .b = h->grad,
                                  .ldb = n_pad,
                                  .c = din,
                                  .ldc = n_pad});
        ql_params_update(p, h->weight, 0, h->n_out, h->dw, opt, step);
    }
    ql_params_update(p, h->bias, 0, 1, h->db, opt, step);
}
