/* What remains of a trained network of scDHA: its encoder, which reads any number of cells. */
#include <math.h>
#include <string.h>

#include "quell/activation.h"
#include "quell/alloc.h"
#include "quell/scdha_net.h"

int64_t ql_scdha_encoder_size(const ql_scdha_encoder *e)
{
    return e->n_genes * e->hidden + 5 * e->hidden + e->hidden * e->latent + e->latent;
}

ql_status ql_scdha_encoder_new(ql_scdha_encoder *e, ql_err *err)
{
    QL_TRY(QL_NEW(e->weight, ql_scdha_encoder_size(e), "an encoder", err));
    e->bias = e->weight + e->n_genes * e->hidden;
    e->gamma = e->bias + e->hidden;
    e->beta = e->gamma + e->hidden;
    e->moving_mean = e->beta + e->hidden;
    e->moving_var = e->moving_mean + e->hidden;
    e->mu_weight = e->moving_var + e->hidden;
    e->mu_bias = e->mu_weight + e->hidden * e->latent;
    return QL_OK;
}

void ql_scdha_encoder_free(ql_scdha_encoder *e)
{
    ql_free(e->weight);
    *e = (ql_scdha_encoder){0};
}

/* to [rows, cols] from rows of ld numbers */
static void pack(const ql_real *from, int64_t rows, int64_t cols, int64_t ld, float *to)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < cols; k++) to[i * cols + k] = (float)from[i * ld + k];
}

void ql_scdha_net_encoder(const ql_scdha_net *net, ql_scdha_encoder *e)
{
    const ql_params *p = &net->params;
    const ql_scdha_tensors *t = &net->t;
    const int64_t h = e->hidden;
    pack(ql_param(p, t->in_weight), e->n_genes, h, net->ld, e->weight);
    pack(ql_param(p, t->in_bias), 1, h, net->ld, e->bias);
    pack(ql_param(p, t->gamma), 1, h, net->ld, e->gamma);
    pack(ql_param(p, t->shift), 1, h, net->ld, e->beta);
    pack(net->moving_mean, 1, h, net->ld, e->moving_mean);
    pack(net->moving_var, 1, h, net->ld, e->moving_var);
    pack(ql_param(p, t->mu_weight), h, e->latent, net->ldl, e->mu_weight);
    pack(ql_param(p, t->mu_bias), 1, e->latent, net->ldl, e->mu_bias);
}

/* ---- reading ---- */

static int64_t reader_numbers(const ql_scdha_encoder *e)
{
    const int64_t ld = ql_pad(e->hidden), ldl = ql_pad(e->latent);
    return e->n_genes * ld + 3 * ld + e->hidden * ldl + ldl;
}

int64_t ql_scdha_reader_bytes(const ql_scdha_encoder *e)
{
    return reader_numbers(e) * (int64_t)sizeof(ql_real);
}

static void unpack(const float *from, int64_t rows, int64_t cols, int64_t ld, ql_real *to)
{
    for (int64_t i = 0; i < rows; i++)
        for (int64_t k = 0; k < cols; k++) to[i * ld + k] = (ql_real)from[i * cols + k];
}

static void fold_norm(const ql_scdha_encoder *e, ql_scdha_reader *r)
{
    for (int64_t k = 0; k < e->hidden && e->batch_norm; k++) {
        const double slope = (double)e->gamma[k] / sqrt((double)e->moving_var[k] + QL_SCDHA_BN_EPS);
        r->slope[k] = (ql_real)slope;
        r->shift[k] = (ql_real)((double)e->beta[k] - slope * (double)e->moving_mean[k]);
    }
}

ql_status ql_scdha_reader_new(ql_scdha_reader *r, const ql_scdha_encoder *e, const ql_kern *kern,
                              ql_err *err)
{
    const int64_t ld = ql_pad(e->hidden), ldl = ql_pad(e->latent);
    *r = (ql_scdha_reader){.e = e, .kern = kern, .ld = ld, .ldl = ldl};
    QL_TRY(QL_NEW(r->weight, reader_numbers(e), "an encoder", err));
    r->bias = r->weight + e->n_genes * ld;
    r->slope = r->bias + ld;
    r->shift = r->slope + ld;
    r->mu_weight = r->shift + ld;
    r->mu_bias = r->mu_weight + e->hidden * ldl;
    unpack(e->weight, e->n_genes, e->hidden, ld, r->weight);
    unpack(e->bias, 1, e->hidden, ld, r->bias);
    unpack(e->mu_weight, e->hidden, e->latent, ldl, r->mu_weight);
    unpack(e->mu_bias, 1, e->latent, ldl, r->mu_bias);
    fold_norm(e, r);
    return QL_OK;
}

void ql_scdha_reader_free(ql_scdha_reader *r)
{
    ql_free(r->weight);
    *r = (ql_scdha_reader){0};
}

void ql_scdha_read(const ql_scdha_reader *r, const ql_wide_batch *x, ql_real *work, float *out,
                   int64_t stride)
{
    ql_real *before = work, *hidden = work + QL_SCDHA_BLOCK * r->ld;
    ql_real *mu = hidden + QL_SCDHA_BLOCK * r->ld;
    ql_wide_in(r->kern, x, r->weight, r->bias, r->ld, before);
    if (r->e->batch_norm) {
        for (int64_t i = 0; i < x->n; i++)
            for (int64_t k = 0, at = i * r->ld; k < r->ld; k++, at++)
                hidden[at] = before[at] * r->slope[k] + r->shift[k];
    } else {
        ql_activation_find("selu")->forward(r->kern, 0, x->n * r->ld, before, hidden);
    }
    for (int64_t i = 0; i < x->n; i++)
        memcpy(mu + i * r->ldl, r->mu_bias, (size_t)r->ldl * sizeof *mu);
    r->kern->gemm(&(ql_gemm){.m = x->n,
                             .n = r->ldl,
                             .p = r->e->hidden,
                             .a = hidden,
                             .a_row = r->ld,
                             .a_col = 1,
                             .b = r->mu_weight,
                             .ldb = r->ldl,
                             .c = mu,
                             .ldc = r->ldl,
                             .start = QL_FROM_C});
    for (int64_t i = 0; i < x->n; i++)
        for (int64_t k = 0; k < r->e->latent; k++) out[i * stride + k] = (float)mu[i * r->ldl + k];
}
