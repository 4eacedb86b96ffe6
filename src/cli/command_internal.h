/* Shared by the files of src/cli that work on command rows. */
#ifndef QL_COMMAND_INTERNAL_H
#define QL_COMMAND_INTERNAL_H

#include "quell/command.h"

typedef struct {
    bool optional, many;
} ql_arity;

ql_arity ql_positional_arity(const ql_positional *positional);

/* QL_EUSAGE when the number of positionals does not suit the command. */
QL_MUST_USE ql_status ql_command_check_words(const ql_command *command, const ql_opts *opts,
                                             ql_err *err);

/* Fill in run->threads and run->memory with where they come from (resources.c). */
void ql_run_resources(ql_run *run, const ql_common_args *common);

#endif
