/* Model files of kind "scdha" (docs/model-file.md), and applying them. Private to src/cmd. */
#ifndef QL_SCDHA_FILE_H
#define QL_SCDHA_FILE_H

#include "../fit/model_file.h"
#include "quell/scdha_bundle.h"
#include "scdha_output.h"

#define SCDHA_KIND "scdha"

/* A model as it was read: of file only path, bundle, genes, ids and version are set. */
typedef struct {
    model_file file;
    ql_scdha model;
} scdha_file;

QL_MUST_USE ql_status scdha_file_read(const char *path, scdha_file *f, ql_err *err);
void scdha_file_free(scdha_file *f);

/* The model of a fit of these genes to path; the options are those of the run. */
QL_MUST_USE ql_status scdha_file_write(const char *path, const scdha_output *o);

/* quell apply with such a model. */
QL_MUST_USE ql_status scdha_apply(const denoise_args *a, ql_run *run);

/* quell info of one. */
QL_MUST_USE ql_status scdha_info(const char *path, bool json, ql_str *out, ql_err *err);

#endif
