#include "quell/hidden.h"

/* gram [n_out, pad(n_out)] = W W' - 1 */
static void gram_minus_one(const ql_hidden *h, const ql_params *p, const ql_kern *kern)
{
    const int64_t ld = p->tensor[h->weight].ld, ldg = ql_pad(h->n_out);
    const ql_real *w = ql_param(p, h->weight);
    ql_transpose(h->n_out, h->n_in, w, ld, h->turned, ldg);
    kern->gemm(&(ql_gemm){.m = h->n_out,
                          .n = ldg,
                          .p = h->n_in,
                          .a = w,
                          .a_row = ld,
                          .a_col = 1,
                          .b = h->turned,
                          .ldb = ldg,
                          .c = h->gram,
                          .ldc = ldg});
    for (int64_t u = 0; u < h->n_out; u++) h->gram[u * ldg + u] -= 1;
}

double ql_orthogonal_penalty(const ql_hidden *h, const ql_params *p, const ql_kern *kern)
{
    double sum = 0;
    gram_minus_one(h, p, kern);
    for (int64_t i = 0; i < h->n_out * ql_pad(h->n_out); i++)
        sum += (double)h->gram[i] * (double)h->gram[i];
    return h->orthogonal * sum;
}

void ql_orthogonal_add(const ql_hidden *h, const ql_params *p, const ql_kern *kern)
{
    const int64_t ld = p->tensor[h->weight].ld, ldg = ql_pad(h->n_out);
    const ql_real factor = (ql_real)(4 * h->orthogonal);
    gram_minus_one(h, p, kern);
    for (int64_t i = 0; i < h->n_out * ldg; i++) h->gram[i] *= factor;
    kern->gemm(&(ql_gemm){.m = h->n_out,
                          .n = ld,
                          .p = h->n_out,
                          .a = h->gram,
                          .a_row = ldg,
                          .a_col = 1,
                          .b = ql_param(p, h->weight),
                          .ldb = ld,
                          .c = h->dw,
                          .ldc = ld,
                          .start = QL_FROM_C});
}
