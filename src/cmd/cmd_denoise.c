/* quell denoise: read counts, train a count autoencoder, write denoised counts and a latent space.
 */
#include "denoise_job.h"

static ql_status work(denoise_job *j)
{
    bool done;
    QL_TRY(denoise_job_open(j, &done));
    if (done) return QL_OK;
    QL_TRY(denoise_job_begin(j));
    QL_TRY(fit_run_train(&j->fit));
    return denoise_job_write(j);
}

static ql_status denoise_run(const void *args, ql_run *run)
{
    denoise_job j = {.a = args, .run = run};
    ql_status st = fit_run_end(&j.fit, work(&j));
    denoise_job_free(&j);
    return st;
}

static const ql_opt_table denoise_tables[] = {
    {ql_denoise_rows, 0},
    {ql_denoise_save_rows, 0},
    FIT_TABLES(denoise_args, fit),
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
