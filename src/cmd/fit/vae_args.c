#include "vae_args.h"

#include <math.h>
#include <string.h>

static const char *const dispersions[] = {"gene", "gene-batch", "gene-label", "gene-cell", NULL};
static const char *const libraries[] = {"observed", "latent", NULL};
static const char *const label_models[] = {"classifier", "scanvi", NULL};
static const char *const courses[] = {"constant", "linear", "cyclical", NULL};

#define S vae_args
/* clang-format off */
const ql_option ql_vae_rows[] = {
    {.name = "batch", QL_STRING_AT(S, batch), .unit = "COLUMN,...", .group = "Variational",
     .unset = "none", .help = "vae: columns of obs with batches, to leave out of the code",
     .more = "Several may be given, for several kinds of batches. The decoder is told each cell's, so that the "
             "code need not hold them."},
    {.name = "covariate", QL_STRING_AT(S, covariate), .unit = "COLUMN,...", .group = "Variational",
     .unset = "none", .level = QL_OPT_EXPERT, .help = "vae: columns of obs with numbers, to leave out of the code"},
    {.name = "labels", QL_STRING_AT(S, labels), .unit = "COLUMN", .group = "Variational",
     .unset = "none", .help = "column of obs with labels to learn from the code",
     .more = "A classifier on the code learns them with the rest, of any model; cells may lack a label. Predictions "
             "for all cells and their probabilities are in obs."},
    {.name = "labels-as", QL_CHOICE_AT(S, labels_as), .def = "classifier", .choices = label_models,
     .group = "Variational", .help = "vae: how the code and the labels belong together",
     .more = "classifier: a softmax of the code. scanvi: the code has a distribution for each label, as a second code "
             "is drawn from which, with the label, it comes; of a cell without a label all of them count by the "
             "classifier's probabilities (Xu et al. 2021)."},
    {.name = "label-weight", QL_DOUBLE_AT(S, label_weight), .def = "50", .min = 0, .max = 1e6,
     .group = "Variational", .level = QL_OPT_EXPERT, .help = "weight of the classifier's loss (0: no classifier)",
     .more = "Against the mean loss of a cell (of an entry with --loss-scale entry)."},
    {.name = "unlabelled", QL_STRING_AT(S, unlabelled), .unit = "LABEL", .group = "Variational",
     .unset = "empty or nan", .level = QL_OPT_EXPERT, .help = "the label of cells that have none"},
    {.name = "dispersion", QL_CHOICE_AT(S, dispersion), .def = "gene", .choices = dispersions,
     .group = "Variational", .help = "vae: what has a dispersion of its own",
     .more = "gene-batch: each gene in each batch (the first of --batch); gene-label: each gene in each label "
             "of --labels; gene-cell: each gene in each cell, by a head of the network."},
    {.name = "library-size", QL_CHOICE_AT(S, library), .def = "observed", .choices = libraries,
     .group = "Variational", .level = QL_OPT_EXPERT, .help = "vae: what the shares of genes are multiplied by",
     .more = "observed: the cell's molecules. latent: a size that is drawn, by an encoder of its own, with a "
             "log-normal prior for each batch (the first of --batch)."},
    {.name = "latent2", QL_INT_AT(S, latent2), .def = "0", .min = 0, .max = 1024, .group = "Variational",
     .level = QL_OPT_EXPERT, .help = "vae: units of a second code above the first (0: none)",
     .more = "As in a ladder: the first code's posterior is that of the cell combined with what the second says "
             "of it, by precision (Sonderby et al. 2016)."},
    {.name = "encode-covariates", QL_FLAG_AT(S, encode_covariates), .group = "Variational",
     .level = QL_OPT_EXPERT, .help = "vae: the encoder is told batches and covariates too"},
    {.name = "deep-covariates", QL_FLAG_AT(S, deep_covariates), .def = "yes", .group = "Variational",
     .level = QL_OPT_EXPERT, .help = "vae: every layer is told them, not the first alone"},
    {.name = "beta", QL_DOUBLE_AT(S, beta), .def = "1", .min = 0, .max = 1e6, .group = "Variational",
     .help = "vae: weight of the code's divergence from N(0, 1)"},
    {.name = "kl-course", QL_CHOICE_AT(S, course), .def = "linear", .choices = courses,
     .group = "Variational", .level = QL_OPT_EXPERT, .help = "vae: how the divergence reaches its weight",
     .more = "linear: from 0 on within --kl-steps; cyclical: again and again, up in the first half of each "
             "period; constant: it has it at once."},
    {.name = "kl-steps", QL_DOUBLE_AT(S, kl_steps), .def = "400", .min = 1, .max = 1e9,
     .group = "Variational", .level = QL_OPT_EXPERT, .help = "vae: minibatches of that course"},
    {.name = "kl-epochs", QL_DOUBLE_AT(S, kl_epochs), .min = 1, .max = 1e6, .group = "Variational",
     .level = QL_OPT_EXPERT, .unset = "counted in steps", .help = "vae: epochs of that course, instead",
     .more = "Counted in epochs large data never reach the full weight, as they need few."},
    {.name = "free-bits", QL_DOUBLE_AT(S, free_bits), .def = "0", .min = 0, .max = 100,
     .group = "Variational", .level = QL_OPT_EXPERT,
     .help = "vae: nats a unit of the code may diverge at no cost"},
    {.name = "capacity", QL_DOUBLE_AT(S, capacity), .def = "0", .min = 0, .max = 1e4,
     .group = "Variational", .level = QL_OPT_EXPERT,
     .help = "vae: aim at a divergence of this many nats (0: at none)",
     .more = "It rises to that within the course; what counts is the distance from it, --beta times."},
    {.name = "norm-gain", QL_FLAG_AT(S, norm_gain), .group = "Variational", .level = QL_OPT_EXPERT,
     .help = "batch norm has a gain for each unit, as in PyTorch"},
    {.name = "normal-theta", QL_FLAG_AT(S, normal_theta), .group = "Variational",
     .level = QL_OPT_EXPERT, .help = "logarithms of dispersions start as normal numbers"},
    {.name = "epochs-by-cells", QL_FLAG_AT(S, epochs_by_cells), .group = "Training",
     .level = QL_OPT_EXPERT, .help = "no more epochs than scvi-tools takes: 400 * 20000 / cells"},
    {.name = "epsilon", QL_DOUBLE_AT(S, epsilon), .def = "0", .min = 0, .max = 1, .group = "Training",
     .level = QL_OPT_EXPERT, .help = "the optimizer's epsilon (0: its own)"},
    {.name = NULL},
};
/* clang-format on */
#undef S

