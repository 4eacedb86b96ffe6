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

/* "denoise" -> "quell denoise [OPTIONS] INPUT" (help.c). */
void ql_help_usage(const ql_command *command, ql_str *out);

/* Is the argument the name of a command, as in `quell help NAME`? */
bool ql_help_takes_command(const ql_command *command);

/* Is the row shown: not hidden, and basic unless all. */
bool ql_help_shows(const ql_option *row, bool all);

/* "--[no-]batchnorm", "--epochs N", "--hidden N,N,..." */
void ql_help_spelling(const ql_option *row, ql_str *out);

/* Names of the choices joined by ", ". */
void ql_help_choices(const ql_option *row, ql_str *out);

/* What follows the help of a row in a reference: ": a, b" or " (at least 1, at most 9)" or nothing.
 */
void ql_help_facts(const ql_option *row, ql_str *out);

/* First line of the text of a `quell` without arguments and of its full help. */
extern const char ql_help_about[];

extern const ql_help_format ql_help_text, ql_help_markdown, ql_help_man, ql_help_schema,
    ql_help_bash, ql_help_zsh, ql_help_fish;

/* What `quell` alone prints. */
void ql_help_short(const ql_command *const *commands, ql_str *out);

#endif
