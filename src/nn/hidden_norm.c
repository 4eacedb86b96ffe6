#include "hidden_norm.h"

#include <math.h>
#include <string.h>

/* The reference's batch norm (docs/model.md) */
#define BN_EPS  (ql_real)1e-3
#define BN_KEEP (ql_real)0.99
#define LN_EPS  1e-5 /* PyTorch's */

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
    const ql_real *gamma = h->gamma >= 0 ? ql_param(p, h->gamma) : NULL;
    for (int64_t u = 0; u < h->n_out; u++) {
        const ql_real *x = h->pre + u * n_pad;
        ql_real mean = moving_mean[u], var = moving_var[u];
        if (training) {
            row_moments(x, n, &mean, &var);
            ql_real sample = h->gain && n > 1 ? var * (ql_real)n / (ql_real)(n - 1) : var;
            moving_mean[u] = BN_KEEP * moving_mean[u] + (1 - BN_KEEP) * mean;
            moving_var[u] = BN_KEEP * moving_var[u] + (1 - BN_KEEP) * sample;
        }
        h->inv_sd[u] = (ql_real)(1 / sqrt((double)var + (double)BN_EPS));
        for (int64_t j = 0; j < n_pad; j++) {
            h->norm[u * n_pad + j] = (x[j] - mean) * h->inv_sd[u];
            h->sum[u * n_pad + j] = h->norm[u * n_pad + j] + beta[u];
        }
        for (int64_t j = u * n_pad; gamma && j < (u + 1) * n_pad; j++)
            h->sum[j] = h->norm[j] * gamma[u] + beta[u];
    }
}

/* Sums over the cells of a unit's gradient, and of it times the standardised value: the gradients
 * by shift and gain. */
typedef struct {
    double dy, dy_norm;
} unit_sums;

static unit_sums sums_of(const ql_hidden *h, int64_t u, int64_t n, int64_t n_pad)
{
    const ql_real *dy = h->grad + u * n_pad, *x = h->norm + u * n_pad;
    unit_sums s = {0};
    for (int64_t j = 0; j < n; j++) {
        s.dy += (double)dy[j];
        s.dy_norm += (double)dy[j] * (double)x[j];
    }
    return s;
}

/* dx = (dy - mean(dy) - norm * mean(dy * norm)) / sd, in place, with the gain gamma (NULL: none)
 * times as much; dbeta and dgamma receive their gradients. */
static void batch_norm_backward(ql_hidden *h, const ql_real *gamma, int64_t n, int64_t n_pad,
                                ql_real *dbeta, ql_real *dgamma)
{
    for (int64_t u = 0; u < h->n_out; u++) {
        ql_real *dy = h->grad + u * n_pad;
        const ql_real *x = h->norm + u * n_pad;
        const unit_sums s = sums_of(h, u, n, n_pad);
        const ql_real a = (ql_real)(s.dy / (double)n), b = (ql_real)(s.dy_norm / (double)n);
        const ql_real scale = gamma ? h->inv_sd[u] * gamma[u] : h->inv_sd[u];
        for (int64_t j = 0; j < n; j++) dy[j] = (dy[j] - a - x[j] * b) * scale;
        dbeta[u] = (ql_real)s.dy;
        if (gamma) dgamma[u] = (ql_real)s.dy_norm;
    }
}

