#include "model_args.h"

static const char *const kinds[] = {"dca", "vae", NULL};

#define S model_args
/* clang-format off */
const ql_option ql_kind_rows[] = {
    {.name = "model", .letter = 'm', QL_CHOICE_AT(S, kind), .def = "dca", .choices = kinds, .group = "Model",
     .help = "which model: dca, or vae with its own defaults",
     .more = "vae: a variational autoencoder of counts, which can leave batches out of its code (docs/vae.md)."},
    {.name = NULL},
};
/* clang-format on */
#undef S

const ql_option *const ql_setting_tables[] = {ql_net_rows, ql_training_rows, NULL};
