/* scANVI's part above the code (scanvi.h): forward and back. */
#include <math.h>
#include <string.h>

#include "autoencoder_internal.h"
#include "quell/buffers.h"
#include "quell/fmath.h"

#define LEAST_PROB 1e-30
/* Numbers of the layers for their dropout masks: behind those of all branches' layers. */
enum { CLASSIFIER_ID = 1001, UPPER_ID, LOWER_ID };

/* ---- layers ---- */

static ql_hidden layer_like_first(const ql_ae *ae, int64_t n_in, int64_t n_labels, uint64_t id)
{
    ql_hidden h = ae->hidden[0];
    h.n_in = n_in + n_labels;
    h.n_extra = n_labels;
    h.id = id;
    return h;
}

void ql_ae_scanvi_declare(ql_ae *ae)
{
    ql_scanvi *s = &ae->scanvi;
    const int64_t units = ae->hidden[ae->center].n_out, labels = ae->cfg.vae.cov.n_labels;
    s->n_labels = labels;
    s->layer = layer_like_first(ae, units, 0, CLASSIFIER_ID);
    ql_hidden_declare(&s->layer, &ae->params, "label_layer", true);
    ae->labels.n_in = s->layer.n_out;
    ql_gauss_shape shape = {.layer = layer_like_first(ae, units, labels, UPPER_ID),
                            .n_out = units,
                            .dense = true,
                            .stream = QL_RNG_SCANVI};
    ql_gauss_net_declare(&s->upper, &ae->params, "upper", &shape);
    shape.layer = layer_like_first(ae, units, labels, LOWER_ID);
    shape.layer.dropout = 0; /* it decodes */
    ql_gauss_net_declare(&s->lower, &ae->params, "lower", &shape);
}

void ql_ae_scanvi_start(ql_ae *ae)
{
    const ql_scanvi *s = &ae->scanvi;
    if (s->n_labels == 0) return;
    ql_hidden_init(&s->layer, &ae->params, ae->cfg.init, 0, ae->cfg.seed);
    ql_gauss_net_init(&s->upper, &ae->params, ae->cfg.init, 0, ae->cfg.seed);
    ql_gauss_net_init(&s->lower, &ae->params, ae->cfg.init, 0, ae->cfg.seed);
}

/* ---- buffers ---- */

enum { N_BUFFERS = 16 };

static void list_buffers(ql_scanvi *s, int64_t cells, ql_buffer list[N_BUFFERS])
{
    const int64_t rows = cells * s->n_labels, units = s->layer.n_in, in = units + s->n_labels;
    const ql_buffer all[N_BUFFERS] = {
        QL_BUFFER(s->cell, rows),
        QL_BUFFER(s->label, rows),
        QL_BUFFER(s->key, rows),
        QL_BUFFER(s->seen, units * cells),
        QL_BUFFER(s->seen_t, ql_pad(units) * cells),
        QL_BUFFER(s->by_seen, units * cells),
        QL_BUFFER(s->in, in * rows),
        QL_BUFFER(s->in_t, ql_pad(in) * rows),
        QL_BUFFER(s->low, in * rows),
        QL_BUFFER(s->low_t, ql_pad(in) * rows),
        QL_BUFFER(s->by_in, units * rows),
        QL_BUFFER(s->by_low, units * rows),
        QL_BUFFER(s->by_logit, s->n_labels * cells),
        QL_BUFFER(s->fit, rows),
        QL_BUFFER(s->kl, rows),
        QL_BUFFER(s->by_f, s->n_labels),
    };
    memcpy(list, all, sizeof all);
}

int64_t ql_ae_scanvi_bytes(const ql_ae *ae, int64_t cells)
{
    ql_scanvi copy = ae->scanvi;
    ql_buffer list[N_BUFFERS];
    if (copy.n_labels == 0) return 0;
    const int64_t rows = cells * copy.n_labels;
    list_buffers(&copy, cells, list);
    return ql_buffers_bytes(list, N_BUFFERS) + ql_hidden_bytes(&copy.layer, cells) +
           ql_gauss_net_bytes(&copy.upper, rows) + ql_gauss_net_bytes(&copy.lower, rows);
}

