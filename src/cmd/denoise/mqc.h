/* What `--mqc DIR` writes: custom content of MultiQC (docs/multiqc.md). Private to src/cmd. */
#ifndef QL_MQC_H
#define QL_MQC_H

#include "../fit/mqc_args.h"
#include "denoise_output.h"

/* All files of a finished run, the folder made if it is missing. Nothing without --mqc. */
QL_MUST_USE ql_status mqc_write(const mqc_args *a, const denoise_result *r, ql_err *err);

#endif
