#include "net_args.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "model_type.h"
#include "quell/choice.h"

/* The registry, then "auto", and what only variational models have. */
static const char *type_at(int i)
{
    static const char *const others[] = {"auto", "bernoulli", NULL};
    int n = 0;
    while (ql_likelihoods[n]) n++;
    return i < n ? ql_likelihoods[i]->name : others[i - n];
}

static const char *activation_at(int i)
{
    return ql_activations[i] ? ql_activations[i]->name : NULL;
}

static const char *init_at(int i)
{
    return ql_inits[i] ? ql_inits[i]->name : NULL;
}

static const char *const targets[] = {"counts", "input", NULL};
static const char *const latent_choices[] = {"linear", "norm", "activation", NULL};
static const char *const norms[] = {"none", "batch", "layer", NULL};
static const char *const parts[] = {"none", "encoder", "decoder", "all", NULL};

#define S model_args
/* clang-format off */
const ql_option ql_net_rows[] = {
    {.name = "type", QL_CHOICE_AT(S, type), .def = "nb", .choice_at = type_at, .group = "Model",
     .help = "likelihood of the counts",
     .more = "auto: of poisson, nb and zinb the simplest that no other beats by more than two standard "
             "errors and 0.002 nats a held-out molecule; what they differ by is printed and stored."},
    {.name = "ensemble", QL_INT_AT(S, ensemble), .def = "1", .min = 1, .max = QL_MEMBERS_MOST,
     .group = "Model", .help = "mix the expected counts of so many models",
     .more = "The options as given, then other bottlenecks, a Poisson loss, other seeds, trained side by "
             "side; weights by held-out molecules. Six are clearly better than one. See docs/ensembles.md."},
    {.name = "auto", QL_FLAG_AT(S, automatic), .group = "Model",
     .help = "choose and mix models by held-out molecules",
     .more = "Candidates are the options as given, other bottlenecks, a Poisson loss, Poisson factors of "
             "several ranks, smoothing over similar cells, and the gene means; the mixture of them is taken "
             "if it is better than any by more than two standard errors. The table is printed and stored. See "
             "docs/ensembles.md."},
    {.name = "folds", QL_INT_AT(S, folds), .def = "1", .min = 1, .max = QL_CHOICE_FOLDS, .group = "Model",
     .level = QL_OPT_EXPERT, .help = "folds of --auto: each divides the molecules anew"},
    {.name = "time-budget", QL_STRING_AT(S, time_budget), .unit = "TIME", .group = "Model",
     .unset = "none: results depend on no clock",
     .help = "of --auto: compare no more than fits in 90s, 10m, 2h",
     .more = "The result then depends on how fast the machine is, and is no longer the same from run to run."},
    {.name = "target", QL_CHOICE_AT(S, target), .def = "counts", .choices = targets, .group = "Model",
     .level = QL_OPT_EXPERT, .help = "what is predicted: the counts or the scaled input",
     .more = "input: squared error of the scaled inputs, the classic autoencoder, whatever --type says "
             "(DCA's use_raw_as_output=False); validated by the loss. What is written is turned back into "
             "counts."},
    {.name = "hidden", .letter = 's', QL_INTS_AT(S, hidden), .def = "128,32", .aliases = "hiddensize",
     .min = 1, .max = 4096, .group = "Model", .help = "widths of the hidden layers",
     .more = "The middle one (of 2n the n+1st) is the bottleneck, whose values are the latent space."},
    {.name = "conv", QL_STRING_AT(S, conv), .unit = "FILTERS:WIDTH:STRIDE", .unset = "none",
     .group = "Model", .level = QL_OPT_EXPERT, .help = "a convolution over the genes before the first layer",
     .more = "Genes in the order of --gene-order, else as they stand; FILTERS is 1, 2, 4, ... 64, WIDTH at "
             "most 512 genes, STRIDE at most WIDTH. Worth trying for copy numbers, hardly for else."},
    {.name = "gene-order", QL_STRING_AT(S, gene_order), .unit = "FILE", .unset = "as they stand",
     .group = "Model", .level = QL_OPT_EXPERT, .help = "where the genes lie in the genome, for --conv",
     .more = "Lines 'NAME POSITION' or 'NAME CHROMOSOME START'; genes that are not in it go last."},
    {.name = "linear-latent", QL_FLAG_AT(S, linear_latent), .def = "yes", .group = "Model",
     .level = QL_OPT_EXPERT, .help = "no batch norm or activation at the bottleneck"},
    {.name = "latent-at", QL_CHOICE_AT(S, latent_at), .choices = latent_choices, .group = "Model",
     .level = QL_OPT_EXPERT, .unset = "linear; activation with a sparse code or --code-activation",
     .help = "where in the bottleneck the latent space is read",
     .more = "linear: its dense part; norm: after batch norm; activation: after the activation. With "
             "--linear-latent they are the same."},
    {.name = "batchnorm", QL_FLAG_AT(S, batch_norm), .def = "yes", .aliases = "!nobatchnorm",
     .group = "Model",
     .help = "batch norm in the hidden layers"},
    {.name = "norm", QL_CHOICE_AT(S, norm), .choices = norms, .group = "Model",
     .level = QL_OPT_EXPERT, .unset = "batch, or none with --no-batchnorm",
     .help = "norm of the hidden layers",
     .more = "batch: each unit over the cells of a minibatch. layer: each cell over its units, with a gain and a "
             "shift per unit, the same in training and inference."},
    {.name = "dropout", .letter = 'd', QL_DOUBLES_AT(S, dropout), .def = "0.5", .aliases = "dropoutrate",
     .min = 0, .max = 1, .bits = QL_OPT_MAX_EXCLUDED, .group = "Model",
     .help = "dropout of the hidden layers except the bottleneck",
     .more = "Several values, one for each of --hidden, name the bottleneck's too: 0,0,0.2."},
    {.name = "activation", QL_CHOICE_AT(S, activation), .def = "relu", .choice_at = activation_at,
     .group = "Model", .help = "activation of the hidden layers",
     .more = "prelu trains the slope below zero of each unit, from 0.25 on; gelu is x times the normal "
             "distribution at x."},
    {.name = "leaky-slope", QL_DOUBLE_AT(S, slope), .def = "0.3", .min = 0, .max = 1, .group = "Model",
     .level = QL_OPT_EXPERT, .help = "slope of leakyrelu below zero"},
    {.name = "code-activation", QL_CHOICE_AT(S, code_activation), .choice_at = activation_at,
     .group = "Model", .level = QL_OPT_EXPERT, .unset = "linear; relu with --code-l1, sigmoid with --code-kl",
     .help = "activation of the bottleneck",
     .more = "Given, or made by a sparsity option, the latent space is what comes out of it. Unset with "
             "--no-linear-latent: that of --activation."},
    {.name = "tied", QL_FLAG_AT(S, tied), .group = "Model", .level = QL_OPT_EXPERT,
     .help = "decoder weights are the encoder's, transposed",
     .more = "The mean's weights are those of the input layer. --hidden must mirror: 128,32,128."},
    {.name = "sizefactors", QL_FLAG_AT(S, size_factors), .def = "yes", .aliases = "!nosizefactors",
     .group = "Model",
     .level = QL_OPT_EXPERT, .help = "scale inputs and means by each cell's depth"},
    {.name = "loginput", QL_FLAG_AT(S, log_input), .def = "yes", .aliases = "!nologinput",
     .group = "Model",
     .level = QL_OPT_EXPERT, .help = "log1p of the inputs"},
    {.name = "norminput", QL_FLAG_AT(S, norm_input), .def = "yes", .aliases = "!nonorminput",
     .group = "Model",
     .level = QL_OPT_EXPERT, .help = "z-score the inputs of each gene"},
    {.name = "match-depth", QL_FLAG_AT(S, match_depth), .def = "yes", .group = "Model",
     .level = QL_OPT_EXPERT, .help = "a cell's means add up to its molecules"},
    {.name = "start-at-means", QL_FLAG_AT(S, start_at_means), .def = "yes", .group = "Model",
     .level = QL_OPT_EXPERT, .help = "biases of the mean start at the log gene means"},
    {.name = "start-theta", QL_DOUBLE_AT(S, start_theta), .def = "5", .min = 1e-3, .max = 1e4,
     .group = "Model", .level = QL_OPT_EXPERT, .help = "initial dispersion of each gene"},
    {.name = "sharedpi", QL_FLAG_AT(S, shared_pi), .group = "Model", .level = QL_OPT_EXPERT,
     .help = "zinb-elempi: one k and one c for all genes"},
    {.name = "init", QL_CHOICE_AT(S, init), .def = "glorot_uniform", .choice_at = init_at,
     .group = "Model", .level = QL_OPT_EXPERT, .help = "how the weights start, by Keras' names"},
    {.name = "ridge", QL_DOUBLE_AT(S, ridge), .def = "0", .min = 0, .max = INFINITY, .group = "Model",
     .level = QL_OPT_EXPERT, .help = "penalty on squared dropout probabilities (ZINB)"},
    {.name = "l1", QL_DOUBLE_AT(S, l1), .def = "0", .min = 0, .max = INFINITY, .group = "Model",
     .level = QL_OPT_EXPERT, .help = "L1 penalty of the weights"},
    {.name = "l2", QL_DOUBLE_AT(S, l2), .def = "0", .min = 0, .max = INFINITY, .group = "Model",
     .level = QL_OPT_EXPERT, .help = "L2 penalty of the weights"},
    {.name = "l1enc", QL_DOUBLE_AT(S, l1_enc), .def = "0", .min = 0, .max = INFINITY, .group = "Model",
     .level = QL_OPT_EXPERT, .help = "L1 penalty up to the bottleneck (0: that of --l1)"},
    {.name = "l2enc", QL_DOUBLE_AT(S, l2_enc), .def = "0", .min = 0, .max = INFINITY, .group = "Model",
     .level = QL_OPT_EXPERT, .help = "L2 penalty up to the bottleneck (0: that of --l2)"},

    {.name = "code-l1", QL_DOUBLE_AT(S, code_l1), .def = "0", .min = 0, .max = INFINITY,
     .group = "Regularisation", .help = "sparse code: penalty on a cell's summed |code|",
     .more = "All penalties are weighed against the mean loss of a cell (of an entry with --loss-scale entry)."},
    {.name = "code-kl", QL_DOUBLE_AT(S, code_kl), .def = "0", .min = 0, .max = INFINITY,
     .group = "Regularisation", .level = QL_OPT_EXPERT,
     .help = "sparse code: pull each unit's mean to --code-rho",
     .more = "Penalty on the divergence between the two as chances of a unit being on; codes are then sigmoid."},
    {.name = "code-rho", QL_DOUBLE_AT(S, code_rho), .def = "0.05", .min = 0, .max = 1,
     .bits = QL_OPT_MIN_EXCLUDED | QL_OPT_MAX_EXCLUDED, .group = "Regularisation", .level = QL_OPT_EXPERT,
     .help = "share of cells a unit should be on in (--code-kl)"},
    {.name = "code-k", QL_INT_AT(S, code_k), .def = "0", .min = 0, .max = 4096, .group = "Regularisation",
     .level = QL_OPT_EXPERT, .help = "sparse code: only a cell's K largest units pass (0: all)"},
    {.name = "code-unit", QL_FLAG_AT(S, code_unit), .def = "yes", .group = "Regularisation",
     .level = QL_OPT_EXPERT, .help = "with --code-l1: weights out of a code unit have length 1",
     .more = "Else a code could shrink, and its penalty with it, while the weights that read it grow."},
    {.name = "contractive", QL_DOUBLE_AT(S, contractive), .def = "0", .min = 0, .max = INFINITY,
     .group = "Regularisation", .level = QL_OPT_EXPERT,
     .help = "penalty on how fast the code moves with the input",
     .more = "The squared Jacobian of the code by the scaled input: exact where the bottleneck is the first "
             "layer, else estimated with a random direction per minibatch."},
    {.name = "orthogonal", QL_DOUBLE_AT(S, orthogonal), .def = "0", .min = 0, .max = INFINITY,
     .group = "Regularisation", .level = QL_OPT_EXPERT,
     .help = "penalty on encoder weights that are not orthonormal"},
    {.name = "nonnegative", QL_CHOICE_AT(S, nonnegative), .def = "none", .choices = parts,
     .group = "Regularisation", .level = QL_OPT_EXPERT, .help = "weights held at 0 or above",
     .more = "The decoder's are those of its hidden layers and of the mean. Tied weights: any but none means all."},
    {.name = NULL},
};
/* clang-format on */
#undef S

