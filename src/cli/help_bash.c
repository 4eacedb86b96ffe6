/* Completion for bash: one script for the program, word lists from the rows. */
#include <string.h>

#include "help_internal.h"

static void put_options(const ql_opts *opts, ql_str *out)
{
    for (int i = 0; i < ql_opts_n(opts); i++) {
        const ql_option *row = ql_opts_row(opts, i);
        if (!ql_help_shows(row, true)) continue;
        ql_str_printf(out, " --%s", row->name);
        if (row->type == QL_OPT_FLAG && row->def && strcmp(row->def, "yes") == 0)
            ql_str_printf(out, " --no-%s", row->name);
    }
}

/* case arms of a command: after an option with choices, its choices. */
static void put_choices(const ql_command *command, const ql_opts *opts, ql_str *out)
{
    for (int i = 0; i < ql_opts_n(opts); i++) {
        const ql_option *row = ql_opts_row(opts, i);
        const char *name;
        if (row->type != QL_OPT_CHOICE || !ql_help_shows(row, true)) continue;
        ql_str_printf(out, "        %s:--%s) words='", command->name, row->name);
        for (int k = 0; (name = ql_opt_choice(row, k)); k++)
            ql_str_printf(out, "%s%s", k ? " " : "", name);
        ql_str_puts(out, "' ;;\n");
    }
}

/* Words that are no options: nothing, so that bash offers files, but for the names of commands. */
static void put_words(const ql_command *command, const ql_command *const *commands, ql_str *out)
{
    if (!ql_help_takes_command(command)) return;
    ql_str_puts(out, " *) words='");
    for (const ql_command *const *c = commands; *c; c++)
        ql_str_printf(out, "%s%s", c == commands ? "" : " ", (*c)->name);
    ql_str_puts(out, "' ;;");
}

static void put_command(const ql_command *command, const ql_command *const *commands, ql_str *out)
{
    ql_opts *opts;
    if (ql_command_opts(command, NULL, &opts, NULL) != QL_OK) {
        out->failed = true;
        return;
    }
    put_choices(command, opts, out);
    ql_str_printf(out, "        %s:*) case $cur in -*) words='", command->name);
    put_options(opts, out);
    ql_str_puts(out, "' ;;");
    put_words(command, commands, out);
    ql_str_puts(out, " esac ;;\n");
    ql_opts_free(opts);
}

static void bash_program(const ql_command *const *commands, ql_str *out)
{
    ql_str_puts(out, "_quell() {\n    local cur=${COMP_WORDS[COMP_CWORD]} words=''\n"
                     "    local prev=${COMP_WORDS[COMP_CWORD-1]}\n"
                     "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n        words='--help --version");
    for (const ql_command *const *c = commands; *c; c++) ql_str_printf(out, " %s", (*c)->name);
    ql_str_puts(out, "'\n    else\n        case ${COMP_WORDS[1]}:$prev in\n");
    for (const ql_command *const *c = commands; *c; c++) put_command(*c, commands, out);
    ql_str_puts(out, "        esac\n    fi\n"
                     "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
                     "}\ncomplete -o default -F _quell quell\n");
}

const ql_help_format ql_help_bash = {"bash", NULL, bash_program};
