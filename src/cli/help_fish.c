/* Completion for fish: one `complete` per command and per option of it. */
#include <string.h>

#include "help_internal.h"

/* Text inside single quotes. */
static void put_quoted(const char *text, ql_str *out)
{
    ql_str_puts(out, "'");
    for (; *text; text++) {
        if (*text == '\'' || *text == '\\') ql_str_puts(out, "\\");
        ql_str_bytes(out, text, 1);
    }
    ql_str_puts(out, "'");
}

static void begin(const char *command, ql_str *out)
{
    ql_str_printf(out, "complete -c quell -n '__quell_runs %s'", command);
}

static void end(const char *help, ql_str *out)
{
    ql_str_puts(out, " -d ");
    put_quoted(help, out);
    ql_str_puts(out, "\n");
}

static void put_choices(const ql_option *row, ql_str *out)
{
    const char *name;
    ql_str_puts(out, " -a '");
    for (int i = 0; (name = ql_opt_choice(row, i)); i++)
        ql_str_printf(out, "%s%s", i ? " " : "", name);
    ql_str_puts(out, "'");
}

/* -r: a value has to follow; -f: it is no file; -F: it is one even where words are not. */
static void put_value(const ql_option *row, ql_str *out)
{
    const char *unit = ql_opt_unit(row);
    if (row->type == QL_OPT_FLAG) return;
    if (strcmp(unit, "FILE") == 0) {
        ql_str_puts(out, " -r -F");
        return;
    }
    ql_str_puts(out, row->bare ? " -f" : " -r -f");
    if (row->type == QL_OPT_CHOICE) put_choices(row, out);
    if (strcmp(unit, "DIR") == 0) ql_str_puts(out, " -a '(__fish_complete_directories)'");
}

static void put_option(const char *command, const ql_option *row, ql_str *out)
{
    begin(command, out);
    if (row->letter) ql_str_printf(out, " -s %c", row->letter);
    ql_str_printf(out, " -l %s", row->name);
    put_value(row, out);
    end(row->help, out);
    if (row->type != QL_OPT_FLAG || !row->def || strcmp(row->def, "yes") != 0) return;
    begin(command, out);
    ql_str_printf(out, " -l no-%s", row->name);
    end(row->help, out);
}

/* The arguments by position; without a line of this kind fish offers files. */
static void put_words(const ql_command *command, const ql_command *const *commands, ql_str *out)
{
    if (command->positionals && command->positionals->name && !ql_help_takes_command(command))
        return;
    begin(command->name, out);
    ql_str_puts(out, " -f");
    if (ql_help_takes_command(command)) {
        ql_str_puts(out, " -a '");
        for (const ql_command *const *c = commands; *c; c++)
            ql_str_printf(out, "%s%s", c == commands ? "" : " ", (*c)->name);
        ql_str_puts(out, "'");
    }
    ql_str_puts(out, "\n");
}

static void put_command(const ql_command *command, const ql_command *const *commands, ql_str *out)
{
    ql_opts *opts;
    if (ql_command_opts(command, NULL, &opts, NULL) != QL_OK) {
        out->failed = true;
        return;
    }
    put_words(command, commands, out);
    for (int i = 0; i < ql_opts_n(opts); i++)
        if (ql_help_shows(ql_opts_row(opts, i), true))
            put_option(command->name, ql_opts_row(opts, i), out);
    ql_opts_free(opts);
}

static void fish_program(const ql_command *const *commands, ql_str *out)
{
    ql_str_puts(out, "function __quell_runs\n"
                     "    set -l words (commandline -opc)\n"
                     "    test (count $words) -ge 2; and test $words[2] = $argv[1]\n"
                     "end\n\n"
                     "function __quell_begins\n"
                     "    test (count (commandline -opc)) -eq 1\n"
                     "end\n\n"
                     "complete -c quell -n __quell_begins -f -l help -d 'describe the program'\n"
                     "complete -c quell -n __quell_begins -f -l version -d 'print the version'\n");
    for (const ql_command *const *c = commands; *c; c++) {
        ql_str_printf(out, "complete -c quell -n __quell_begins -f -a %s", (*c)->name);
        end((*c)->summary, out);
    }
    for (const ql_command *const *c = commands; *c; c++) {
        ql_str_puts(out, "\n");
        put_command(*c, commands, out);
    }
}

const ql_help_format ql_help_fish = {"fish", NULL, fish_program};
