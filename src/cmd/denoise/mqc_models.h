/* Sections of MultiQC on several models and on how sure one is. Private to src/cmd. */
#ifndef QL_MQC_MODELS_H
#define QL_MQC_MODELS_H

#include "denoise_output.h"
#include "mqc_file.h"

/* what is a denoise_result that has it. */
bool mqc_has_choice(const denoise_result *r);
bool mqc_has_ensemble(const denoise_result *r);
bool mqc_has_coverage(const denoise_result *r);
mqc_put mqc_put_choice, mqc_put_ensemble, mqc_put_coverage;

#endif
