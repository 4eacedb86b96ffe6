/* What the loss has beside the likelihood (docs/family.md), and settings that contradict each
 * other. */
#include <stddef.h>

#include "autoencoder_internal.h"
#include "quell/contract.h"

static bool mirrors(const ql_ae_config *cfg)
{
    for (int i = 0; i < cfg->n_hidden; i++)
        if (cfg->hidden[i] != cfg->hidden[cfg->n_hidden - 1 - i]) return false;
    return cfg->n_hidden % 2 == 1;
}

static ql_status check_code(const ql_ae_config *cfg, ql_err *err)
{
    const int center = cfg->n_hidden / 2;
    const ql_activation *own = cfg->linear_latent ? ql_activation_find("linear") : cfg->act;
    const ql_activation *act = cfg->code_act ? cfg->code_act : own;
    if (cfg->code_k > cfg->hidden[center])
        return ql_fail(err, QL_EUSAGE, "--code-k %lld: the bottleneck has %lld units only",
                       (long long)cfg->code_k, (long long)cfg->hidden[center]);
    if (cfg->code_kl > 0 && act != ql_activation_find("sigmoid")) {
        ql_fail(err, QL_EUSAGE, "--code-kl is for codes between 0 and 1, not for %s ones",
                act->name);
        return ql_hint(err, QL_EUSAGE, "leave out --code-activation, or make it sigmoid");
    }
    return QL_OK;
}

/* A convolution's dense layer reads features, which no layer mirrors and no input is. */
static ql_status check_conv(const ql_ae_config *cfg, ql_err *err)
{
    const struct {
        bool given;
        const char *what;
    } strangers[] = {{cfg->tied, "--tied: there is no transposed one to decode with"},
                     {cfg->contractive > 0, "--contractive"},
                     {cfg->orthogonal > 0, "--orthogonal"},
                     {cfg->act->trained_slope, "an activation with trained slopes"}};
    for (size_t i = 0; cfg->conv.filters > 0 && i < sizeof strangers / sizeof *strangers; i++)
        if (strangers[i].given)
            return ql_fail(err, QL_EUSAGE, "--conv does not go with %s", strangers[i].what);
    return QL_OK;
}

ql_status ql_ae_check(const ql_ae_config *cfg, ql_err *err)
{
    QL_TRY(check_conv(cfg, err));
    QL_TRY(ql_ae_variational_check(cfg, err));
    if (cfg->tied && !mirrors(cfg)) {
        ql_fail(err, QL_EUSAGE, "--tied needs layers that mirror each other around the bottleneck");
        return ql_hint(err, QL_EUSAGE, "give --hidden such as 128,32,128");
    }
    if (cfg->tied && cfg->likelihood->heads.fork)
        return ql_fail(err, QL_EUSAGE,
                       "--tied: the heads of %s have layers of their own, which mirror nothing",
                       cfg->likelihood->name);
    if (cfg->n_dropouts > 0 && cfg->n_dropouts != cfg->n_hidden) {
        ql_fail(err, QL_EUSAGE, "--dropout has %d values for %d hidden layers", cfg->n_dropouts,
                cfg->n_hidden);
        return ql_hint(err, QL_EUSAGE, "give one value, or one for each layer of --hidden");
    }
    return check_code(cfg, err);
}

bool ql_ae_code_is_output(const ql_ae_config *cfg)
{
    return cfg->code_act || cfg->code_l1 > 0 || cfg->code_kl > 0 || cfg->code_k > 0;
}

bool ql_ae_has_penalty(const ql_ae_config *cfg)
{
    const double weight[] = {cfg->l1,      cfg->l2,      cfg->l1_enc,     cfg->l2_enc,
                             cfg->code_l1, cfg->code_kl, cfg->orthogonal, cfg->contractive};
    for (size_t i = 0; i < sizeof weight / sizeof *weight; i++)
        if (weight[i] > 0) return true;
    return false;
}

/* ---- of the weights ---- */

