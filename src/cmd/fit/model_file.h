/* Model files: a fitted model with its options and gene names (docs/model-file.md). Private to
 * src/cmd. */
#ifndef QL_MODEL_FILE_H
#define QL_MODEL_FILE_H

#include "auto_choice.h"
#include "ensemble_specs.h"
#include "model_args.h"
#include "quell/dataset.h"

/* A model as it was read. Strings and lists belong to it. */
typedef struct {
    const char *path; /* borrowed */
    ql_bundle bundle;
    model_args args;             /* the options it was trained with */
    ql_opts *opts;               /* they, as a set */
    ql_fit_options fit;          /* they, as a fit */
    ql_covariates cov;           /* names and levels that it knows; values of no cells */
    ensemble_specs *models;      /* of an ensemble; NULL: a single model; owned */
    auto_choice *choice;         /* of --auto; NULL: there was none; owned */
    const ql_names *genes, *ids; /* names of its genes; their ids, or NULL */
    const char *estimate; /* what layers/denoised holds unless told otherwise; NULL: by the data */
    const char *version;  /* of the quell that wrote it */
} model_file;

/* Read and check all of it: QL_ENOINPUT, or QL_EDATA with one line that says what is wrong. */
QL_MUST_USE ql_status model_file_read(const char *path, int threads, model_file *m, ql_err *err);
void model_file_free(model_file *m); /* harmless on a zeroed one */

/* *is: the file says that it is one; looks at its root alone. QL_EMEMORY is the only failure. */
QL_MUST_USE ql_status model_file_is(const char *path, bool *is, ql_err *err);

/* Of which kind the model in the file is ("autoencoder", "scdha"); QL_ENOINPUT, or QL_EDATA where
 * it is no model or one of a newer format. */
enum { MODEL_KIND = 40 };
QL_MUST_USE ql_status model_file_kind(const char *path, char kind[MODEL_KIND], ql_err *err);

/* The options of a model at their defaults, and as the set that owns their texts. */
QL_MUST_USE ql_status model_default_options(model_args *args, ql_opts **opts, ql_err *err);

/* The marks that every model begins with. */
QL_MUST_USE ql_status model_file_put_marks(ql_bundle *b, const char *kind, ql_err *err);

/* Genes and version of a bundle that was read into *m. */
QL_MUST_USE ql_status model_file_read_genes(model_file *m, ql_err *err);

/* What the file says is quoted in messages: it must break no line and steer no terminal. Adds the
 * path and returns st. */
QL_MUST_USE ql_status model_file_blame(const char *path, ql_status st, ql_err *err);

/* What is written beside the fit itself. */
typedef struct {
    const model_args *args;
    const ql_frame *genes; /* of the file that was trained on */
    const ql_fitted *fitted;
    const auto_choice *choice; /* NULL: none */
    const char *estimate;      /* NULL: none was asked for */
    const char *in_path;       /* must not be replaced */
    bool force;
    int threads;
} model_content;

QL_MUST_USE ql_status model_file_write(const char *path, const model_content *content, ql_err *err);

/* Ids of genes, where the file has them beside the names; NULL: none. */
const ql_names *model_gene_ids(const ql_frame *genes);

#endif
