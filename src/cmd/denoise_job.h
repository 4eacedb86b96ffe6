/* The steps that denoise and apply share, around the fit itself. Private to src/cmd. */
#ifndef QL_DENOISE_JOB_H
#define QL_DENOISE_JOB_H

#include "denoise_args.h"
#include "denoise_output.h"

/* Everything of one run. */
typedef struct {
    const denoise_args *a;
    ql_run *run;
    fit_run fit;
    ql_h5ad_writer *writer; /* NULL without --output */
    int32_t *genes;         /* --genes, ascending; NULL: all */
    int64_t n_genes;
    bool posterior;
    const denoise_applied *applied; /* NULL: the model was trained on these counts */
} denoise_job;

/* Before the work: can everything that was asked for be written? */
QL_MUST_USE ql_status denoise_job_check(const denoise_job *j);

/* When the counts are read: --genes, which estimate, and the start of the output. */
QL_MUST_USE ql_status denoise_job_begin(denoise_job *j);

/* When there is a fitted model: report how good it is, and write all outputs. */
QL_MUST_USE ql_status denoise_job_write(denoise_job *j);

void denoise_job_free(denoise_job *j);

#endif
