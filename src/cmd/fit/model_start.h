/* Training that starts from a trained model: --init-from. Private to src/cmd. */
#ifndef QL_MODEL_START_H
#define QL_MODEL_START_H

#include "model_file.h"
#include "quell/command.h"

typedef struct {
    model_file model;
    const ql_frame *genes; /* of the file that is trained on */
    ql_run *run;
    ql_fit_start hook;
    bool told;
} model_start;

/* Read the model, and have fits of these options start from it. genes is filled by the time the fit
 * begins; s stays where it is until then. */
QL_MUST_USE ql_status model_start_open(model_start *s, const char *path, const ql_frame *genes,
                                       ql_run *run, ql_fit_options *fit);
void model_start_free(model_start *s); /* harmless on a zeroed one */

#endif
