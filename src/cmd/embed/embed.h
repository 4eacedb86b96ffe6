/* What the models of `quell embed` share. Private to src/cmd. */
#ifndef QL_EMBED_H
#define QL_EMBED_H

#include "../denoise/denoise_args.h"
#include "../denoise/denoise_job.h"
#include "../fit/scdha_args.h"

typedef struct {
    ql_common_args common;
    denoise_args d; /* output, key, fit; its own common options are not set */
    scdha_args scdha;
    const char *model;
    double tolerance;
    int components;
} embed_args;

/* Principal components into obsm/key, varm/PCs and uns/pca. */
QL_MUST_USE ql_status embed_pca(const embed_args *a, const char *key, ql_run *run);

/* scDHA: its latent space into obsm/key, weights and choice of genes into var (docs/scdha.md). */
QL_MUST_USE ql_status embed_scdha_check(const denoise_args *d, ql_run *run);
QL_MUST_USE ql_status embed_scdha(const embed_args *a, const char *key, ql_run *run);

#endif
