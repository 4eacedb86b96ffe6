/* What is written of a fit of scDHA (docs/scdha.md). Private to src/cmd. */
#ifndef QL_SCDHA_OUTPUT_H
#define QL_SCDHA_OUTPUT_H

#include "../denoise/denoise_args.h"
#include "quell/dataset.h"
#include "quell/h5ad_writer.h"
#include "quell/scdha_choice.h"

/* All borrowed. */
typedef struct {
    const denoise_args *args; /* output, force, compression */
    ql_run *run;
    const ql_dataset *ds;
    const ql_rows *rows;
    const ql_kern *kern;
    const ql_scdha *model;
    const ql_scdha_choice *choice; /* NULL: applied */
    const int32_t *place; /* [genes of ds] their numbers among the model's, or -1; NULL: as the
                             model has them */
    const char *key;      /* of obsm */
    int n_latents;        /* of the model, known before it is */
    bool all;             /* every latent space is written */
    const char *applied;  /* version of the quell that trained it; NULL: trained here */
    int64_t n_missing;    /* genes of the model that these data lack */
} scdha_output;

/* Start the h5ad and make room in it. */
QL_MUST_USE ql_status scdha_output_begin(const scdha_output *o, ql_notes *notes,
                                         ql_h5ad_writer **writer);

/* Write everything and commit; *writer is NULL afterwards. */
QL_MUST_USE ql_status scdha_output_write(const scdha_output *o, ql_h5ad_writer **writer);

#endif