ql_status ql_ae_scanvi_alloc(ql_ae *ae, ql_err *err)
{
    ql_scanvi *s = &ae->scanvi;
    ql_buffer list[N_BUFFERS];
    if (s->n_labels == 0) return QL_OK;
    list_buffers(s, ae->capacity, list);
    QL_TRY(ql_buffers_alloc(list, N_BUFFERS, "codes by label", err));
    QL_TRY(ql_hidden_alloc(&s->layer, ae->capacity, err));
    QL_TRY(ql_gauss_net_alloc(&s->upper, ae->capacity * s->n_labels, err));
    return ql_gauss_net_alloc(&s->lower, ae->capacity * s->n_labels, err);
}

void ql_ae_scanvi_free(ql_ae *ae)
{
    ql_scanvi *s = &ae->scanvi;
    ql_buffer list[N_BUFFERS];
    if (s->n_labels == 0) return;
    list_buffers(s, 0, list);
    ql_buffers_free(list, N_BUFFERS);
    ql_hidden_free(&s->layer);
    ql_gauss_net_free(&s->upper);
    ql_gauss_net_free(&s->lower);
}

/* ---- forward ---- */

static bool is_labelled(const ql_ae *ae, int64_t i)
{
    return ae->labels.label[i] >= 0;
}

/* A labelled cell is seen by the mean of its code, another one by the code that is drawn. */
static void classify(ql_ae *ae, const ql_batch *b, const ql_kern *kern, ql_pass pass)
{
    ql_scanvi *s = &ae->scanvi;
    const ql_hidden *code = &ae->hidden[ae->center];
    const int64_t units = code->n_out;
    memcpy(s->seen, code->out, (size_t)(units * b->n_pad) * sizeof *s->seen);
    for (int64_t u = 0; u < units && !b->code; u++)
        for (int64_t i = 0; i < b->n; i++)
            if (is_labelled(ae, i)) s->seen[u * b->n_pad + i] = ae->latent.mean[u * b->n_pad + i];
    ql_transpose(units, b->n_pad, s->seen, b->n_pad, s->seen_t, ql_pad(units));
    ql_hidden_forward(&s->layer, &ae->params, kern, s->seen, b->n, b->n_pad, pass);
    ql_label_forward(&ae->labels, &ae->params, ae->kern, s->layer.out, b->n_pad);
}

static void list_rows(ql_ae *ae, const ql_batch *b)
{
    ql_scanvi *s = &ae->scanvi;
    s->n_rows = 0;
    for (int64_t i = 0; i < b->n; i++) {
        const int64_t own = ae->labels.label[i];
        for (int64_t y = own < 0 ? 0 : own; y < (own < 0 ? s->n_labels : own + 1); y++) {
            s->cell[s->n_rows] = i;
            s->label[s->n_rows] = y;
            s->key[s->n_rows++] = b->row[i] * s->n_labels + y;
        }
    }
    s->row_pad = ql_pad(s->n_rows);
}

/* in [units + labels, rows]: the code of each row's cell (by_row: of the row itself), then 1 at its
 * label. */
static void join_labels(ql_ae *ae, const ql_real *code, int64_t ld, bool by_row, ql_real *in,
                        ql_real *in_t)
{
    const ql_scanvi *s = &ae->scanvi;
    const int64_t units = s->layer.n_in, all = units + s->n_labels;
    memset(in, 0, (size_t)(all * s->row_pad) * sizeof *in);
    for (int64_t u = 0; u < units; u++)
        for (int64_t r = 0; r < s->n_rows; r++)
            in[u * s->row_pad + r] = code[u * ld + (by_row ? r : s->cell[r])];
    for (int64_t r = 0; r < s->n_rows; r++) in[(units + s->label[r]) * s->row_pad + r] = 1;
    ql_transpose(all, s->row_pad, in, s->row_pad, in_t, ql_pad(all));
}

