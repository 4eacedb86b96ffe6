/* The options of `quell denoise`. Private to src/cmd. */
#ifndef QL_DENOISE_ARGS_H
#define QL_DENOISE_ARGS_H

#include "../fit/fit_run.h"

typedef struct {
    ql_common_args common;
    fit_args fit;
    const char *output, *tsv, *key, *compression, *estimate, *genes;
    const char *obs_out, *obsm_out, *layer_out, *write, *decode_as;
    const char *save_model, *load_model, *shard;
    const char *scale, *draws_of;
    double intervals;
    int64_t draws;
    bool force, denoised, save_weights, score, sd, shrink_genes;
} denoise_args;

extern const ql_option ql_denoise_rows[];      /* what is written of a model's results */
extern const ql_option ql_denoise_save_rows[]; /* the model itself */

/* Is the model written too? */
static inline bool denoise_saves_model(const denoise_args *a)
{
    return a->save_model || a->save_weights;
}

/* obsm key of the latent space, where none is given. */
static inline const char *denoise_key(const denoise_args *a)
{
    return a->key ? a->key : model_is_vae(&a->fit.model) ? "X_vae" : "X_dca";
}

/* Where, appended to path. */
void denoise_model_path(const denoise_args *a, ql_str *path);

/* Level of --compression: 0 for none. */
QL_MUST_USE ql_status ql_denoise_deflate(const denoise_args *a, int *level, ql_err *err);

#endif
