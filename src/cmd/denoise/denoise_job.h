/* The steps that denoise and apply share, around the fit itself. Private to src/cmd. */
#ifndef QL_DENOISE_JOB_H
#define QL_DENOISE_JOB_H

#include "decode_as.h"
#include "denoise_args.h"
#include "denoise_output.h"

/* Everything of one run. */
typedef struct {
    const denoise_args *a;
    ql_run *run;
    fit_run fit;
    ql_h5ad_writer *writer; /* NULL without --output */
    gene_list genes;        /* --genes */
    unsigned which;         /* --write */
    cell_extras extras;
    decode_as decode; /* --decode-as */
    bool posterior;
    const denoise_applied *applied; /* NULL: the model was trained on these counts */
    shard_spec shard;               /* the h5ad is a part of the cells */
    bool trials;                    /* fits are compared before the one that is written */
    /* the last before the h5ad is finished; NULL: nothing more to be written */
    ql_status (*write_more)(void *ctx, ql_h5ad_writer *w, ql_err *err);
    void *ctx; /* of write_more */
} denoise_job;

/* Before the work: can everything that was asked for be written? */
QL_MUST_USE ql_status denoise_job_check(const denoise_job *j);

/* What --write asks for; the options say the model's type by now. */
QL_MUST_USE ql_status denoise_job_extras(denoise_job *j);

/* All that, and the counts read. *done: only the plan was wanted, and is printed. */
QL_MUST_USE ql_status denoise_job_open(denoise_job *j, bool *done);

/* When the counts are read: --genes, --type auto, which estimate, and the start of the output. */
QL_MUST_USE ql_status denoise_job_begin(denoise_job *j);

/* When there is a fitted model: report how good it is, and write all outputs. */
QL_MUST_USE ql_status denoise_job_write(denoise_job *j);

void denoise_job_free(denoise_job *j);

/* All of it: train on the counts, then write what the options ask for. */
QL_MUST_USE ql_status denoise_job_run(const denoise_args *a, ql_run *run);

#endif
