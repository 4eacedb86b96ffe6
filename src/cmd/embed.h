/* What the models of `quell embed` share. Private to src/cmd. */
#ifndef QL_EMBED_H
#define QL_EMBED_H

#include "denoise_args.h"

typedef struct {
    ql_common_args common;
    denoise_args d; /* output, key, fit; its own common options are not set */
    const char *model;
    double tolerance;
    int components;
} embed_args;

/* Principal components into obsm/key, varm/PCs and uns/pca. */
QL_MUST_USE ql_status embed_pca(const embed_args *a, const char *key, ql_run *run);

#endif
