/* The options of what is written for MultiQC. Private to src/cmd. */
#ifndef QL_MQC_ARGS_H
#define QL_MQC_ARGS_H

#include "quell/command.h"

typedef struct {
    const char *dir;       /* NULL: nothing is written */
    const char *sample_id; /* NULL: by the name of the first input */
} mqc_args;

extern const ql_option mqc_rows[];

/* Before the work: is the name one that a file can have, and the folder one that can be made? */
QL_MUST_USE ql_status mqc_check(const mqc_args *a, ql_run *run);

/* The name of the sample, appended to out. */
QL_MUST_USE ql_status mqc_sample(const mqc_args *a, const ql_run *run, ql_str *out, ql_err *err);

#endif
