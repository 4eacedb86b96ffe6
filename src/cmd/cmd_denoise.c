/* quell denoise: read counts, train a count autoencoder, write denoised counts and a latent space.
 */
#include "denoise/denoise_job.h"

static ql_status denoise_run(const void *args, ql_run *run)
{
    return denoise_job_run(args, run);
}

static const ql_opt_table denoise_tables[] = {
    {ql_denoise_rows, 0},
    {ql_denoise_save_rows, 0},
    FIT_TABLES(denoise_args, fit),
    {ql_kind_rows, offsetof(denoise_args, fit.model)},
    {NULL, 0},
};

static const ql_positional denoise_positionals[] = {
    {"INPUT...", "count matrices, in any format that can be read; several are joined"},
    {NULL, NULL},
};

const ql_command ql_cmd_denoise = {
    .name = "denoise",
    .group = "Models",
    .summary = "denoised counts and a latent space of a count matrix",
    .positionals = denoise_positionals,
    .examples = {{"quell denoise filtered_feature_bc_matrix.h5 -o pbmc.h5ad",
                  "train, denoise, embed: layers/denoised and obsm/X_dca"},
                 {"quell denoise pbmc.h5ad -o dca.h5ad --like dca --threads 8",
                  "the same with the settings of DCA 0.3.3"}},
    .tables = denoise_tables,
    .presets = ql_model_presets,
    QL_ARGS(denoise_args),
    .run = denoise_run,
};
