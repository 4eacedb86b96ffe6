/* The options of `quell denoise` and what they mean for a fit. Private to src/cmd. */
#ifndef QL_DENOISE_ARGS_H
#define QL_DENOISE_ARGS_H

#include "quell/command.h"
#include "quell/fit.h"
#include "quell/read_args.h"

typedef struct {
    ql_common_args common;
    ql_read_args read;
    ql_seed_args seed;
    bool allow_noncounts;
    /* output */
    const char *output, *tsv, *key, *compression, *estimate, *genes;
    const char *obs_out, *obsm_out, *layer_out;
    bool force, denoised;
    /* model */
    const char *type, *activation;
    ql_int_list hidden;
    bool linear_latent, batch_norm, match_depth, start_at_means;
    bool size_factors, log_input, norm_input;
    double dropout, ridge, l1, l2, l1_enc, l2_enc, start_theta, theta_rate;
    /* training */
    const char *optimizer, *validation_cells, *validate, *loss_scale, *precision;
    double learning_rate, weight_decay, clip, validation, input_thin, min_gain;
    int epochs, batch_size, early_stop, reduce_rate;
    bool restore_best, merge_last, mcv;
} denoise_args;

extern const ql_option ql_denoise_rows[];
extern const ql_preset ql_denoise_presets[];

/* The fit that the options describe. */
QL_MUST_USE ql_status ql_denoise_fit_options(const denoise_args *a, int threads,
                                             ql_fit_options *out, ql_err *err);

/* Level of --compression: 0 for none. */
QL_MUST_USE ql_status ql_denoise_deflate(const denoise_args *a, int *level, ql_err *err);

#endif
