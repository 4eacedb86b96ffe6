/* The formats of help and what they share. Private to src/cli. */
#ifndef QL_HELP_INTERNAL_H
#define QL_HELP_INTERNAL_H

#include "quell/command.h"

extern const ql_help_format ql_help_text, ql_help_markdown, ql_help_man, ql_help_schema,
    ql_help_bash, ql_help_zsh, ql_help_fish;

/* What `quell` alone prints. */
void ql_help_short(const ql_command *const *commands, ql_str *out);

/* ---- parts (help_parts.c) ---- */

/* "denoise" -> "quell denoise [OPTIONS] INPUT". */
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

#endif
