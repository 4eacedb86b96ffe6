/* What a network starts with: weights, biases, dispersions, the optimizer. */
#include "autoencoder_internal.h"
#include "quell/fmath.h"

static void start_tensor(ql_ae *ae, int tensor, int64_t fan_in, int64_t fan_out)
{
    ql_params_init(&ae->params, tensor, ae->cfg.init, fan_in, fan_out, ae->cfg.seed);
}

/* Biases are 0, unless the initialiser draws them too. */
static void start_bias(ql_ae *ae, int tensor, int64_t fan_in)
{
    if (ae->cfg.init && ae->cfg.init->biases)
        start_tensor(ae, tensor, fan_in, ae->params.tensor[tensor].cols);
}

static int64_t input_fan(const ql_ae *ae)
{
    return ql_ae_input_width(&ae->cfg, ae->n_genes) +
           (ae->input_cov >= 0 ? ql_cov_columns(&ae->cfg.vae.cov) : 0);
}

static void start_latent(ql_ae *ae)
{
    const ql_latent *l = &ae->latent;
    const ql_label_head *h = &ae->labels;
    if (h->n_labels > 0) start_tensor(ae, h->weight, h->n_in, h->n_labels);
    if (!ae->cfg.vae.on) return;
    start_tensor(ae, l->weight, l->n_in, l->n_out);
    start_bias(ae, l->bias, l->n_in);
    if (ae->input_cov >= 0) start_tensor(ae, ae->input_cov, input_fan(ae), ae->hidden[0].n_out);
    ql_ae_library_start(ae, input_fan(ae));
    ql_ae_scanvi_start(ae);
    ql_ae_ladder_start(ae);
}

static void start_hidden(ql_ae *ae, const ql_hidden *h)
{
    ql_hidden_init(h, &ae->params, ae->cfg.init, h->weight >= 0 ? 0 : input_fan(ae), ae->cfg.seed);
}

/* Weights that may not be negative start at the absolute values. */
static void start_nonnegative(ql_ae *ae)
{
    for (int i = 0; i < ae->params.n_tensors; i++) {
        const ql_tensor *t = &ae->params.tensor[i];
        ql_real *w = ae->params.w + t->offset;
        for (int64_t k = 0; k < t->rows * t->ld && t->nonnegative; k++)
            w[k] = w[k] < 0 ? -w[k] : w[k];
    }
}

/* Weights of one head, with the fans that Keras takes for the reference's layers. */
static void start_head(ql_ae *ae, int head)
{
    const ql_heads *h = &ae->heads;
    const int64_t values = ae->params.tensor[h->bias[head]].cols;
    start_tensor(ae, h->weight[head], h->kind[head] == QL_KIND_ELEMENT ? values : h->n_in, values);
    start_bias(ae, h->bias[head], h->n_in);
}

/* Log-odds of a count above 0, were counts Poisson. */
static ql_real log_odds(double rate)
{
    const double most = 5;
    return (ql_real)(rate > most ? most : rate < 1e-6 ? ql_log(rate) : ql_log(ql_exp(rate) - 1));
}

/* The mean's biases at the rates of the genes: their logarithms, or themselves where the mean is
 * linear. */
static void start_means(ql_ae *ae, const ql_real *log_rate)
{
    ql_real *bias = ql_param(&ae->params, ae->heads.bias[QL_HEAD_MEAN]);
    const bool rates = ae->cfg.likelihood->gaussian && !ae->heads.share;
    for (int64_t g = 0; g < ae->n_genes; g++) {
        bias[g] = rates ? (ql_real)ql_exp((double)log_rate[g]) : log_rate[g];
        if (ae->heads.odds) bias[g] = log_odds((double)bias[g]);
    }
}

/* Dispersions of genes, or of genes and groups. */
static void start_dispersions(ql_ae *ae)
{
    static const ql_init normal = {"normal", 1, QL_FAN_NONE, QL_DRAW_NORMAL, false, false};
    const ql_heads *h = &ae->heads;
    const int tensor = h->disp_gene >= 0 ? h->disp_gene : h->weight[QL_HEAD_DISP];
    const ql_tensor *t = &ae->params.tensor[tensor];
    ql_real log_theta[QL_PAD], *w = ql_param(&ae->params, tensor);
    if (ae->cfg.theta_normal) {
        ql_params_init(&ae->params, tensor, &normal, 1, 1, ae->cfg.seed);
        return;
    }
    for (int i = 0; i < QL_PAD; i++) log_theta[i] = (ql_real)ae->cfg.start_theta;
    ae->kern->log(QL_PAD, log_theta, log_theta);
    for (int64_t r = 0; r < t->rows; r++)
        for (int64_t c = 0; c < t->cols; c++) w[r * t->ld + c] = log_theta[0];
}

/* An output of 0 on the scale of the inputs, where the shift is included. */
static void start_at_shift(ql_ae *ae)
{
    ql_real *bias = ql_param(&ae->params, ae->heads.bias[QL_HEAD_MEAN]);
    for (int64_t g = 0; g < ae->n_genes && ae->map.shift; g++) bias[g] = -ae->map.shift[g];
}

static void start_heads(ql_ae *ae, const ql_real *log_rate)
{
    const ql_heads *h = &ae->heads;
    for (int k = 0; k < QL_MAX_HEADS; k++)
        if (h->weight[k] >= 0 && h->bias[k] >= 0) start_head(ae, k);
    if (ae->cfg.likelihood->of_inputs)
        start_at_shift(ae);
    else if (ae->cfg.start_at_means)
        start_means(ae, log_rate);
    if (h->disp_gene >= 0 || h->kind[QL_HEAD_DISP] == QL_KIND_GROUP) start_dispersions(ae);
}

void ql_ae_start(ql_ae *ae, const ql_real *log_rate)
{
    const ql_conv_shape *conv = &ae->cfg.conv;
    start_tensor(ae, ae->input.weight, ql_ae_input_width(&ae->cfg, ae->n_genes),
                 ae->hidden[0].n_out);
    if (conv->filters > 0)
        start_tensor(ae, ae->conv.weight, conv->width, conv->width * conv->filters);
    for (int b = 0; b < ae->heads.n_branches; b++)
        for (int i = b ? ae->center + 1 : 0; i < ae->n_hidden; i++)
            start_hidden(ae, ql_ae_layer(ae, b, i));
    start_latent(ae);
    start_heads(ae, log_rate);
    start_nonnegative(ae);
    ql_ae_start_optimizer(ae, ae->cfg.rate);
}

void ql_ae_start_optimizer(ql_ae *ae, double rate)
{
    ql_opt_start(&ae->opt, ae->cfg.optimizer, ae->kern, rate, ae->cfg.clip, ae->cfg.weight_decay);
    ql_opt_set_eps(&ae->opt, ae->cfg.eps);
}
