/* Command rows: look-up, their options, the rules their positionals and examples must follow. */
#include "quell/command.h"

#include <string.h>

#include "command_internal.h"

enum { SUMMARY_COLUMNS = 60, MAX_TABLES = 16 };

const ql_command *ql_command_find(const ql_command *const *commands, const char *name)
{
    for (; *commands; commands++)
        if (strcmp((*commands)->name, name) == 0) return *commands;
    return NULL;
}

/* The command's own tables, then the common ones. */
static ql_status merge(const ql_command *command, ql_opt_table merged[MAX_TABLES + 4], ql_err *err)
{
    int n = 0;
    bool plain_command = command->bits & QL_CMD_PLAIN;
    for (const ql_opt_table *t = command->tables; t && t->rows; t++) {
        if (n == MAX_TABLES)
            return ql_fail(err, QL_EINTERNAL, "%s has over %d option tables", command->name,
                           MAX_TABLES);
        merged[n++] = *t;
    }
    if (!plain_command) {
        merged[n++] = (ql_opt_table){ql_run_rows, 0};
        merged[n++] = (ql_opt_table){ql_message_rows, 0};
    }
    merged[n++] = (ql_opt_table){ql_help_rows, 0};
    merged[n] = (ql_opt_table){NULL, 0};
    return QL_OK;
}

ql_status ql_command_opts(const ql_command *command, void *args, ql_opts **out, ql_err *err)
{
    ql_opt_table merged[MAX_TABLES + 4];
    QL_TRY(merge(command, merged, err));
    return ql_opts_new(merged, command->presets, args, out, err);
}

/* ---- positionals ---- */

ql_arity ql_positional_arity(const ql_positional *p)
{
    size_t n = strlen(p->name);
    bool optional = p->name[0] == '[';
    if (optional && n) n--;
    return (ql_arity){.optional = optional,
                      .many = n > 3 && strncmp(p->name + n - 3, "...", 3) == 0};
}

static const ql_positional *first_missing(const ql_positional *p, int n_given)
{
    for (int i = 0; p && p[i].name; i++)
        if (i >= n_given && !ql_positional_arity(&p[i]).optional) return &p[i];
    return NULL;
}

static int most_words(const ql_positional *p)
{
    int n = 0;
    for (; p && p[n].name; n++)
        if (ql_positional_arity(&p[n]).many) return -1;
    return n;
}

ql_status ql_command_check_words(const ql_command *command, const ql_opts *opts, ql_err *err)
{
    int n = ql_opts_n_positionals(opts);
    int most = most_words(command->positionals);
    const ql_positional *missing = first_missing(command->positionals, n);
    if (missing) {
        ql_fail(err, QL_EUSAGE, "%s is missing: %s", missing->name, missing->help);
        return ql_hint(err, QL_EUSAGE, "see 'quell %s --help'", command->name);
    }
    if (most >= 0 && n > most)
        return ql_fail(err, QL_EUSAGE, "unexpected argument '%s'", ql_opts_positional(opts, most));
    return QL_OK;
}

/* ---- the command line as text ---- */

static bool plain_word(const char *word)
{
    return *word && !word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                       "0123456789@%_+=:,./-")];
}

static void put_quoted(const char *word, ql_str *out)
{
    ql_str_puts(out, "'");
    for (; *word; word++) {
        if (*word == '\'')
            ql_str_puts(out, "'\\''");
        else
            ql_str_bytes(out, word, 1);
    }
    ql_str_puts(out, "'");
}

void ql_command_line(int argc, char *const *argv, ql_str *out)
{
    for (int i = 0; i < argc; i++) {
        if (i) ql_str_puts(out, " ");
        if (plain_word(argv[i]))
            ql_str_puts(out, argv[i]);
        else
            put_quoted(argv[i], out);
    }
}

/* ---- self-check ---- */

static int complain(const ql_command *command, const char *what, ql_str *out)
{
    ql_str_printf(out, "%s: %s\n", command->name, what);
    return 1;
}

static int check_examples(const ql_command *command, ql_str *out)
{
    int n = 0;
    for (int i = 0; i < 2; i++) {
        const ql_example *e = &command->examples[i];
        if (!e->line || !e->text)
            n += complain(command, "has fewer than two worked examples", out);
        else if (strncmp(e->line, "quell ", 6) != 0)
            n += complain(command, "an example begins with 'quell '", out);
    }
    return n;
}

static int check_positionals(const ql_command *command, ql_str *out)
{
    int n = 0;
    for (const ql_positional *p = command->positionals; p && p->name; p++) {
        ql_arity arity = ql_positional_arity(p);
        if (!p->help) n += complain(command, "a positional without help", out);
        if (arity.many && p[1].name)
            n += complain(command, "only the last positional may repeat", out);
        if (arity.optional && p[1].name && !ql_positional_arity(p + 1).optional)
            n += complain(command, "an optional positional before a required one", out);
    }
    return n;
}

int ql_command_selfcheck(const ql_command *command, ql_str *out)
{
    ql_opt_table merged[MAX_TABLES + 4];
    ql_err err = {0};
    int n = 0;
    if (!command->run) n += complain(command, "no run()", out);
    if (!command->group) n += complain(command, "no group", out);
    if (command->args_size < sizeof(ql_common_args)) n += complain(command, "no QL_ARGS", out);
    if (!command->summary || strlen(command->summary) > SUMMARY_COLUMNS)
        n += complain(command, "summary is missing or longer than 60 columns", out);
    if (merge(command, merged, &err) != QL_OK) return n + complain(command, err.msg, out);
    n += check_examples(command, out) + check_positionals(command, out);
    return n + ql_options_selfcheck(merged, command->presets, out);
}
