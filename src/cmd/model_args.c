#include "model_args.h"
#include "scdha_args.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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

static const char *optimizer_at(int i)
{
    return ql_opt_rules[i] ? ql_opt_rules[i]->name : NULL;
}

#define TEST_SHARE 0.1 /* of --testsplit, as in the reference */

static const char *corruption_at(int i)
{
    if (i == 0) return "none";
    return ql_corruptions[i - 1] ? ql_corruptions[i - 1]->name : NULL;
}

static const char *const pretrainings[] = {"none", "denoise", "layers", NULL};
static const char *const targets[] = {"counts", "input", NULL};
static const char *const cell_choices[] = {"random", "last", "scvi", NULL};
static const char *const validate_choices[] = {"molecules", "loss", NULL};
static const char *const latent_choices[] = {"linear", "norm", "activation", NULL};
static const char *const precisions[] = {"float32", "bf16", NULL};
static const char *const loss_scales[] = {"cell", "entry", NULL};
static const char *const norms[] = {"none", "batch", "layer", NULL};
static const char *const parts[] = {"none", "encoder", "decoder", "all", NULL};
static const char *const kinds[] = {"dca", "vae", NULL};

#define S model_args
/* clang-format off */
const ql_option ql_kind_rows[] = {
    {.name = "model", .letter = 'm', QL_CHOICE_AT(S, kind), .def = "dca", .choices = kinds, .group = "Model",
     .help = "which model: dca, or vae with its own defaults",
     .more = "vae: a variational autoencoder of counts, which can leave batches out of its code (docs/vae.md)."},
    {.name = NULL},
};

