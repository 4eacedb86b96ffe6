/* The options of `quell denoise`. Private to src/cmd. */
#ifndef QL_DENOISE_ARGS_H
#define QL_DENOISE_ARGS_H

#include "fit_run.h"

typedef struct {
    ql_common_args common;
    fit_args fit;
    const char *output, *tsv, *key, *compression, *estimate, *genes;
    const char *obs_out, *obsm_out, *layer_out, *write;
    bool force, denoised;
} denoise_args;

extern const ql_option ql_denoise_rows[];

/* Level of --compression: 0 for none. */
QL_MUST_USE ql_status ql_denoise_deflate(const denoise_args *a, int *level, ql_err *err);

#endif
