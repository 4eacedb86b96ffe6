/* quell embed: a latent space, and nothing else, by one of several models. */
#include <string.h>

#include "denoise/denoise_job.h"
#include "embed/embed.h"
#include "quell/pca.h"

/* The latent space of denoise, without its layers. */
static ql_status embed_dca(const embed_args *a, const char *key, ql_run *run)
{
    denoise_args d = a->d;
    d.key = key;
    d.fit.model.kind = "dca";
    return denoise_job_run(&d, run);
}

/* The same of a variational model. */
static ql_status embed_vae(const embed_args *a, const char *key, ql_run *run)
{
    denoise_args d = a->d;
    d.key = key;
    d.fit.model.kind = "vae";
    return denoise_job_run(&d, run);
}

/* The job of denoise does that itself. */
static ql_status check_dca(const denoise_args *d, ql_run *run)
{
    (void)d;
    (void)run;
    return QL_OK;
}

/* Nothing is trained that could be kept or gone on with. */
static ql_status check_pca(const denoise_args *d, ql_run *run)
{
    const denoise_job j = {.a = d, .run = run};
    const struct {
        bool given;
        const char *name;
    } strangers[] = {
        {d->save_model != NULL, "save-model"},   {d->save_weights, "saveweights"},
        {d->fit.init_from != NULL, "init-from"}, {d->fit.checkpoint.dir != NULL, "checkpoint"},
        {d->fit.mqc.dir != NULL, "mqc"},         {d->fit.model.mcv, "mcv"}};
    for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++)
        if (strangers[i].given)
            return ql_fail(&run->err, QL_EUSAGE, "--%s is of no use with --model pca",
                           strangers[i].name);
    return d->fit.plan ? QL_OK : denoise_job_check(&j);
}

static const struct {
    const char *name, *key; /* key: of obsm, where none is given */
    ql_status (*check)(const denoise_args *d, ql_run *run);
    ql_status (*run)(const embed_args *a, const char *key, ql_run *run);
} models[] = {
    {"dca", "X_dca", check_dca, embed_dca},
    {"pca", "X_pca", check_pca, embed_pca},
    {"scdha", "X_scdha", embed_scdha_check, embed_scdha},
    {"vae", "X_vae", check_dca, embed_vae},
};
enum { N_MODELS = sizeof models / sizeof *models };

static const char *model_at(int i)
{
    return i < N_MODELS ? models[i].name : NULL;
}

#define S embed_args
/* clang-format off */
static const ql_option embed_rows[] = {
    {.name = "model", .letter = 'm', QL_CHOICE_AT(S, model), .def = "dca", .choice_at = model_at,
     .group = "Model", .help = "what makes the latent space",
     .more = "dca: the bottleneck of the autoencoder that quell denoise trains. vae: the code of a variational "
             "autoencoder of counts, which can leave batches out (docs/vae.md). pca: principal components "
             "of the same scaled inputs (--sizefactors, --loginput, --norminput), exact to --tolerance; "
             "other options of model and training have no effect on it. scdha: an ensemble of small "
             "variational autoencoders after a choice of genes (docs/scdha.md); of the options of model and "
             "training --epochs, --batch-size, --learning-rate and --weight-decay."},
    {.name = "components", .letter = 'n', QL_INT_AT(S, components), .def = "50", .min = 1,
     .max = QL_PCA_MOST, .group = "Model", .help = "pca: number of components"},
    {.name = "tolerance", QL_DOUBLE_AT(S, tolerance), .def = "1e-4", .min = 1e-12, .max = 0.1,
     .group = "Model", .level = QL_OPT_EXPERT, .help = "pca: largest |A'u - sv| / s of a component",
     .more = "Variances are then about the square of it exact; single components with nearly the same "
             "variance may be turned into each other."},
    {.name = "output", .letter = 'o', QL_STRING_AT(S, d.output), .unit = "FILE", .group = "Output",
     .bits = QL_OPT_VOLATILE, .help = "the h5ad to write",
     .more = "An h5ad input is carried through whole; other inputs become an h5ad with the counts in X."},
    {.name = "force", QL_FLAG_AT(S, d.force), .group = "Output", .bits = QL_OPT_VOLATILE,
     .help = "replace an existing output and earlier results in it"},
    {.name = "key", QL_STRING_AT(S, d.key), .unit = "KEY", .unset = "X_ and the model's name",
     .group = "Output", .help = "obsm key of the latent space"},
    {.name = "compression", QL_STRING_AT(S, d.compression), .def = "gzip", .unit = "none|gzip[:LEVEL]",
     .group = "Output", .help = "compression of what is written"},
    {.name = NULL},
};
/* clang-format on */
#undef S

static ql_status embed_run(const void *args, ql_run *run)
{
    const embed_args *a = args;
    for (int i = 0; i < N_MODELS; i++) {
        if (strcmp(models[i].name, a->model) != 0) continue;
        const char *key = a->d.key ? a->d.key : models[i].key;
        denoise_args d = a->d;
        d.key = key;
        QL_TRY(models[i].check(&d, run));
        return models[i].run(a, key, run);
    }
    return ql_fail(&run->err, QL_EINTERNAL, "--model %s is not in the table", a->model);
}

static const ql_opt_table embed_tables[] = {
    {embed_rows, 0},
    {scdha_rows, offsetof(embed_args, scdha)},
    {ql_denoise_save_rows, offsetof(embed_args, d)},
    FIT_TABLES(embed_args, d.fit),
    {NULL, 0},
};

static const ql_positional embed_positionals[] = {
    {"INPUT...", "count matrices, in any format that can be read; several are joined"},
    {NULL, NULL},
};

const ql_command ql_cmd_embed = {
    .name = "embed",
    .group = "Models",
    .summary = "a latent space of a count matrix",
    .positionals = embed_positionals,
    .examples = {{"quell embed filtered_feature_bc_matrix.h5 -o pbmc.h5ad --model pca",
                  "50 principal components: obsm/X_pca, varm/PCs, uns/pca"},
                 {"quell embed pbmc.h5ad -o dca.h5ad --model dca",
                  "the autoencoder's bottleneck: obsm/X_dca"}},
    .tables = embed_tables,
    .presets = ql_embed_presets,
    QL_ARGS(embed_args),
    .run = embed_run,
};
