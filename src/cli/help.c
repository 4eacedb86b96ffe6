/* Help: the list of formats, and a help in one of them. */
#include <string.h>

#include "help_internal.h"

const ql_help_format *const ql_help_formats[] = {
    &ql_help_text, &ql_help_markdown, &ql_help_man,  &ql_help_schema,
    &ql_help_bash, &ql_help_zsh,      &ql_help_fish, NULL};

static const ql_help_format *find_format(const char *name)
{
    for (const ql_help_format *const *f = ql_help_formats; *f; f++)
        if (strcmp((*f)->name, name) == 0) return *f;
    return NULL;
}

static ql_status help_command(const ql_help_format *format, const ql_command *command, bool all,
                              ql_str *out, ql_err *err)
{
    ql_opts *opts;
    QL_TRY(ql_command_opts(command, NULL, &opts, err));
    format->command(command, opts, all, out);
    ql_opts_free(opts);
    return QL_OK;
}

ql_status ql_help(const ql_command *const *commands, const ql_command *command, const char *format,
                  bool all, ql_str *out, ql_err *err)
{
    const ql_help_format *f = find_format(format);
    if (!f) return ql_fail(err, QL_EUSAGE, "there is no help format '%s'", format);
    if (command && f->command)
        QL_TRY(help_command(f, command, all, out, err));
    else if (f->program)
        f->program(commands, out);
    else
        for (; f->command && *commands; commands++)
            QL_TRY(help_command(f, *commands, all, out, err));
    return out->failed ? ql_fail(err, QL_EMEMORY, "no memory for the help") : QL_OK;
}
