/* Training an ensemble instead of one model, and what is said of it. Private to src/cmd. */
#ifndef QL_ENSEMBLE_RUN_H
#define QL_ENSEMBLE_RUN_H

#include "fit_run.h"
#include "quell/h5ad_writer.h"

/* Give models what the run has learnt of the counts since they were made. */
void ensemble_complete(const fit_run *f, ensemble_specs *s);

/* Instead of ql_cross_validate and ql_fit, with f->specs. */
QL_MUST_USE ql_status ensemble_validate(fit_run *f, const ql_train_listener *listener);
QL_MUST_USE ql_status ensemble_fit(fit_run *f, const ql_train_listener *listener);

/* What became of it, in the log and the summary. */
void ensemble_tell(const fit_run *f);

/* The table of its models below prefix; nothing where there is none. */
QL_MUST_USE ql_status ensemble_write(const ql_ensemble *e, const char *prefix, ql_h5ad_writer *w,
                                     ql_err *err);

#endif
