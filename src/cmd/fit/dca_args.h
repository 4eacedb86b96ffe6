/* Options of DCA's own command line that quell takes for the sake of scripts written for it, and
 * what is said about the DCA types (docs/dca.md). Private to src/cmd. */
#ifndef QL_DCA_ARGS_H
#define QL_DCA_ARGS_H

#include "model_args.h"
#include "quell/command.h"

/* List {dca_rows, offsetof(S, dca)} in .tables. */
typedef struct {
    const char *normtype;
    bool hyper;
    int hyper_n, hyper_epochs;
} dca_args;

extern const ql_option dca_rows[];

/* Refuse what is not done here (QL_EUSAGE); warn of what has no effect. */
QL_MUST_USE ql_status dca_args_check(const dca_args *a, const model_args *model, ql_run *run);

#endif