/* What each row costs, but for constants that cancel. */
static void row_costs(ql_ae *ae)
{
    ql_scanvi *s = &ae->scanvi;
    const int64_t ld = s->row_pad;
    for (int64_t r = 0; r < s->n_rows; r++) {
        s->fit[r] = 0;
        for (int64_t u = 0; u < s->layer.n_in; u++) {
            const int64_t at = u * ld + r;
            const double d = (double)s->in[at] - (double)s->lower.var.mean[at];
            s->fit[r] +=
                0.5 * (d * d / (double)s->lower.var.var[at] + (double)s->lower.var.ln_var[at]);
        }
        s->kl[r] = ql_latent_cell_kl(&s->upper.var, r, ld, NULL);
    }
}

void ql_ae_scanvi_forward(ql_ae *ae, const ql_batch *b, const ql_batch_source *source,
                          const ql_kern *kern, ql_pass pass)
{
    ql_scanvi *s = &ae->scanvi;
    const ql_latent_pass draw = {.draw = true,
                                 .seed = pass.training ? pass.seed : source->seed,
                                 .step =
                                     pass.training ? pass.step : QL_INFERENCE_STEP + source->epoch,
                                 .cell = s->key};
    classify(ae, b, kern, pass);
    if (!pass.training && !source->draw) return;
    list_rows(ae, b);
    join_labels(ae, ae->hidden[ae->center].out, b->n_pad, false, s->in, s->in_t);
    ql_gauss_net_forward(&s->upper, &ae->params, kern, s->in, s->n_rows, s->row_pad, pass, &draw);
    join_labels(ae, s->upper.mean.out, s->row_pad, true, s->low, s->low_t);
    ql_gauss_net_forward(&s->lower, &ae->params, kern, s->low, s->n_rows, s->row_pad, pass,
                         &(ql_latent_pass){0});
    row_costs(ae);
}

/* f_y of a row, and for an unlabelled cell ln f_y - ln p(y). */
static double share_of(const ql_ae *ae, int64_t r, int64_t n_pad, double *log_ratio)
{
    const ql_scanvi *s = &ae->scanvi;
    const double f = (double)ae->labels.prob[s->label[r] * n_pad + s->cell[r]];
    *log_ratio = 0;
    if (is_labelled(ae, s->cell[r])) return 1;
    *log_ratio = ql_log(f > LEAST_PROB ? f : LEAST_PROB) + ql_log((double)s->n_labels);
    return f;
}

/* What a row adds to the loss of its cell. */
static double row_loss(const ql_ae *ae, int64_t r, int64_t n_pad, double beta)
{
    double log_ratio;
    const double f = share_of(ae, r, n_pad, &log_ratio);
    return f * (ae->scanvi.fit[r] + beta * (ae->scanvi.kl[r] + log_ratio));
}

double ql_ae_scanvi_cost(const ql_ae *ae, int64_t i)
{
    const int64_t n_pad = ae->batch[0].n_pad;
    double sum = 0;
    for (int64_t r = 0; r < ae->scanvi.n_rows; r++)
        if (ae->scanvi.cell[r] == i) sum += row_loss(ae, r, n_pad, 1);
    return sum;
}

/* ---- of a cell in inference ---- */

ql_normal ql_ae_scanvi_above(const ql_ae *ae, int64_t i, int64_t u)
{
    const ql_scanvi *s = &ae->scanvi;
    double mean = 0, square = 0, ratio;
    for (int64_t r = 0; r < s->n_rows; r++) {
        if (s->cell[r] != i) continue;
        const int64_t at = u * s->row_pad + r;
        const double f = share_of(ae, r, ae->batch[0].n_pad, &ratio);
        const double m = (double)s->lower.var.mean[at];
        mean += f * m;
        square += f * (m * m + (double)s->lower.var.var[at]);
    }
    return (ql_normal){mean, square - mean * mean};
}

/* ln [p(z1, z2, y) / q(z2 | z1, y)] of a row, without the constant of p(z1 | z2, y). */
static double row_log_prior(const ql_scanvi *s, int64_t r)
{
    return ql_gauss_net_log_ratio(&s->upper, r, s->row_pad) - s->fit[r] -
           ql_log((double)s->n_labels);
}