const ql_option ql_model_rows[] = {
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

    {.name = "epochs", .letter = 'e', QL_INT_AT(S, epochs), .def = "300", .min = 1, .max = 1e6,
     .group = "Training", .help = "train for at most this many epochs"},
    {.name = "batch-size", .letter = 'b', QL_INT_AT(S, batch_size), .aliases = "batchsize", .min = 1,
     .max = 65536, .unset = "32 to 128 by the number of cells", .group = "Training",
     .help = "cells in a minibatch"},
    {.name = "optimizer", QL_CHOICE_AT(S, optimizer), .def = "adam", .choice_at = optimizer_at,
     .group = "Training", .help = "update rule"},
    {.name = "precision", QL_CHOICE_AT(S, precision), .def = "float32", .choices = precisions,
     .group = "Training", .level = QL_OPT_EXPERT, .help = "of the products while training",
     .more = "bf16 needs a processor with AMX or AVX512-BF16; weights, sums and all that is written stay "
             "float32. A result is then the same on processors of one kind only."},
    {.name = "learning-rate", .letter = 'r', QL_DOUBLE_AT(S, learning_rate), .def = "0.001",
     .aliases = "learningrate", .min = 0, .max = 10, .bits = QL_OPT_MIN_EXCLUDED, .group = "Training",
     .help = "learning rate"},
    {.name = "weight-decay", QL_DOUBLE_AT(S, weight_decay), .min = 0, .max = 1, .group = "Training",
     .level = QL_OPT_EXPERT, .unset = "0.01 with adamw, else 0",
     .help = "share of a weight lost in each step, times the rate"},
    {.name = "theta-rate", QL_DOUBLE_AT(S, theta_rate), .def = "10", .min = 0, .max = 1000,
     .group = "Training", .level = QL_OPT_EXPERT,
     .help = "learning rate of the gene dispersions, times the other"},
    {.name = "gradclip", QL_DOUBLE_AT(S, clip), .def = "0", .min = 0, .max = INFINITY,
     .group = "Training", .level = QL_OPT_EXPERT, .help = "bound on each gradient (0: none)"},
    {.name = "loss-scale", QL_CHOICE_AT(S, loss_scale), .def = "cell", .choices = loss_scales,
     .group = "Training", .level = QL_OPT_EXPERT,
     .help = "gradients of the mean loss of a cell, or of an entry"},
    {.name = "input-thinning", QL_DOUBLE_AT(S, input_thin), .def = "0", .min = 0, .max = 1,
     .bits = QL_OPT_MAX_EXCLUDED, .group = "Training", .level = QL_OPT_EXPERT,
     .help = "share of molecules to be predicted from the others"},
    {.name = "corrupt", QL_CHOICE_AT(S, corrupt), .def = "none", .choice_at = corruption_at,
     .group = "Training", .help = "damage the inputs while training; targets stay whole",
     .more = "A denoising autoencoder. mask: scaled inputs become 0; dropout: the same, the others scaled "
             "up; gaussian: normal noise is added; salt-pepper: no count, or 3 sd above the mean; thin: "
             "molecules are lost. See docs/family-input.md."},
    {.name = "corrupt-strength", QL_DOUBLE_AT(S, corrupt_strength), .min = 0, .max = 100,
     .group = "Training", .unset = "0.2; gaussian 0.5, salt-pepper 0.1",
     .help = "probability that an input or molecule is hit; gaussian: sd"},
    {.name = "pretrain", QL_CHOICE_AT(S, pretrain), .def = "none", .choices = pretrainings,
     .group = "Training", .level = QL_OPT_EXPERT, .help = "what training begins with",
     .more = "denoise: --pretrain-epochs epochs with the inputs of --corrupt, then all others without. "
             "layers: each encoder layer in turn for so many epochs, as the last of a network whose heads "
             "read it, on those before it; then the whole."},
    {.name = "pretrain-epochs", QL_INT_AT(S, pretrain_epochs), .def = "20", .min = 1, .max = 1e6,
     .group = "Training", .level = QL_OPT_EXPERT, .help = "epochs of --pretrain"},
    {.name = "inputdropout", QL_DOUBLE_AT(S, input_dropout), .def = "0", .min = 0, .max = 1,
     .bits = QL_OPT_MAX_EXCLUDED, .group = "Training", .level = QL_OPT_EXPERT,
     .help = "as --corrupt dropout of this strength (DCA's name for it)"},
    {.name = "validation", QL_DOUBLE_AT(S, validation), .def = "0.1", .min = 0, .max = 0.9,
     .group = "Training", .help = "share of the cells kept for validation"},
    {.name = "testsplit", QL_FLAG_AT(S, test_split), .group = "Training", .level = QL_OPT_EXPERT,
     .help = "a tenth of the cells neither trains nor validates",
     .more = "They are drawn by the seed, denoised like the others, and called test in quell_split."},
    {.name = "validation-cells", QL_CHOICE_AT(S, validation_cells), .def = "random",
     .choices = cell_choices, .group = "Training", .level = QL_OPT_EXPERT,
     .help = "which cells validate: a random draw or the last",
     .more = "scvi: a random draw of as many as scvi-tools takes (docs/vae.md)."},
    {.name = "validate", QL_CHOICE_AT(S, validate), .def = "molecules", .choices = validate_choices,
     .group = "Training", .level = QL_OPT_EXPERT,
     .help = "validate by held-out molecules or by the loss"},
    {.name = "early-stop", QL_INT_AT(S, early_stop), .aliases = "earlystop", .min = 1, .max = 1e6,
     .unset = "8 epochs, at least 200 steps", .group = "Training",
     .help = "stop after this many epochs without a gain"},
    {.name = "never-stop", QL_FLAG_AT(S, never_stop), .group = "Training", .level = QL_OPT_EXPERT,
     .help = "train all --epochs, whatever the validation says"},
    {.name = "min-gain", QL_DOUBLE_AT(S, min_gain), .def = "0.001", .min = 0, .max = 1,
     .group = "Training", .level = QL_OPT_EXPERT,
     .help = "what counts as a gain: nats per held-out molecule"},
    {.name = "reduce-lr", QL_INT_AT(S, reduce_rate), .aliases = "reducelr", .def = "0", .min = 0,
     .max = 1e6, .group = "Training", .level = QL_OPT_EXPERT,
     .help = "rate / 10 after this many epochs without gain (0: never)"},
    {.name = "restore-best", QL_FLAG_AT(S, restore_best), .def = "yes", .group = "Training",
     .level = QL_OPT_EXPERT, .help = "end with the weights of the best epoch"},
    {.name = "merge-last", QL_FLAG_AT(S, merge_last), .def = "yes", .group = "Training",
     .level = QL_OPT_EXPERT, .help = "merge a short last minibatch with its neighbour"},
    {.name = "mcv", QL_FLAG_AT(S, mcv), .group = "Training",
     .help = "first score by a run of its own on 90 % of the molecules"},
    {.name = NULL},
};
/* clang-format on */
#undef S

