#include "quell/label_head.h"

#include <string.h>

#include "quell/alloc.h"
#include "quell/buffers.h"
#include "quell/dense_map.h"
#include "quell/fmath.h"

/* Where a maximum begins; what a probability counts as at least, so that a loss stays finite. */
#define LEAST_LOGIT (ql_real) - 1e30
#define LEAST_PROB  1e-30

void ql_label_declare(ql_label_head *h, ql_params *p)
{
    h->weight = ql_params_add(p, "label/weight", h->n_labels, h->n_in, true);
    h->bias = ql_params_add(p, "label/bias", 1, h->n_labels, true);
}

enum { N_BUFFERS = 7 };

static void list_buffers(ql_label_head *h, int64_t cells, ql_buffer list[N_BUFFERS])
{
    const ql_buffer all[N_BUFFERS] = {
        QL_BUFFER(h->prob, h->n_labels * cells),
        QL_BUFFER(h->grad, h->n_labels * cells),
        QL_BUFFER(h->turned, h->n_in * cells),
        QL_BUFFER(h->most, cells),
        QL_BUFFER(h->sum, cells),
        QL_BUFFER(h->dw, h->n_labels * ql_pad(h->n_in)),
        QL_BUFFER(h->db, ql_pad(h->n_labels)),
    };
    memcpy(list, all, sizeof all);
}

ql_status ql_label_alloc(ql_label_head *h, int64_t capacity, ql_err *err)
{
    ql_buffer list[N_BUFFERS];
    if (h->n_labels == 0) return QL_OK;
    list_buffers(h, capacity, list);
    QL_TRY(ql_buffers_alloc(list, N_BUFFERS, "label head", err));
    return QL_NEW(h->label, capacity, "label head", err);
}

int64_t ql_label_bytes(const ql_label_head *h, int64_t capacity)
{
    ql_label_head copy = *h;
    ql_buffer list[N_BUFFERS];
    if (h->n_labels == 0) return 0;
    list_buffers(&copy, capacity, list);
    return ql_buffers_bytes(list, N_BUFFERS) + capacity * (int64_t)sizeof(int32_t);
}

void ql_label_free(ql_label_head *h)
{
    ql_buffer list[N_BUFFERS];
    list_buffers(h, 0, list);
    ql_buffers_free(list, N_BUFFERS);
    ql_free(h->label);
    *h = (ql_label_head){0};
}

/* The map to the logits. */
static ql_dense_map map_of(const ql_label_head *h)
{
    return (ql_dense_map){h->n_in, h->n_labels, h->weight, h->bias, h->turned, h->dw, h->db};
}

void ql_label_forward(ql_label_head *h, const ql_params *p, const ql_kern *kern,
                      const ql_real *code, int64_t n_pad)
{
    const ql_dense_map map = map_of(h);
    ql_dense_forward(&map, p, kern, code, n_pad, h->prob);
    for (int64_t i = 0; i < n_pad; i++) {
        h->most[i] = LEAST_LOGIT;
        h->sum[i] = 0;
    }
    kern->soft_sums(h->n_labels, n_pad, h->prob, h->most, h->sum);
    kern->log(n_pad, h->sum, h->sum);
    for (int64_t i = 0; i < n_pad; i++) h->sum[i] = -(h->most[i] + h->sum[i]);
    kern->add_row(h->n_labels, n_pad, h->prob, h->sum, h->prob);
    kern->exp(h->n_labels * n_pad, h->prob, h->prob);
}

/* Into h->grad: probability minus truth, of the labelled cells. */
static double label_gradient(ql_label_head *h, double factor, int64_t n, int64_t n_pad)
{
    int64_t labelled = 0;
    double loss = 0;
    const size_t bytes = (size_t)(h->n_labels * n_pad) * sizeof *h->grad;
    if (h->more)
        memcpy(h->grad, h->more, bytes);
    else
        memset(h->grad, 0, bytes);
    for (int64_t i = 0; i < n; i++) labelled += h->label[i] >= 0;
    if (labelled == 0) return 0;
    const double scale = factor / (double)labelled;
    for (int64_t i = 0; i < n; i++) {
        if (h->label[i] < 0) continue;
        for (int64_t l = 0; l < h->n_labels; l++) {
            const double truth = l == h->label[i];
            h->grad[l * n_pad + i] = (ql_real)(scale * ((double)h->prob[l * n_pad + i] - truth));
        }
        const double right = (double)h->prob[h->label[i] * n_pad + i];
        loss -= scale * ql_log(right > LEAST_PROB ? right : LEAST_PROB);
    }
    return loss;
}

double ql_label_backward(ql_label_head *h, ql_params *p, const ql_kern *kern, double factor,
                         const ql_real *code_t, ql_real *by_code, int64_t n, int64_t n_pad,
                         const ql_opt_step *step)
{
    const ql_dense_map map = map_of(h);
    const double loss = label_gradient(h, factor, n, n_pad);
    ql_dense_backward(&map, p, kern, h->grad, code_t, by_code, n, n_pad, step);
    return loss;
}
