/* The reference of a command in markdown. */
#include <string.h>

#include "help_internal.h"

/* Text inside a table cell. */
static void put_cell(const char *text, ql_str *out)
{
    for (; *text; text++) {
        if (*text == '|' || *text == '<' || *text == '*' || *text == '_') ql_str_puts(out, "\\");
        ql_str_bytes(out, text, 1);
    }
}

/* A code span inside a table cell: a bar would end the cell there too. */
static void put_code(const char *text, ql_str *out)
{
    ql_str_puts(out, "`");
    for (; *text; text++) {
        if (*text == '|') ql_str_puts(out, "\\");
        ql_str_bytes(out, text, 1);
    }
    ql_str_puts(out, "`");
}

static void put_default(const ql_option *row, ql_str *out)
{
    const char *def = ql_opt_default_text(row);
    if (row->bits & QL_OPT_REQUIRED)
        ql_str_puts(out, "required");
    else if (row->def)
        put_code(row->def, out);
    else if (def)
        put_cell(def, out);
}

static void put_details(const ql_option *row, ql_str *out)
{
    ql_str text = {0};
    ql_help_facts(row, &text);
    put_cell(ql_str_text(&text), out);
    ql_str_puts(out, ".");
    if (row->more) {
        ql_str_puts(out, " ");
        put_cell(row->more, out);
    }
    if (row->aliases) ql_str_puts(out, " Also spelled");
    for (const char *at = row->aliases; at && *at;) {
        size_t n = strcspn(at, ",");
        bool negative = *at == '!';
        ql_str_printf(out, " `--%.*s`%s", (int)(n - negative), at + negative,
                      negative ? " (switches it off)" : "");
        at += n + (at[n] == ',');
        ql_str_puts(out, *at ? "," : ".");
    }
    ql_str_free(&text);
}

static void option(const ql_option *row, ql_str *out)
{
    ql_str spelling = {0};
    ql_help_spelling(row, &spelling);
    ql_str_puts(out, "| ");
    if (row->letter) ql_str_printf(out, "`-%c`, ", row->letter);
    put_code(ql_str_text(&spelling), out);
    ql_str_puts(out, " | ");
    ql_str_free(&spelling);
    put_default(row, out);
    ql_str_puts(out, " | ");
    put_cell(row->help, out);
    put_details(row, out);
    ql_str_puts(out, " |\n");
}

static void options(const ql_opts *opts, bool all, ql_str *out)
{
    const char *group = "";
    for (int i = 0; i < ql_opts_n(opts); i++) {
        const ql_option *row = ql_opts_row(opts, i);
        if (!ql_help_shows(row, all)) continue;
        if (strcmp(group, row->group) != 0)
            ql_str_printf(out, "\n### %s\n\n| option | default | meaning |\n|---|---|---|\n",
                          row->group);
        group = row->group;
        option(row, out);
    }
}

static void presets(const ql_command *command, ql_str *out)
{
    if (!command->presets) return;
    ql_str_puts(out, "\n### Settings of the presets\n\n| `--like` | | settings |\n|---|---|---|\n");
    for (const ql_preset *p = command->presets; p->name; p++) {
        ql_str_printf(out, "| `%s` | ", p->name);
        put_cell(p->summary, out);
        ql_str_puts(out, " |");
        for (const char *const *s = p->settings; *s; s++) ql_str_printf(out, " `%s`", *s);
        ql_str_puts(out, " |\n");
    }
}

static void markdown_command(const ql_command *command, const ql_opts *opts, bool all, ql_str *out)
{
    (void)all; /* a reference is complete */
    ql_str_printf(out, "## quell %s\n\n%s.\n\n```\n", command->name, command->summary);
    ql_help_usage(command, out);
    ql_str_puts(out, "\n```\n");
    for (const ql_positional *p = command->positionals; p && p->name; p++)
        ql_str_printf(out, "\n`%s`: %s.\n", p->name, p->help);
    for (int i = 0; i < 2; i++)
        ql_str_printf(out, "\n%s:\n\n```\n%s\n```\n", command->examples[i].text,
                      command->examples[i].line);
    options(opts, true, out);
    presets(command, out);
    if (command->more) ql_str_printf(out, "\n%s\n", command->more);
    ql_str_puts(out, "\n");
}

const ql_help_format ql_help_markdown = {"markdown", markdown_command, NULL};