/* The reference's settings (Eraslan et al. 2019; docs/model.md lists the differences). */
static const char *const like_dca[] = {
    "type=nb-conddisp",
    "hidden=64,32,64",
    "linear-latent=no",
    "batchnorm=yes",
    "dropout=0",
    "match-depth=no",
    "start-at-means=no",
    "optimizer=rmsprop",
    "batch-size=32",
    "learning-rate=0.001",
    "theta-rate=1",
    "start-theta=1",
    "gradclip=5",
    "loss-scale=entry",
    "validation=0.1",
    "validation-cells=last",
    "validate=loss",
    "early-stop=15",
    "min-gain=0",
    "reduce-lr=10",
    "restore-best=no",
    "merge-last=no",
    "estimate=mean",
    "seed=42",
    NULL,
};

/* What --model vae has in the place of the defaults of the others. */
static const char *const like_vae[] = {
    "model=vae", "type=nb", "hidden=128,10,128", "dropout=0.1", NULL,
};

/* "NAME=VALUE" of a row of the tables above. */
static ql_status set_by_text(model_args *a, const char *text, ql_err *err)
{
    const size_t n = strcspn(text, "=");
    const ql_option *const tables[] = {ql_model_rows, ql_kind_rows};
    for (int t = 0; t < 2; t++)
        for (const ql_option *row = tables[t]; row->name; row++)
            if (strlen(row->name) == n && strncmp(row->name, text, n) == 0)
                return ql_opt_set(row, text + n + 1, (char *)a + row->offset, err);
    return ql_fail(err, QL_EUSAGE, "'%s' is no setting of a model", text);
}

ql_status model_become_vae(model_args *a, ql_err *err)
{
    for (int i = 0; like_vae[i]; i++) QL_TRY(set_by_text(a, like_vae[i], err));
    return QL_OK;
}

/* The settings of scvi-tools 1.5 (docs/vae.md lists the differences). */
#define SCVI_SETTINGS                                                                              \
    "model=vae", "type=zinb", "hidden=128,10,128", "dropout=0.1", "dispersion=gene",               \
        "sizefactors=no", "loginput=yes", "norminput=no", "batchnorm=yes", "norm-gain=yes",        \
        "start-at-means=no", "normal-theta=yes", "theta-rate=1", "init=torch",                     \
        "optimizer=torch-adam", "epsilon=0.01", "weight-decay=1e-6", "learning-rate=0.001",        \
        "batch-size=128", "merge-last=no", "loss-scale=cell", "beta=1", "kl-course=linear",        \
        "kl-epochs=400", "epochs=400", "epochs-by-cells=yes", "validation=0.1",                    \
        "validation-cells=scvi", "validate=loss", "never-stop=yes", "restore-best=no"

static const char *const like_scvi[] = {SCVI_SETTINGS, "estimate=mean", NULL};
static const char *const embed_like_scvi[] = {SCVI_SETTINGS, NULL};

const ql_preset ql_model_presets[] = {
    {"dca", "the settings of DCA 0.3.3, for reproducing its results", like_dca, NULL},
    {"scvi", "the settings of scvi-tools 1.5, for reproducing its results", like_scvi, NULL},
    {"vae", "what --model vae begins with", like_vae, "model"},
    {NULL, NULL, NULL, NULL},
};

const ql_preset ql_fit_presets[] = {
    {"scvi", "the settings of scvi-tools 1.5, for reproducing its results", embed_like_scvi, NULL},
    {"vae", "what --model vae begins with", like_vae, "model"},
    {NULL, NULL, NULL, NULL},
};

const ql_preset ql_embed_presets[] = {
    {"scvi", "the settings of scvi-tools 1.5, for reproducing its results", embed_like_scvi, NULL},
    {"scdha", "the settings of scDHA 1.2.2, for reproducing its results", scdha_like, NULL},
    {"vae", "what --model vae begins with", like_vae, "model"},
    {NULL, NULL, NULL, NULL},
};