/* Over the units of each cell, QL_PAD cells at a time. */
static void layer_norm_forward(ql_hidden *h, const ql_params *p, int64_t n_pad)
{
    const ql_real *gamma = ql_param(p, h->gamma), *beta = ql_param(p, h->beta);
    for (int64_t first = 0; first < n_pad; first += QL_PAD) {
        double s[QL_PAD] = {0}, q[QL_PAD] = {0};
        for (int64_t u = 0; u < h->n_out; u++)
            for (int64_t j = 0; j < QL_PAD; j++) s[j] += (double)h->pre[u * n_pad + first + j];
        for (int64_t j = 0; j < QL_PAD; j++) s[j] /= (double)h->n_out;
        for (int64_t u = 0; u < h->n_out; u++)
            for (int64_t j = 0; j < QL_PAD; j++) {
                double d = (double)h->pre[u * n_pad + first + j] - s[j];
                q[j] += d * d;
            }
        for (int64_t j = 0; j < QL_PAD; j++)
            h->inv_sd[first + j] = (ql_real)(1 / sqrt(q[j] / (double)h->n_out + LN_EPS));
        for (int64_t u = 0; u < h->n_out; u++)
            for (int64_t j = first; j < first + QL_PAD; j++) {
                int64_t at = u * n_pad + j;
                h->norm[at] = (h->pre[at] - (ql_real)s[j - first]) * h->inv_sd[j];
                h->sum[at] = h->norm[at] * gamma[u] + beta[u];
            }
    }
}

/* The same formula, with the sums over a cell's units; dbeta and dgamma receive the gradients by
 * shift and gain. */
static void layer_norm_backward(ql_hidden *h, const ql_params *p, int64_t n, int64_t n_pad,
                                ql_real *dbeta, ql_real *dgamma)
{
    const ql_real *gamma = ql_param(p, h->gamma);
    for (int64_t u = 0; u < h->n_out; u++) {
        const unit_sums s = sums_of(h, u, n, n_pad);
        dbeta[u] = (ql_real)s.dy;
        dgamma[u] = (ql_real)s.dy_norm;
        for (int64_t j = u * n_pad; j < u * n_pad + n; j++) h->grad[j] *= gamma[u];
    }
    for (int64_t first = 0; first < n_pad; first += QL_PAD) {
        double a[QL_PAD] = {0}, b[QL_PAD] = {0};
        for (int64_t u = 0; u < h->n_out; u++)
            for (int64_t j = 0; j < QL_PAD; j++) {
                int64_t at = u * n_pad + first + j;
                a[j] += (double)h->grad[at] / (double)h->n_out;
                b[j] += (double)h->grad[at] * (double)h->norm[at] / (double)h->n_out;
            }
        for (int64_t u = 0; u < h->n_out; u++)
            for (int64_t j = 0; j < QL_PAD; j++) {
                int64_t at = u * n_pad + first + j;
                h->grad[at] = (h->grad[at] - (ql_real)a[j] - h->norm[at] * (ql_real)b[j]) *
                              h->inv_sd[first + j];
            }
    }
}

void ql_hidden_norm_forward(ql_hidden *h, const ql_params *p, int64_t n, int64_t n_pad,
                            bool training)
{
    if (h->batch_norm)
        batch_norm_forward(h, p, n, n_pad, training);
    else if (h->layer_norm)
        layer_norm_forward(h, p, n_pad);
    else
        memcpy(h->sum, h->pre, (size_t)(h->n_out * n_pad) * sizeof(ql_real));
}

void ql_hidden_norm_backward(ql_hidden *h, ql_params *p, const ql_kern *kern, int64_t n,
                             int64_t n_pad, const ql_opt_step *step)
{
    const ql_real *gamma = h->gamma >= 0 ? ql_param(p, h->gamma) : NULL;
    ql_real *dbeta = h->db, *dgamma = h->mask; /* whose work is done */
    if (!h->batch_norm && !h->layer_norm) return;
    if (gamma) memset(dgamma, 0, (size_t)ql_pad(h->n_out) * sizeof *dgamma);
    if (h->batch_norm)
        batch_norm_backward(h, gamma, n, n_pad, dbeta, dgamma);
    else
        layer_norm_backward(h, p, n, n_pad, dbeta, dgamma);
    if (h->layer_norm && h->contracted) kern->add(ql_pad(h->n_out), h->tangent.dgamma, dgamma);
    ql_params_update(p, h->beta, 0, 1, dbeta, step);
    if (gamma) ql_params_update(p, h->gamma, 0, 1, dgamma, step);
}
