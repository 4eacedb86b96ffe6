/* Completion for zsh: one function for the program and one per command, for _arguments to work on.
 */
#include <string.h>

#include "help_internal.h"

/* Text inside single quotes and, in _arguments, inside brackets or between colons. */
static void put_quoted(const char *text, const char *special, ql_str *out)
{
    for (; *text; text++) {
        if (*text == '\'') {
            ql_str_puts(out, "'\\''");
            continue;
        }
        if (strchr(special, *text)) ql_str_puts(out, "\\");
        ql_str_bytes(out, text, 1);
    }
}

/* What may follow an option: its choices, files, folders, or anything. */
static void put_action(const ql_option *row, ql_str *out)
{
    const char *unit = ql_opt_unit(row), *name;
    ql_str_puts(out, ":");
    put_quoted(unit, ":\\", out);
    ql_str_puts(out, ":");
    if (strcmp(unit, "FILE") == 0) ql_str_puts(out, "_files");
    if (strcmp(unit, "DIR") == 0) ql_str_puts(out, "_files -/");
    if (row->type != QL_OPT_CHOICE) return;
    ql_str_puts(out, "(");
    for (int i = 0; (name = ql_opt_choice(row, i)); i++)
        ql_str_printf(out, "%s%s", i ? " " : "", name);
    ql_str_puts(out, ")");
}

static void put_help(const ql_option *row, ql_str *out)
{
    ql_str_puts(out, "[");
    put_quoted(row->help, "[]\\", out);
    ql_str_puts(out, "]");
}

/* '(-e --epochs)'{-e+,--epochs=}'[help]:N:' or, without a letter, '--epochs=[help]:N:'. */
static void put_value_option(const ql_option *row, ql_str *out)
{
    if (row->letter)
        ql_str_printf(out, "'(-%c --%s)'{-%c+,--%s=}'", row->letter, row->name, row->letter,
                      row->name);
    else
        ql_str_printf(out, "'--%s=%s", row->name, row->bare ? "-" : "");
    put_help(row, out);
    if (row->bare) ql_str_puts(out, ":");
    put_action(row, out);
    ql_str_puts(out, "'");
}

static void put_flag(const ql_option *row, ql_str *out)
{
    bool on = row->def && strcmp(row->def, "yes") == 0;
    if (on)
        ql_str_printf(out, "'(--%s --no-%s)'{--%s,--no-%s}'", row->name, row->name, row->name,
                      row->name);
    else if (row->letter)
        ql_str_printf(out, "'(-%c --%s)'{-%c,--%s}'", row->letter, row->name, row->letter,
                      row->name);
    else
        ql_str_printf(out, "'--%s", row->name);
    put_help(row, out);
    ql_str_puts(out, "'");
}

static void put_option(const ql_option *row, ql_str *out)
{
    ql_str_puts(out, "        ");
    (row->type == QL_OPT_FLAG ? put_flag : put_value_option)(row, out);
    ql_str_puts(out, " \\\n");
}

/* Positionals are files, but for the names of commands. */
static void put_words(const ql_command *command, ql_str *out)
{
    const ql_positional *p = command->positionals;
    if (!p || !p->name)
        ql_str_puts(out, "        && return 0\n");
    else if (ql_help_takes_command(command))
        ql_str_puts(out, "        '1:command:_quell_commands' && return 0\n");
    else
        ql_str_puts(out, "        '*:input:_files' && return 0\n");
}

static void put_command(const ql_command *command, ql_str *out)
{
    ql_opts *opts;
    if (ql_command_opts(command, NULL, &opts, NULL) != QL_OK) {
        out->failed = true;
        return;
    }
    ql_str_printf(out, "_quell_%s() {\n    _arguments -s -S \\\n", command->name);
    for (int i = 0; i < ql_opts_n(opts); i++)
        if (ql_help_shows(ql_opts_row(opts, i), true)) put_option(ql_opts_row(opts, i), out);
    put_words(command, out);
    ql_str_puts(out, "}\n\n");
    ql_opts_free(opts);
}

static void put_command_list(const ql_command *const *commands, ql_str *out)
{
    ql_str_puts(out, "_quell_commands() {\n    local -a commands=(\n");
    for (; *commands; commands++) {
        ql_str_printf(out, "        '%s:", (*commands)->name);
        put_quoted((*commands)->summary, "\\", out);
        ql_str_puts(out, "'\n");
    }
    ql_str_puts(out, "    )\n    _describe -t commands command commands\n}\n\n");
}

static void zsh_program(const ql_command *const *commands, ql_str *out)
{
    ql_str_puts(out, "#compdef quell\n\n");
    put_command_list(commands, out);
    for (const ql_command *const *c = commands; *c; c++) put_command(*c, out);
    ql_str_puts(out, "_quell() {\n"
                     "    if (( CURRENT == 2 )); then\n"
                     "        _quell_commands\n"
                     "        compadd -- --help --version\n"
                     "        return\n"
                     "    fi\n"
                     "    local command=$words[2]\n"
                     "    shift words\n"
                     "    (( CURRENT-- ))\n"
                     "    if (( $+functions[_quell_$command] )); then\n"
                     "        _quell_$command\n"
                     "    else\n"
                     "        _files\n"
                     "    fi\n"
                     "}\n\n"
                     /* Found through fpath the file is the function; sourced it registers one. */
                     "if [[ $funcstack[1] == _quell ]]; then\n"
                     "    _quell \"$@\"\n"
                     "else\n"
                     "    compdef _quell quell\n"
                     "fi\n");
}

const ql_help_format ql_help_zsh = {"zsh", NULL, zsh_program};
