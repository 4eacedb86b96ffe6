#include "train_args.h"

#include <math.h>
#include <string.h>

static const char *optimizer_at(int i)
{
    return ql_opt_rules[i] ? ql_opt_rules[i]->name : NULL;
}

static const char *corruption_at(int i)
{
    if (i == 0) return "none";
    return ql_corruptions[i - 1] ? ql_corruptions[i - 1]->name : NULL;
}

static const char *const pretrainings[] = {"none", "denoise", "layers", NULL};
static const char *const cell_choices[] = {"random", "last", "scvi", NULL};
static const char *const validate_choices[] = {"molecules", "loss", NULL};
static const char *const precisions[] = {"float32", "bf16", NULL};
static const char *const loss_scales[] = {"cell", "entry", NULL};

#define S model_args
/* clang-format off */
const ql_option ql_training_rows[] = {
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

/* Of --corrupt and --inputdropout, which are not given together. */
static ql_corrupt corruption_of(const model_args *a)
{
    ql_corrupt c = {ql_corruption_find(a->corrupt), a->corrupt_strength};
    if (a->input_dropout > 0) c = (ql_corrupt){ql_corruption_find("dropout"), a->input_dropout};
    if (c.kind && isnan(c.strength)) c.strength = c.kind->usual;
    return c;
}

/* ---- input that is damaged while training ---- */

static ql_status check_strength(const model_args *a, const ql_corrupt *c, ql_err *err)
{
    if (!c->kind && !isnan(a->corrupt_strength))
        return ql_fail(err, QL_EUSAGE, "--corrupt-strength needs a --corrupt");
    if (!c->kind && strcmp(a->pretrain, "denoise") == 0)
        return ql_fail(err, QL_EUSAGE, "--pretrain denoise needs a --corrupt");
    if (c->kind && !(c->strength < c->kind->limit))
        return ql_fail(err, QL_EUSAGE, "--corrupt-strength %g: must be below %g for %s",
                       c->strength, c->kind->limit, c->kind->name);
    return QL_OK;
}

ql_status train_args_check(const model_args *a, ql_err *err)
{
    const ql_corrupt c = corruption_of(a);
    if (a->input_dropout > 0 && strcmp(a->corrupt, "none") != 0)
        return ql_fail(err, QL_EUSAGE, "--inputdropout is a corruption: leave out --corrupt %s",
                       a->corrupt);
    QL_TRY(check_strength(a, &c, err));
    if (ql_corrupt_lost(&c) > 0 && a->input_thin > 0)
        return ql_fail(err, QL_EUSAGE,
                       "--input-thinning and --corrupt thin both take molecules from the input: "
                       "give one of them");
    if (c.kind && !strcmp(c.kind->name, "salt-pepper") && !a->norm_input)
        return ql_fail(err, QL_EUSAGE, "--corrupt salt-pepper needs z-scored inputs (--norminput)");
    return QL_OK;
}

void train_args_config(const model_args *a, ql_ae_config *c)
{
    c->corrupt = corruption_of(a);
    c->bf16 = !strcmp(a->precision, "bf16");
    c->optimizer = ql_opt_rule_find(a->optimizer);
    c->rate = a->learning_rate;
    c->clip = a->clip;
    c->weight_decay = a->weight_decay;
    c->eps = a->vae.epsilon;
    c->disp_rate = a->theta_rate;
    c->mean_loss = !strcmp(a->loss_scale, "entry");
    c->keep_short_batch = !a->merge_last;
}

#define TEST_SHARE 0.1 /* of --testsplit, as in the reference */

ql_train_options train_args_options(const model_args *a)
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

int train_layer_epochs(const model_args *a)
{
    return strcmp(a->pretrain, "layers") ? 0 : a->pretrain_epochs;
}