/* The bottleneck's activation where the options say or imply one. */
static const ql_activation *code_activation(const model_args *a)
{
    if (a->code_activation) return ql_activation_find(a->code_activation);
    if (a->code_kl > 0) return ql_activation_find("sigmoid");
    return a->code_l1 > 0 && a->linear_latent ? ql_activation_find("relu") : NULL;
}

static bool is_part(const char *chosen, const char *part)
{
    return !strcmp(chosen, part) || !strcmp(chosen, "all");
}

static void add_regularisation(const model_args *a, ql_ae_config *c)
{
    c->code_l1 = a->code_l1;
    c->code_kl = a->code_kl;
    c->code_rho = a->code_rho;
    c->code_k = a->code_k;
    c->code_unit = a->code_unit;
    c->contractive = a->contractive;
    c->orthogonal = a->orthogonal;
    c->nonnegative_encoder = is_part(a->nonnegative, "encoder");
    c->nonnegative_decoder = is_part(a->nonnegative, "decoder");
}

static void add_dropout(const model_args *a, ql_ae_config *c)
{
    c->dropout = a->dropout.n == 1 ? a->dropout.v[0] : 0;
    c->n_dropouts = a->dropout.n > 1 ? a->dropout.n : 0;
    for (int i = 0; i < c->n_dropouts; i++) c->dropouts[i] = a->dropout.v[i];
}

