/* Man pages: quell-COMMAND.1, and quell.1 for the program. No date, so that pages are reproducible.
 */
#include <ctype.h>
#include <string.h>

#include "help_internal.h"

/* roff text: a dash is a minus sign, a line must not begin like a request. */
static void put(const char *text, ql_str *out)
{
    bool line_start = true;
    for (; *text; text++) {
        if (line_start && (*text == '.' || *text == '\'')) ql_str_puts(out, "\\&");
        if (*text == '\\')
            ql_str_puts(out, "\\e");
        else if (*text == '-')
            ql_str_puts(out, "\\-");
        else
            ql_str_bytes(out, text, 1);
        line_start = *text == '\n';
    }
}

static void heading(const char *name, ql_str *out)
{
    ql_str_puts(out, ".TH QUELL");
    if (name) ql_str_puts(out, "\\-");
    for (const char *c = name; c && *c; c++) {
        char up = (char)toupper((unsigned char)*c);
        ql_str_bytes(out, &up, 1);
    }
    ql_str_puts(out, " 1 \"\" \"quell " QL_VERSION "\" \"User Commands\"\n.SH NAME\nquell");
    if (name) ql_str_printf(out, "\\-%s", name);
    ql_str_puts(out, " \\- ");
}

static void entry(const char *head, const char *text, ql_str *out)
{
    ql_str_puts(out, ".TP\n.B ");
    put(head, out);
    ql_str_puts(out, "\n");
    put(text, out);
    ql_str_puts(out, "\n");
}

static void option_facts(const ql_option *row, ql_str *text)
{
    ql_str facts = {0};
    const char *def = ql_opt_default_text(row);
    ql_help_facts(row, &facts);
    ql_str_printf(text, "%s%s", row->help, ql_str_text(&facts));
    ql_str_puts(text, ".");
    if (row->bits & QL_OPT_REQUIRED)
        ql_str_puts(text, " Required.");
    else if (def && row->type != QL_OPT_FLAG)
        ql_str_printf(text, " Default: %s.", def);
    else if (def && strcmp(def, "yes") == 0)
        ql_str_puts(text, " On by default.");
    if (row->more) ql_str_printf(text, "\n%s", row->more);
    ql_str_free(&facts);
}

static void option(const ql_option *row, ql_str *out)
{
    ql_str head = {0}, text = {0};
    if (row->letter) ql_str_printf(&head, "-%c, ", row->letter);
    ql_help_spelling(row, &head);
    option_facts(row, &text);
    entry(ql_str_text(&head), ql_str_text(&text), out);
    ql_str_free(&head);
    ql_str_free(&text);
}

static void options(const ql_command *command, const ql_opts *opts, ql_str *out)
{
    const char *group = "";
    ql_str_puts(out, ".SH OPTIONS\n");
    for (int i = 0; i < ql_opts_n(opts); i++) {
        const ql_option *row = ql_opts_row(opts, i);
        if (!ql_help_shows(row, true)) continue;
        if (strcmp(group, row->group) != 0) ql_str_printf(out, ".SS %s\n", row->group);
        group = row->group;
        option(row, out);
    }
    if (!command->presets) return;
    ql_str_puts(out, ".SH PRESETS\n");
    for (const ql_preset *p = command->presets; p->name; p++) {
        ql_str text = {0};
        ql_str_printf(&text, "%s:", p->summary);
        for (const char *const *s = p->settings; *s; s++) ql_str_printf(&text, " --%s", *s);
        entry(p->name, ql_str_text(&text), out);
        ql_str_free(&text);
    }
}

static void examples(const ql_command *command, ql_str *out)
{
    ql_str_puts(out, ".SH EXAMPLES\n");
    for (int i = 0; i < 2; i++) {
        put(command->examples[i].text, out);
        ql_str_puts(out, ":\n.PP\n.nf\n.RS\n");
        put(command->examples[i].line, out);
        ql_str_puts(out, "\n.RE\n.fi\n.PP\n");
    }
}

static void exit_status(ql_str *out)
{
    ql_str_puts(out, ".SH EXIT STATUS\n");
#define X(name, code, text) ql_str_printf(out, ".TP\n.B %d\n%s\n", code, text);
    QL_STATUS_MAP(X)
#undef X
}

static void environment(ql_str *out)
{
    ql_str_puts(out,
                ".SH ENVIRONMENT\nEvery option can be set by a variable: QUELL_ and its name in "
                "capitals, with _ for \\-. The command line wins over the environment, which wins "
                "over a config file.\n");
}

static void man_command(const ql_command *command, const ql_opts *opts, bool all, ql_str *out)
{
    (void)all; /* a reference is complete */
    heading(command->name, out);
    put(command->summary, out);
    ql_str_puts(out, "\n.SH SYNOPSIS\n");
    ql_help_usage(command, out);
    ql_str_puts(out, "\n.SH DESCRIPTION\n");
    put(command->more ? command->more : command->summary, out);
    ql_str_puts(out, "\n");
    for (const ql_positional *p = command->positionals; p && p->name; p++)
        entry(p->name, p->help, out);
    examples(command, out);
    options(command, opts, out);
    environment(out);
    exit_status(out);
    ql_str_puts(out, ".SH SEE ALSO\nquell(1)\n");
}

static void see_also(const ql_command *const *commands, ql_str *out)
{
    ql_str_puts(out, ".SH SEE ALSO\n");
    for (const ql_command *const *c = commands; *c; c++)
        ql_str_printf(out, "%squell\\-%s(1)", c == commands ? "" : ",\n", (*c)->name);
    ql_str_puts(out, "\n");
}

static void man_program(const ql_command *const *commands, ql_str *out)
{
    heading(NULL, out);
    put(strchr(ql_help_about, '-') + 2, out);
    ql_str_puts(out, "\n.SH SYNOPSIS\nquell COMMAND [OPTIONS] ...\n.SH COMMANDS\n");
    for (const ql_command *const *c = commands; *c; c++) entry((*c)->name, (*c)->summary, out);
    environment(out);
    exit_status(out);
    see_also(commands, out);
}

const ql_help_format ql_help_man = {"man", man_command, man_program};
