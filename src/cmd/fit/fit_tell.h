/* What a run that trains says of its model, in the log and the summary. Private to src/cmd. */
#ifndef QL_FIT_TELL_H
#define QL_FIT_TELL_H

#include "fit_run.h"

/* Before the training: what is trained, and how its penalties are to be understood. */
void fit_tell_model(const fit_run *f);

/* After it: how it went, and how the code is used. */
void fit_tell_fitted(const fit_run *f);

#endif
