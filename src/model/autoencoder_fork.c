/* Heads with decoder layers of their own (the types nb-fork and zinb-fork). */
#include <stdio.h>

#include "autoencoder_internal.h"
#include "quell/alloc.h"

/* body for each layer i of each branch b but the first. */
#define EACH_FORK(ae, b, i, body)                                                                  \
    do {                                                                                           \
        for (int b = 1; b < (ae)->heads.n_branches; b++)                                           \
            for (int i = (ae)->center + 1; i < (ae)->n_hidden; i++) body;                          \
    } while (0)

static const char *const branch_names[QL_MAX_HEADS] = {"mean", "dispersion", "dropout"};

static void declare_layer(ql_ae *ae, int branch, int i)
{
    char name[24];
    ql_hidden *h = ql_ae_layer(ae, branch, i);
    snprintf(name, sizeof name, "dec%d_%s", i - ae->center, branch_names[branch]);
    *h = ae->hidden[i];
    h->id = (uint64_t)branch * QL_MAX_HIDDEN + (uint64_t)i;
    ql_hidden_declare(h, &ae->params, name, true);
}

void ql_ae_fork_declare(ql_ae *ae)
{
    EACH_FORK(ae, b, i, declare_layer(ae, b, i));
}

int64_t ql_ae_fork_bytes(const ql_ae *ae, int64_t cells)
{
    if (ae->heads.n_branches == 1) return 0;
    return ae->hidden[ae->center].n_out * cells * (int64_t)sizeof(ql_real);
}

ql_status ql_ae_fork_alloc(ql_ae *ae, ql_err *err)
{
    if (ae->heads.n_branches == 1) return QL_OK;
    EACH_FORK(ae, b, i, QL_TRY(ql_hidden_alloc(ql_ae_layer(ae, b, i), ae->capacity, err)));
    return QL_NEW(ae->fork_grad, ae->hidden[ae->center].n_out * ae->capacity, "hidden layer", err);
}

void ql_ae_fork_free(ql_ae *ae)
{
    EACH_FORK(ae, b, i, ql_hidden_free(ql_ae_layer(ae, b, i)));
    ql_free(ae->fork_grad);
}

void ql_ae_fork_forward(ql_ae *ae, const ql_kern *kern, const ql_batch *b, ql_pass pass)
{
    EACH_FORK(ae, k, i,
              ql_hidden_forward(ql_ae_layer(ae, k, i), &ae->params, kern,
                                ql_ae_layer(ae, k, i - 1)->out, b->n, b->n_pad, pass));
}

/* One branch down to the bottleneck, whose gradient it adds to. */
static void branch_backward(ql_ae *ae, const ql_kern *kern, const ql_batch *b,
                            const ql_opt_step *step, int branch)
{
    ql_hidden *center = &ae->hidden[ae->center];
    for (int i = ae->n_hidden - 1; i > ae->center; i--) {
        ql_hidden *below = ql_ae_layer(ae, branch, i - 1);
        ql_hidden_backward(ql_ae_layer(ae, branch, i), &ae->params, kern, below->out_t,
                           below == center ? ae->fork_grad : below->grad, b->n, b->n_pad, step);
    }
    ae->kern->add(center->n_out * b->n_pad, ae->fork_grad, center->grad);
}

void ql_ae_fork_backward(ql_ae *ae, const ql_kern *kern, const ql_batch *b, const ql_opt_step *step)
{
    for (int k = 1; k < ae->heads.n_branches; k++) branch_backward(ae, kern, b, step, k);
}
