/* Heads with weights for each gene (DENSE, GROUP): a block's pre-activations, its gradients, the
 * update. */
#include "heads_internal.h"

void ql_head_dense(const ql_heads *h, const ql_params *p, const ql_kern *kern,
                   const ql_head_pass *pass, const tile_block *t, int head, ql_real *out)
{
    const ql_tensor *w = &p->tensor[h->weight[head]];
    if (h->kind[head] == QL_KIND_GROUP) {
        kern->gemm(&(ql_gemm){.m = t->genes.count,
                              .n = t->ld,
                              .p = h->n_groups,
                              .a = ql_param(p, h->weight[head]) + t->genes.first * w->ld,
                              .a_row = w->ld,
                              .a_col = 1,
                              .b = pass->group + t->first,
                              .ldb = pass->batch->n_pad,
                              .c = out,
                              .ldc = t->ld});
        return;
    }
    kern->gemm(&(ql_gemm){.m = t->genes.count,
                          .n = t->ld,
                          .p = h->n_in,
                          .a = ql_param(p, h->weight[head]) + t->genes.first * w->ld,
                          .a_row = w->ld,
                          .a_col = 1,
                          .b = pass->hidden[h->branch[head]] + t->first,
                          .ldb = pass->batch->n_pad,
                          .c = out,
                          .ldc = t->ld,
                          .start = QL_FROM_BIAS,
                          .bias = ql_param(p, h->bias[head]) + t->genes.first});
}

void ql_head_row_sums(const ql_kern *kern, const tile_block *t, const ql_real *x, ql_real *scratch,
                      ql_real *sums)
{
    kern->row_sums(t->genes.count, t->ld, x, t->ld, t->first == 0 ? sums : scratch);
    if (t->first == 0) return;
    for (int64_t g = 0; g < t->genes.count; g++) sums[g] = sums[g] + scratch[g];
}

void ql_head_update_vector(ql_params *p, int tensor, ql_span genes, ql_real *grad,
                           const ql_head_pass *pass, double rate)
{
    const int64_t n = ql_pad(genes.count);
    ql_opt_step step = *pass->step;
    step.rate = (ql_real)((double)step.rate * rate);
    for (int64_t g = genes.count; g < n; g++) grad[g] = 0;
    ql_params_update_range(p, tensor, genes.first, n, grad, &step);
}

/* What a block adds to the gradient by the hidden layer. */
void ql_head_hidden_gradient(const ql_heads *h, const ql_params *p, const ql_kern *kern,
                             const ql_head_pass *pass, const tile_block *t, int head, ql_real *part,
                             const ql_head_space *s)
{
    const ql_tensor *w = &p->tensor[h->weight[head]];
    kern->gemm(&(ql_gemm){.m = h->n_in,
                          .n = t->ld,
                          .p = t->genes.count,
                          .a = ql_param(p, h->weight[head]) + t->genes.first * w->ld,
                          .a_row = 1,
                          .a_col = w->ld,
                          .b = s->act[head],
                          .ldb = t->ld,
                          .c = part + t->first,
                          .ldc = pass->batch->n_pad,
                          .start = QL_FROM_C});
}

/* Genes whose weight gradient is made and used at a time: what it takes stays in the innermost
 * cache. */
enum { UPDATE_GENES = 24 };

/* What a block adds to the gradient by the weights (begun anew at the first block); with the last
 * block the weights are updated. */
void ql_head_weight_gradient(const ql_heads *h, ql_params *p, const ql_kern *kern,
                             const ql_head_pass *pass, const tile_block *t, int head,
                             ql_head_space *s)
{
    const int64_t ld = p->tensor[h->weight[head]].ld;
    const bool group = h->kind[head] == QL_KIND_GROUP;
    const ql_real *in_t = group ? pass->group_t : pass->hidden_t[h->branch[head]];
    ql_opt_step step = *pass->step;
    if (group) step.rate = (ql_real)((double)step.rate * h->disp_rate);
    const bool alone = t->first == 0 && ql_is_last_block(pass->batch, t);
    const bool kept = h->tied && head == QL_HEAD_MEAN;
    for (int64_t g = 0; g < t->genes.count; g += UPDATE_GENES) {
        int64_t left = t->genes.count - g, n = left < UPDATE_GENES ? left : UPDATE_GENES;
        ql_real *dw = s->dw[head] + (alone ? 0 : g * ld);
        if (kept) dw = h->kept + (t->genes.first + g) * ld;
        kern->gemm(&(ql_gemm){.m = n,
                              .n = ld,
                              .p = t->n,
                              .a = s->act[head] + g * t->ld,
                              .a_row = t->ld,
                              .a_col = 1,
                              .b = in_t + t->first * ld,
                              .ldb = ld,
                              .c = dw,
                              .ldc = ld,
                              .start = t->first == 0 ? QL_FROM_ZERO : QL_FROM_C});
        if (ql_is_last_block(pass->batch, t) && !kept)
            ql_params_update(p, h->weight[head], t->genes.first + g, n, dw, &step);
    }
}
