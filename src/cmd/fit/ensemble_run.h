/* Training an ensemble instead of one model, and what is said of it. Private to src/cmd. */
#ifndef QL_ENSEMBLE_RUN_H
#define QL_ENSEMBLE_RUN_H

#include "fit_run.h"
#include "quell/h5ad_writer.h"

/* Give models what the run has learnt of the counts since they were made. */
void ensemble_complete(const fit_run *f, ensemble_specs *s);

/* Instead of ql_fit, with f->specs; what became of each model is told if wanted. */
QL_MUST_USE ql_status ensemble_fit(fit_run *f, ql_rows *counts, bool tell,
                                   const ql_train_listener *listener, ql_fitted *out, ql_err *err);

/* What became of it, in the log and the summary. */
void ensemble_tell(const fit_run *f);

/* The table of its models below prefix; nothing where there is none. */
QL_MUST_USE ql_status ensemble_write(const ql_ensemble *e, const char *prefix, ql_h5ad_writer *w,
                                     ql_err *err);

#endif