static bool is_auto(const model_args *a)
{
    return strcmp(a->type, "auto") == 0;
}

static bool predicts_input(const model_args *a)
{
    return strcmp(a->target, "input") == 0;
}

const ql_likelihood *model_likelihood(const model_args *a)
{
    if (predicts_input(a)) return &ql_gaussian;
    if (model_is_vae(a)) return ql_vae_likelihood_find(a->type, vae_theta(&a->vae));
    return ql_likelihood_find(is_auto(a) ? "nb" : a->type);
}

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
    int at = 0;
    if (!a->latent_at) return ql_ae_code_is_output(c) ? QL_LATENT_ACTIVATION : QL_LATENT_LINEAR;
    while (strcmp(latent_choices[at], a->latent_at) != 0) at++; /* the parser lets no other pass */
    return (ql_latent_at)at;
}

/* Of --corrupt and --inputdropout, which are not given together. */
static ql_corrupt corruption_of(const model_args *a)
{
    ql_corrupt c = {ql_corruption_find(a->corrupt), a->corrupt_strength};
    if (a->input_dropout > 0) c = (ql_corrupt){ql_corruption_find("dropout"), a->input_dropout};
    if (c.kind && isnan(c.strength)) c.strength = c.kind->usual;
    return c;
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

static ql_status check_conv(const model_args *a, ql_err *err)
{
    ql_conv_shape shape;
    if (a->gene_order && !a->conv)
        return ql_fail(err, QL_EUSAGE, "--gene-order is of use with --conv only");
    if (conv_of(a->conv, &shape)) return QL_OK;
    ql_fail(err, QL_EUSAGE, "--conv %s: not FILTERS:WIDTH:STRIDE", a->conv);
    return ql_hint(
        err, "such as 8:32:16; filters 1, 2, 4, ... %d, width at most %d, stride at most width",
        QL_CONV_FILTERS, QL_CONV_WIDTH);
}

ql_status model_type_check(const model_args *a, ql_err *err)
{
    if (model_likelihood(a)) return QL_OK;
    if (!model_is_vae(a)) return ql_fail(err, QL_EUSAGE, "--type %s is for --model vae", a->type);
    ql_fail(err, QL_EUSAGE, "--type %s: not with --model vae", a->type);
    return ql_hint(err, "it has zinb, nb, poisson, normal and bernoulli, with --dispersion");
}

ql_status model_args_check(const model_args *a, ql_err *err)
{
    const ql_corrupt c = corruption_of(a);
    QL_TRY(vae_args_check(&a->vae, model_is_vae(a), err));
    if (model_is_vae(a) && predicts_input(a))
        return ql_fail(err, QL_EUSAGE, "--target input: a variational model predicts counts");
    QL_TRY(model_type_check(a, err));
    if (a->input_dropout > 0 && strcmp(a->corrupt, "none") != 0)
        return ql_fail(err, QL_EUSAGE, "--inputdropout is a corruption: leave out --corrupt %s",
                       a->corrupt);
    if (!c.kind && !isnan(a->corrupt_strength))
        return ql_fail(err, QL_EUSAGE, "--corrupt-strength needs a --corrupt");
    if (!c.kind && strcmp(a->pretrain, "denoise") == 0)
        return ql_fail(err, QL_EUSAGE, "--pretrain denoise needs a --corrupt");
    if (c.kind && !(c.strength < c.kind->limit))
        return ql_fail(err, QL_EUSAGE, "--corrupt-strength %g: must be below %g for %s", c.strength,
                       c.kind->limit, c.kind->name);
    if (ql_corrupt_lost(&c) > 0 && a->input_thin > 0)
        return ql_fail(err, QL_EUSAGE,
                       "--input-thinning and --corrupt thin both take molecules from the input: "
                       "give one of them");
    if (predicts_input(a) && is_auto(a)) {
        ql_fail(err, QL_EUSAGE, "--type auto chooses among likelihoods of counts");
        return ql_hint(err, "leave it out with --target input");
    }
    if (predicts_input(a) && a->input_thin > 0)
        return ql_fail(err, QL_EUSAGE,
                       "--input-thinning predicts counts: leave it out with --target input");
    if (c.kind && !strcmp(c.kind->name, "salt-pepper") && !a->norm_input)
        return ql_fail(err, QL_EUSAGE, "--corrupt salt-pepper needs z-scored inputs (--norminput)");
    return check_conv(a, err);
}

static ql_ae_config model_of(const model_args *a)
{
    const char *norm = a->norm ? a->norm : a->batch_norm ? "batch" : "none";
    ql_ae_config c = {
        .n_hidden = a->hidden.n,
        .likelihood = model_likelihood(a),
        .act = ql_activation_find(a->activation),
        .code_act = code_activation(a),
        .slope = a->slope,
        .linear_latent = a->linear_latent,
        .batch_norm = !strcmp(norm, "batch"),
        .layer_norm = !strcmp(norm, "layer"),
        .tied = a->tied,
        .ridge = a->ridge,
        .l1 = a->l1,
        .l2 = a->l2,
        .l1_enc = a->l1_enc,
        .l2_enc = a->l2_enc,
        .corrupt = corruption_of(a),
        .bf16 = !strcmp(a->precision, "bf16"),
        .optimizer = ql_opt_rule_find(a->optimizer),
        .rate = a->learning_rate,
        .clip = a->clip,
        .weight_decay = a->weight_decay,
        .disp_rate = a->theta_rate,
        .start_theta = a->start_theta,
        .mean_loss = !strcmp(a->loss_scale, "entry"),
        .keep_short_batch = !a->merge_last,
        .start_at_means = a->start_at_means,
        .shared_pi = a->shared_pi,
        .init = ql_init_find(a->init),
        .seed = (uint64_t)a->seed.seed,
    };
    if (model_is_vae(a)) vae_args_config(&a->vae, &c);
    c.vae.library_sees_total = c.vae.latent_library && a->size_factors;
    label_args_config(&a->vae, &c);
    c.eps = a->vae.epsilon;
    /* sums of values that may be negative are no depths */
    c.match_depth = a->match_depth && (!c.likelihood->gaussian || c.likelihood->of_inputs ||
                                       c.likelihood->heads.share);
    conv_of(a->conv, &c.conv);
    for (int i = 0; i < a->hidden.n; i++) c.hidden[i] = a->hidden.v[i];
    add_dropout(a, &c);
    add_regularisation(a, &c);
    c.latent_at = latent_at_of(a, &c);
    return c;
}

static ql_train_options training_of(const model_args *a)
{
    return (ql_train_options){
        .epochs = a->epochs,
        .batch_size = a->batch_size,
        .validation = a->validation,
        .test = a->test_split ? TEST_SHARE : 0,
        .validation_last = !strcmp(a->validation_cells, "last"),
        .scvi_epochs = a->vae.epochs_by_cells,
        .scvi_split = !strcmp(a->validation_cells, "scvi"),
        .thinned = !strcmp(a->validate, "molecules"),
        .restore_best = a->restore_best,
        .patience = a->never_stop       ? 0
                    : a->early_stop > 0 ? a->early_stop
                                        : -1,
        .min_gain = a->min_gain,
        .rate_patience = a->reduce_rate,
        .rate_factor = 0.1,
        .min_delta = 1e-4, /* ReduceLROnPlateau's */
        .input_thin = a->input_thin,
        .corrupt_epochs = strcmp(a->pretrain, "denoise") ? 0 : a->pretrain_epochs,
        .seed = (uint64_t)a->seed.seed,
    };
}

void model_fit_options(const model_args *a, int threads, ql_fit_options *out)
{
    *out = (ql_fit_options){
        .prep = {.log = a->log_input,
                 .size_factors = a->size_factors,
                 .center = a->norm_input,
                 .scale = a->norm_input},
        .ae = model_of(a),
        .train = training_of(a),
        .threads = threads,
    };
    const ql_likelihood *lik = out->ae.likelihood;
    out->layer_epochs = strcmp(a->pretrain, "layers") ? 0 : a->pretrain_epochs;
    out->fit_theta = lik->disp != QL_DISP_CELL && lik->disp != QL_DISP_EXP_CELL && !lik->gaussian;
}