static double element_penalty(const ql_params *p)
{
    double sum = 0;
    for (int i = 0; i < p->n_tensors; i++) {
        const ql_tensor *t = &p->tensor[i];
        const ql_real *w = p->w + t->offset;
        if (t->l1 == 0 && t->l2 == 0) continue;
        for (int64_t k = 0; k < t->rows * t->ld; k++) {
            double x = (double)w[k];
            sum += (double)t->l1 * (x < 0 ? -x : x) + (double)t->l2 * x * x;
        }
    }
    return sum;
}

static double orthogonal_penalty(const ql_ae *ae)
{
    const ql_input_terms *t = &ae->input_terms;
    for (int64_t strip = 0; strip < t->tiling.n_strips; strip++)
        ql_input_terms_strip(t, &ae->params, ae->kern, strip);
    ql_input_terms_reduce(t, ae->kern);
    double sum = ql_input_terms_penalty(t);
    for (int i = 1; i <= ae->center; i++)
        sum += ql_orthogonal_penalty(&ae->hidden[i], &ae->params, ae->kern);
    return sum;
}

double ql_ae_penalty(const ql_ae *ae)
{
    double sum = element_penalty(&ae->params);
    return ae->cfg.orthogonal > 0 ? sum + orthogonal_penalty(ae) : sum;
}

void ql_ae_penalty_strip(ql_ae *ae, int64_t strip)
{
    ql_input_terms_strip(&ae->input_terms, &ae->params, ae->kern, strip);
}

/* ---- of the code ---- */

static double contract(ql_ae *ae, const ql_batch *b)
{
    const ql_input_terms *terms = &ae->input_terms;
    ql_hidden *first = &ae->hidden[0];
    for (int i = 0; i <= ae->center; i++)
        ql_tangent_forward(&ae->hidden[i], &ae->params, ae->kern, i ? &ae->hidden[i - 1] : NULL,
                           terms->sums, b->n, b->n_pad);
    double penalty = ql_tangent_start(&ae->hidden[ae->center], ae->cfg.contractive / (double)b->n,
                                      b->n, b->n_pad);
    for (int i = ae->center; i >= 0; i--)
        ql_tangent_backward(&ae->hidden[i], &ae->params, ae->kern, i ? &ae->hidden[i - 1] : NULL,
                            b->n, b->n_pad);
    ae->kern->row_sums(first->n_out, b->n_pad, first->tangent.back, b->n_pad, terms->spread);
    return penalty;
}

double ql_ae_jacobian_penalty(ql_ae *ae, const ql_batch *b)
{
    if (ql_input_terms_sums(&ae->input_terms)) ql_input_terms_reduce(&ae->input_terms, ae->kern);
    return ae->cfg.contractive > 0 ? contract(ae, b) : 0;
}

double ql_ae_code_penalty(ql_ae *ae, const ql_batch *b)
{
    const ql_code_rule rule = {ae->cfg.code_l1, ae->cfg.code_kl, ae->cfg.code_rho};
    return ql_code_penalty(&rule, &ae->hidden[ae->center], b->n, b->n_pad);
}

/* ---- the scale of what reads the code ---- */

void ql_ae_unit_code(ql_ae *ae)
{
    const ql_ae_config *c = &ae->cfg;
    const ql_heads *h = &ae->heads;
    int tensor[QL_MAX_HEADS], n = 0;
    if (!(c->code_l1 > 0) || !c->code_unit || c->tied) return;
    if (ae->center + 1 < ae->n_hidden)
        for (int b = 0; b < h->n_branches; b++)
            tensor[n++] = ql_ae_layer(ae, b, ae->center + 1)->weight;
    else
        for (int k = 0; k < QL_MAX_HEADS; k++)
            if (h->kind[k] == QL_KIND_DENSE || h->kind[k] == QL_KIND_UNIT)
                tensor[n++] = h->weight[k];
    ql_unit_columns(&ae->params, tensor, n, ae->hidden[ae->center].n_out, ae->code_scale);
}