double ql_ae_scanvi_log_prior(const ql_ae *ae, int64_t i)
{
    const ql_scanvi *s = &ae->scanvi;
    double most = -INFINITY, sum = 0;
    for (int64_t r = 0; r < s->n_rows; r++)
        if (s->cell[r] == i && row_log_prior(s, r) > most) most = row_log_prior(s, r);
    for (int64_t r = 0; r < s->n_rows; r++)
        if (s->cell[r] == i) sum += ql_exp(row_log_prior(s, r) - most);
    return most + ql_log(sum);
}

void ql_ae_scanvi_prior(ql_ae *ae, const ql_real *z2, const int64_t *label, int64_t n)
{
    ql_scanvi *s = &ae->scanvi;
    memcpy(s->label, label, (size_t)n * sizeof *label);
    s->n_rows = n;
    s->row_pad = ql_pad(n);
    join_labels(ae, z2, s->row_pad, true, s->low, s->low_t);
    ql_gauss_net_forward(&s->lower, &ae->params, ae->kern, s->low, n, s->row_pad, (ql_pass){0},
                         &(ql_latent_pass){0});
}

/* ---- backward ---- */

/* Gradients by m_p, V_p and, into by_in, by z1; w: the weight of each row. */
static void lower_gradient(ql_ae *ae, const ql_batch *b)
{
    ql_scanvi *s = &ae->scanvi;
    const int64_t ld = s->row_pad;
    double ratio;
    for (int64_t r = 0; r < s->n_rows; r++) {
        const double w = (double)b->weight[s->cell[r]] * share_of(ae, r, b->n_pad, &ratio);
        for (int64_t u = 0; u < s->layer.n_in; u++) {
            const int64_t at = u * ld + r;
            const double v = (double)s->lower.var.var[at];
            const double d = ((double)s->in[at] - (double)s->lower.var.mean[at]) / v;
            s->by_in[at] = (ql_real)(w * d);
            s->lower.mean.grad[at] = (ql_real)(-w * d);
            s->lower.var.grad[at] = ql_latent_by_raw(&s->lower.var, at, w * 0.5 * (1 / v - d * d));
        }
    }
}

/* Gradients by m_2 and V_2: of the divergence, and by z2 through the noise. */
static void upper_gradient(ql_ae *ae, const ql_batch *b, double beta)
{
    ql_scanvi *s = &ae->scanvi;
    const int64_t ld = s->row_pad;
    double ratio;
    for (int64_t r = 0; r < s->n_rows; r++) {
        const double w = beta * (double)b->weight[s->cell[r]] * share_of(ae, r, b->n_pad, &ratio);
        for (int64_t u = 0; u < s->layer.n_in; u++) {
            const int64_t at = u * ld + r;
            ql_gauss_net_gradient(&s->upper, at, (double)s->by_low[at], w);
        }
    }
}

static void clear_row_pads(const ql_scanvi *s, const ql_gauss_net *g)
{
    ql_real *const all[] = {g->mean.grad, g->var.grad};
    for (int k = 0; k < 2; k++)
        for (int64_t u = 0; u < g->mean.n_out; u++)
            for (int64_t r = s->n_rows; r < s->row_pad; r++) all[k][u * s->row_pad + r] = 0;
}

/* Gradient by the logits of an unlabelled cell, whose rows begin at r: f (g - sum of f g), g that
 * by f. The 1 in it, of f ln f, cancels but for rounding: the f of a cell add up to 1. */
static void logit_gradient(ql_ae *ae, const ql_batch *b, int64_t r, double beta)
{
    ql_scanvi *s = &ae->scanvi;
    const int64_t i = s->cell[r];
    const double w = (double)b->weight[i];
    double mean = 0;
    for (int64_t y = 0; y < s->n_labels; y++) {
        double ratio;
        const double f = share_of(ae, r + y, b->n_pad, &ratio);
        s->by_f[y] = w * (s->fit[r + y] + beta * (s->kl[r + y] + ratio + 1));
        mean += f * s->by_f[y];
    }
    for (int64_t y = 0; y < s->n_labels; y++) {
        double ratio;
        const double f = share_of(ae, r + y, b->n_pad, &ratio);
        s->by_logit[y * b->n_pad + i] = (ql_real)(f * (s->by_f[y] - mean));
    }
}