void label_args_config(const vae_args *a, ql_ae_config *c)
{
    c->vae.cov.n_labels = a->labels ? 2 : 0;
    c->label_weight = a->labels ? a->label_weight : 0;
}

bool vae_column(const char *list, int i, char *out, size_t size)
{
    const char *at = list;
    for (; at && i > 0; i--) {
        at = strchr(at, ',');
        if (at) at++;
    }
    if (!at) return false;
    size_t n = strcspn(at, ",");
    if (n >= size) n = size - 1;
    memcpy(out, at, n);
    out[n] = 0;
    return true;
}

static int columns_of(const char *list)
{
    int n = list ? 1 : 0;
    for (const char *c = list; c && *c; c++) n += *c == ',';
    return n;
}

ql_theta_kind vae_theta(const vae_args *a)
{
    if (!strcmp(a->dispersion, "gene-cell")) return QL_THETA_CELL;
    return strcmp(a->dispersion, "gene") ? QL_THETA_GROUP : QL_THETA_GENE;
}

static ql_status check_others(const vae_args *a, ql_err *err)
{
    const struct {
        bool given;
        const char *name;
    } own[] = {{a->batch != NULL, "batch"},
               {a->covariate != NULL, "covariate"},
               {strcmp(a->dispersion, "gene") != 0, "dispersion"},
               {a->free_bits > 0, "free-bits"},
               {a->capacity > 0, "capacity"},
               {strcmp(a->library, "observed") != 0, "library-size"},
               {a->latent2 > 0, "latent2"},
               {strcmp(a->labels_as, "classifier") != 0, "labels-as scanvi"},
               {a->encode_covariates, "encode-covariates"}};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (own[i].given) {
            ql_fail(err, QL_EUSAGE, "--%s is of use to variational models only", own[i].name);
            return ql_hint(err, QL_EUSAGE, "add --model vae");
        }
    return QL_OK;
}

static bool has_empty(const char *list)
{
    return list && (!*list || *list == ',' || strstr(list, ",,") || list[strlen(list) - 1] == ',');
}

ql_status vae_args_check(const vae_args *a, bool on, ql_err *err)
{
    if (!on) return check_others(a, err);
    if (columns_of(a->batch) + columns_of(a->covariate) > QL_MAX_COVARIATES)
        return ql_fail(err, QL_EUSAGE, "--batch and --covariate name more than %d columns",
                       QL_MAX_COVARIATES);
    if (has_empty(a->batch) || has_empty(a->covariate))
        return ql_fail(err, QL_EUSAGE, "--batch and --covariate are lists of columns such as A,B");
    if (a->unlabelled && !a->labels)
        return ql_fail(err, QL_EUSAGE, "--unlabelled is of use with --labels only");
    return QL_OK;
}

void vae_args_config(const vae_args *a, ql_ae_config *c)
{
    const bool epochs = !isnan(a->kl_epochs);
    ql_vae_config *v = &c->vae;
    *v = (ql_vae_config){.on = true,
                         .kl = {.beta = a->beta,
                                .course = (ql_kl_course)ql_place_in(a->course, courses),
                                .period = epochs ? a->kl_epochs : a->kl_steps,
                                .epochs = epochs,
                                .free_bits = a->free_bits,
                                .capacity = a->capacity},
                         .shallow = !a->deep_covariates,
                         .encode_covariates = a->encode_covariates,
                         .latent_library = !strcmp(a->library, "latent"),
                         .latent2 = a->latent2,
                         .scanvi = !strcmp(a->labels_as, "scanvi"),
                         .group_by_label = !strcmp(a->dispersion, "gene-label")};
    v->cov.n = columns_of(a->batch) + columns_of(a->covariate);
    for (int k = 0; k < v->cov.n; k++) v->cov.n_levels[k] = k < columns_of(a->batch) ? 2 : 0;
    c->norm_gain = a->norm_gain;
    c->theta_normal = a->normal_theta;
}
