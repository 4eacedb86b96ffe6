/* --help: 80 columns, examples first, options by group. */
#include <string.h>

#include "help_internal.h"

enum { WIDTH = 80, LEFT = 27 };

/* Append text from column `at`, wrapped so that further lines begin at column `indent`. */
static void wrap(const char *text, size_t at, size_t indent, ql_str *out)
{
    bool first = true;
    while (*text) {
        text += strspn(text, " ");
        size_t n = strcspn(text, " ");
        if (n == 0) break;
        if (!first && at + 1 + n > WIDTH) {
            ql_str_printf(out, "\n%*s", (int)indent, "");
            at = indent;
        } else if (!first) {
            ql_str_puts(out, " ");
            at++;
        }
        ql_str_bytes(out, text, n);
        at += n;
        text += n;
        first = false;
    }
    ql_str_puts(out, "\n");
}

/* left in the left column (or on a line of its own if it is too wide), text beside it. */
static void two_columns(const char *left, const char *text, size_t column, ql_str *out)
{
    size_t n = strlen(left);
    if (n + 2 > column)
        ql_str_printf(out, "%s\n%*s", left, (int)column, "");
    else
        ql_str_printf(out, "%-*s", (int)column, left);
    wrap(text, column, column, out);
}

static void option_text(const ql_option *row, ql_str *out)
{
    const char *def = ql_opt_default_text(row);
    ql_str_puts(out, row->help);
    if (row->type == QL_OPT_CHOICE) ql_str_puts(out, ": ");
    ql_help_choices(row, out);
    if (row->bits & QL_OPT_REQUIRED)
        ql_str_puts(out, " (required)");
    else if (def && !(row->type == QL_OPT_FLAG && strcmp(def, "no") == 0))
        ql_str_printf(out, " (default: %s)", def);
}

static void option(const ql_option *row, ql_str *out)
{
    ql_str left = {0}, text = {0};
    if (row->letter)
        ql_str_printf(&left, "  -%c, ", row->letter);
    else
        ql_str_puts(&left, "      ");
    ql_help_spelling(row, &left);
    option_text(row, &text);
    two_columns(ql_str_text(&left), ql_str_text(&text), LEFT, out);
    ql_str_free(&left);
    ql_str_free(&text);
}

static void preset_list(const ql_preset *presets, ql_str *out)
{
    for (const ql_preset *p = presets; p && p->name; p++) {
        ql_str left = {0};
        ql_str_printf(&left, "        %s", p->name);
        two_columns(ql_str_text(&left), p->summary, LEFT, out);
        ql_str_free(&left);
    }
}

static void options(const ql_command *command, const ql_opts *opts, bool all, ql_str *out)
{
    const char *group = "";
    int n_expert = 0;
    for (int i = 0; i < ql_opts_n(opts); i++) {
        const ql_option *row = ql_opts_row(opts, i);
        n_expert += row->level == QL_OPT_EXPERT && !all;
        if (!ql_help_shows(row, all)) continue;
        if (strcmp(group, row->group) != 0) ql_str_printf(out, "\n%s:\n", row->group);
        group = row->group;
        option(row, out);
        if (strcmp(row->name, "like") == 0) preset_list(command->presets, out);
    }
    if (n_expert)
        ql_str_printf(out, "\n%d more option%s: quell help %s --all\n", n_expert,
                      n_expert == 1 ? "" : "s", command->name);
}

static void text_command(const ql_command *command, const ql_opts *opts, bool all, ql_str *out)
{
    ql_str_printf(out, "quell %s - %s\n\n", command->name, command->summary);
    for (int i = 0; i < 2; i++) {
        ql_str_printf(out, "  %s\n      ", command->examples[i].line);
        wrap(command->examples[i].text, 6, 6, out);
    }
    ql_str_puts(out, "\nUsage: ");
    ql_help_usage(command, out);
    ql_str_puts(out, "\n");
    for (const ql_positional *p = command->positionals; p && p->name; p++) {
        ql_str left = {0};
        ql_str_printf(&left, "  %s", p->name);
        two_columns(ql_str_text(&left), p->help, LEFT, out);
        ql_str_free(&left);
    }
    options(command, opts, all, out);
}

static void command_list(const ql_command *const *commands, ql_str *out)
{
    const char *group = "";
    for (; *commands; commands++) {
        const ql_command *c = *commands;
        if (strcmp(group, c->group) != 0)
            ql_str_printf(out, "%s%s:\n", *group ? "\n" : "", c->group);
        group = c->group;
        ql_str_printf(out, "  %-11s %s\n", c->name, c->summary);
    }
}

static void text_program(const ql_command *const *commands, ql_str *out)
{
    ql_str_printf(out, "%s\n\n", ql_help_about);
    ql_str_puts(out, "Usage: quell COMMAND [OPTIONS] ...\n\n");
    command_list(commands, out);
    ql_str_puts(out,
                "\n"
                "  quell COMMAND --help     options and examples of a command\n"
                "  quell --version          the version; `quell version` describes the build\n\n"
                "Exit codes:\n");
#define X(name, code, text) ql_str_printf(out, "  %-4d %s\n", code, text);
    QL_STATUS_MAP(X)
#undef X
}

void ql_help_short(const ql_command *const *commands, ql_str *out)
{
    ql_str_printf(out, "%s\n\nUsage: quell COMMAND [OPTIONS] ...\n\n", ql_help_about);
    command_list(commands, out);
    ql_str_puts(out, "\nquell COMMAND --help describes a command.\n");
}

const ql_help_format ql_help_text = {"text", text_command, text_program};