static ql_latent_at latent_at_of(const model_args *a, const ql_ae_config *c)
{
    if (!a->latent_at) return ql_ae_code_is_output(c) ? QL_LATENT_ACTIVATION : QL_LATENT_LINEAR;
    return (ql_latent_at)ql_place_in(a->latent_at, latent_choices);
}

/* The numbers of --conv; false: that is none. */
static bool conv_of(const char *text, ql_conv_shape *out)
{
    char *end = NULL;
    *out = (ql_conv_shape){0};
    if (!text) return true;
    out->filters = strtol(text, &end, 10);
    if (end == text || *end != ':') return false;
    out->width = strtol(text = end + 1, &end, 10);
    if (end == text || *end != ':') return false;
    out->stride = strtol(text = end + 1, &end, 10);
    if (end == text || *end) return false;
    bool filters = out->filters > 0 && out->filters <= QL_CONV_FILTERS &&
                   (out->filters & (out->filters - 1)) == 0;
    return filters && out->width > 0 && out->width <= QL_CONV_WIDTH && out->stride > 0 &&
           out->stride <= out->width;
}

ql_status net_args_check(const model_args *a, ql_err *err)
{
    ql_conv_shape shape;
    if (a->gene_order && !a->conv)
        return ql_fail(err, QL_EUSAGE, "--gene-order is of use with --conv only");
    if (conv_of(a->conv, &shape)) return QL_OK;
    ql_fail(err, QL_EUSAGE, "--conv %s: not FILTERS:WIDTH:STRIDE", a->conv);
    return ql_hint(
        err, QL_EUSAGE,
        "such as 8:32:16; filters 1, 2, 4, ... %d, width at most %d, stride at most width",
        QL_CONV_FILTERS, QL_CONV_WIDTH);
}