/* The classifier, from both its losses. */
static double classifier_backward(ql_ae *ae, const ql_batch *b, double beta, const ql_kern *kern,
                                  const ql_opt_step *step)
{
    ql_scanvi *s = &ae->scanvi;
    ql_label_head *h = &ae->labels;
    memset(s->by_logit, 0, (size_t)(s->n_labels * b->n_pad) * sizeof *s->by_logit);
    for (int64_t r = 0; r < s->n_rows; r++)
        if (!is_labelled(ae, s->cell[r]) && s->label[r] == 0) logit_gradient(ae, b, r, beta);
    h->more = s->by_logit;
    memset(s->layer.grad, 0, (size_t)(s->layer.n_out * b->n_pad) * sizeof *s->layer.grad);
    const double loss = ql_label_backward(h, &ae->params, kern, ae->cfg.label_weight,
                                          s->layer.out_t, s->layer.grad, b->n, b->n_pad, step);
    ql_hidden_backward(&s->layer, &ae->params, kern, s->seen_t, s->by_seen, b->n, b->n_pad, step);
    return loss;
}

/* Gradients by z1 into that by the code. */
static void add_by_code(ql_ae *ae, const ql_batch *b)
{
    const ql_scanvi *s = &ae->scanvi;
    ql_real *by_code = ae->hidden[ae->center].grad;
    for (int64_t u = 0; u < s->layer.n_in; u++) {
        for (int64_t r = 0; r < s->n_rows; r++)
            by_code[u * b->n_pad + s->cell[r]] += s->by_in[u * s->row_pad + r];
        for (int64_t i = 0; i < b->n; i++)
            if (!is_labelled(ae, i)) by_code[u * b->n_pad + i] += s->by_seen[u * b->n_pad + i];
    }
}

double ql_ae_scanvi_backward(ql_ae *ae, const ql_batch *b, const ql_kern *kern,
                             const ql_opt_step *step)
{
    ql_scanvi *s = &ae->scanvi;
    const double beta = ql_kl_weight(&ae->cfg.vae.kl, ae->step, b->epoch);
    const int64_t size = s->layer.n_in * s->row_pad;
    double loss = 0;
    for (int64_t r = 0; r < s->n_rows; r++)
        loss += (double)b->weight[s->cell[r]] * row_loss(ae, r, b->n_pad, beta);
    lower_gradient(ae, b);
    clear_row_pads(s, &s->lower);
    ql_gauss_net_backward(&s->lower, &ae->params, kern, s->low_t, s->by_low, s->n_rows, s->row_pad,
                          step);
    upper_gradient(ae, b, beta);
    clear_row_pads(s, &s->upper);
    /* by_low is done: it takes what the second code says of the first */
    ql_gauss_net_backward(&s->upper, &ae->params, kern, s->in_t, s->by_low, s->n_rows, s->row_pad,
                          step);
    for (int64_t k = 0; k < size; k++) s->by_in[k] += s->by_low[k];
    loss += classifier_backward(ae, b, beta, kern, step);
    add_by_code(ae, b);
    return loss;
}

double ql_ae_scanvi_latent(ql_ae *ae, const ql_batch *b)
{
    ql_latent *l = &ae->latent;
    ql_hidden *code = &ae->hidden[ae->center];
    double loss = 0;
    for (int64_t i = 0; i < b->n; i++)
        loss += (double)b->weight[i] * ql_latent_cell_log_q(l, i, b->n_pad);
    for (int64_t u = 0; u < l->n_out; u++)
        for (int64_t i = 0; i < b->n_pad; i++) {
            const int64_t at = u * b->n_pad + i;
            const double v = (double)l->var[at], w = i < b->n ? (double)b->weight[i] : 0;
            const double path = (double)code->grad[at] * (double)l->noise[at] / (2 * sqrt(v));
            l->grad[at] = i < b->n ? ql_latent_by_raw(l, at, path - w * 0.5 / v) : 0;
            if (i < b->n && is_labelled(ae, i)) code->grad[at] += ae->scanvi.by_seen[at];
        }
    return loss;
}
