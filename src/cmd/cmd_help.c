/* quell help: the help of the program or of a command, in any of the formats. */

#include "quell/command.h"

typedef struct {
    ql_common_args common;
    const char *format;
    bool all;
} help_args;

static const char *format_at(int i)
{
    return ql_help_formats[i] ? ql_help_formats[i]->name : NULL;
}

static const ql_option help_rows[] = {
    {.name = "format",
     QL_CHOICE_AT(help_args, format),
     .def = "text",
     .choice_at = format_at,
     .group = "Help",
     .help = "form of the help"},
    {.name = "all",
     .letter = 'a',
     QL_FLAG_AT(help_args, all),
     .group = "Help",
     .help = "expert options too"},
    {.name = NULL},
};

static const ql_opt_table help_tables[] = {{help_rows, 0}, {NULL, 0}};

static const ql_positional help_positionals[] = {
    {"[COMMAND]", "the command; without one, the program"},
    {NULL, NULL},
};

static const char *command_name_at(const void *ctx, int i)
{
    const ql_command *c = ((const ql_command *const *)ctx)[i];
    return c ? c->name : NULL;
}

static ql_status help_run(const void *args, ql_run *run)
{
    const help_args *a = args;
    const ql_command *command = NULL;
    ql_str text = {0};
    if (run->n_args) {
        command = ql_command_find(run->commands, run->args[0]);
        if (!command) {
            const char *near = ql_nearest(run->args[0], command_name_at, run->commands);
            ql_fail(&run->err, QL_EUSAGE, "unknown command '%s'", run->args[0]);
            return near ? ql_hint(&run->err, QL_EUSAGE, "did you mean '%s'?", near) : QL_EUSAGE;
        }
    }
    ql_status st = ql_help(run->commands, command, a->format, a->all, &text, &run->err);
    if (st == QL_OK) fputs(ql_str_text(&text), run->out);
    ql_str_free(&text);
    return st;
}

const ql_command ql_cmd_help = {
    .name = "help",
    .group = "About",
    .summary = "describe the program or a command",
    .positionals = help_positionals,
    .examples = {{"quell help info", "options and examples of a command"},
                 {"quell help info --format markdown", "the same as a page of a reference"}},
    .tables = help_tables,
    QL_ARGS(help_args),
    .bits = QL_CMD_PLAIN,
    .run = help_run,
};
