/* Settings by the name of what they reproduce (--like), and those of a kind of model. */
#include "model_args.h"
#include "option_rows.h"
#include "scdha_args.h"

#include <string.h>

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

/* "NAME=VALUE" of a row of the model's tables. */
static ql_status set_by_text(model_args *a, const char *text, ql_err *err)
{
    const size_t n = strcspn(text, "=");
    const ql_option *const tables[] = {ql_net_rows, ql_training_rows, ql_kind_rows, NULL};
    const ql_option *row = rows_find(tables, text, n);
    if (row) return ql_opt_set(row, text + n + 1, (char *)a + row->offset, err);
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