static void add_layers(const model_args *a, ql_ae_config *c)
{
    const char *norm = a->norm ? a->norm : a->batch_norm ? "batch" : "none";
    c->n_hidden = a->hidden.n;
    for (int i = 0; i < a->hidden.n; i++) c->hidden[i] = a->hidden.v[i];
    c->act = ql_activation_find(a->activation);
    c->code_act = code_activation(a);
    c->slope = a->slope;
    c->linear_latent = a->linear_latent;
    c->batch_norm = !strcmp(norm, "batch");
    c->layer_norm = !strcmp(norm, "layer");
    c->tied = a->tied;
    add_dropout(a, c);
    conv_of(a->conv, &c->conv);
}

static void add_heads(const model_args *a, ql_ae_config *c)
{
    const ql_likelihood *lik = model_likelihood(a);
    c->likelihood = lik;
    c->start_theta = a->start_theta;
    c->start_at_means = a->start_at_means;
    c->shared_pi = a->shared_pi;
    /* sums of values that may be negative are no depths */
    c->match_depth = a->match_depth && (!lik->gaussian || lik->of_inputs || lik->heads.share);
}

static void add_penalties(const model_args *a, ql_ae_config *c)
{
    c->ridge = a->ridge;
    c->l1 = a->l1;
    c->l2 = a->l2;
    c->l1_enc = a->l1_enc;
    c->l2_enc = a->l2_enc;
    add_regularisation(a, c);
}

void net_args_config(const model_args *a, ql_ae_config *c)
{
    add_layers(a, c);
    add_heads(a, c);
    add_penalties(a, c);
    c->init = ql_init_find(a->init);
    c->latent_at = latent_at_of(a, c);
}
