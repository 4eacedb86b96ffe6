/* The run of `quell denoise`, with what another command does in between. Private to src/cmd. */
#ifndef QL_DENOISE_STEPS_H
#define QL_DENOISE_STEPS_H

#include "denoise_args.h"
#include "quell/h5ad_writer.h"

/* Each may be NULL. */
typedef struct {
    /* the counts are read; may change the fit's options. posterior: the estimate to be written */
    ql_status (*before_fit)(void *ctx, fit_run *f, bool posterior);
    /* the last before the h5ad is finished */
    ql_status (*write)(void *ctx, ql_h5ad_writer *w, ql_err *err);
    void *ctx;
} denoise_steps;

/* Read, fit, write. */
QL_MUST_USE ql_status denoise_with(const denoise_args *a, ql_run *run, const denoise_steps *steps);

#endif
