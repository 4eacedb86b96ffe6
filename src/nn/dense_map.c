#include "quell/dense_map.h"

void ql_dense_forward(const ql_dense_map *m, const ql_params *p, const ql_kern *kern,
                      const ql_real *in, int64_t n_pad, ql_real *out)
{
    kern->gemm(&(ql_gemm){.m = m->n_out,
                          .n = n_pad,
                          .p = m->n_in,
                          .a = ql_param(p, m->weight),
                          .a_row = p->tensor[m->weight].ld,
                          .a_col = 1,
                          .b = in,
                          .ldb = n_pad,
                          .c = out,
                          .ldc = n_pad,
                          .start = QL_FROM_BIAS,
                          .bias = ql_param(p, m->bias)});
}

void ql_dense_backward(const ql_dense_map *m, ql_params *p, const ql_kern *kern,
                       const ql_real *grad, const ql_real *in_t, ql_real *din, int64_t n,
                       int64_t n_pad, const ql_opt_step *step)
{
    const int64_t ld = p->tensor[m->weight].ld;
    kern->gemm(&(ql_gemm){.m = m->n_in,
                          .n = n_pad,
                          .p = m->n_out,
                          .a = ql_param(p, m->weight),
                          .a_row = 1,
                          .a_col = ld,
                          .b = grad,
                          .ldb = n_pad,
                          .c = m->turned,
                          .ldc = n_pad});
    kern->add(m->n_in * n_pad, m->turned, din);
    kern->gemm(&(ql_gemm){.m = m->n_out,
                          .n = ld,
                          .p = n,
                          .a = grad,
                          .a_row = n_pad,
                          .a_col = 1,
                          .b = in_t,
                          .ldb = ld,
                          .c = m->dw,
                          .ldc = ld});
    kern->row_sums(m->n_out, n_pad, grad, n_pad, m->db);
    ql_params_update(p, m->weight, 0, m->n_out, m->dw, step);
    ql_params_update(p, m->bias, 0, 1, m->db, step);
}
