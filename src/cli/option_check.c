/* Mistakes in option tables, found by a unit test rather than by a user. */
#include <ctype.h>
#include <math.h>
#include <string.h>

#include "option_internal.h"

enum { HELP_COLUMNS = 60 };

typedef struct {
    const ql_opts *opts;
    ql_str *out;
    int n;
} checker;

static void problem(checker *c, const ql_option *row, const char *what)
{
    ql_str_printf(c->out, "--%s: %s\n", row->name, what);
    c->n++;
}

static bool good_name(const char *name)
{
    size_t n = strlen(name);
    bool chars = n == strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return n >= 2 && chars && islower((unsigned char)name[0]) && name[n - 1] != '-';
}

static void check_name(checker *c, const ql_option *row)
{
    if (!good_name(row->name)) problem(c, row, "a name is lower-case words joined by '-'");
    if (strncmp(row->name, "no-", 3) == 0) problem(c, row, "'no-' is how flags are negated");
    if (row->letter && !isalnum((unsigned char)row->letter)) problem(c, row, "bad letter");
}

/* First character may be a capital only where the word is written so ("UMI"). */
static void check_help(checker *c, const ql_option *row)
{
    if (!row->help || !*row->help) {
        problem(c, row, "no help");
        return;
    }
    size_t n = strlen(row->help);
    if (n > HELP_COLUMNS) problem(c, row, "help is longer than 60 columns");
    if (row->help[n - 1] == '.') problem(c, row, "help ends in a full stop");
    if (isupper((unsigned char)row->help[0]) && islower((unsigned char)row->help[1]))
        problem(c, row, "help begins with a capital");
}

static void check_choices(checker *c, const ql_option *row)
{
    bool given = row->choices || row->choice_at;
    if (row->type == QL_OPT_CHOICE && !(given && ql_opt_choice(row, 0)))
        problem(c, row, "a choice without choices");
    if (row->type != QL_OPT_CHOICE && given) problem(c, row, "choices on another type");
    if (row->choices && row->choice_at) problem(c, row, "two lists of choices");
}

static bool numeric(const ql_option *row)
{
    return row->type != QL_OPT_FLAG && row->type != QL_OPT_STRING && row->type != QL_OPT_CHOICE;
}

static void check_bounds(checker *c, const ql_option *row)
{
    if (isnan(row->min) || isnan(row->max) || row->min > row->max)
        problem(c, row, "min exceeds max");
    bool bounded = row->min != 0 || row->max != 0;
    if (bounded && !numeric(row)) problem(c, row, "bounds on something that is no number");
    bool whole = row->type == QL_OPT_INT || row->type == QL_OPT_INT64 || row->type == QL_OPT_BYTES;
    if (whole && !row->def && row->min <= 0)
        problem(c, row, "0 means unset, so an option without a default needs min > 0");
}

static void check_default(checker *c, const ql_option *row)
{
    union {
        bool b;
        int i;
        int64_t l;
        double d;
        const char *s;
        ql_int_list ints;
        ql_double_list doubles;
    } value;
    ql_err err = {0};
    if (row->def && ql_opt_set(row, row->def, &value, &err) != QL_OK) {
        ql_str_printf(c->out, "--%s: default %s\n", row->name, err.msg);
        c->n++;
    }
    if (row->def && row->unset) problem(c, row, "has a default and a text for being unset");
    if (row->def && row->bits & QL_OPT_REQUIRED) problem(c, row, "is required and has a default");
    if (!row->def && !row->unset && numeric(row) && !(row->bits & QL_OPT_REQUIRED))
        problem(c, row, "no default, and no text that says what happens then");
}

/* The name [name, len) must lead to this item and no other. */
static void check_spelling(checker *c, int item, const char *name, size_t len)
{
    bool clear;
    const ql_option *row = c->opts->items[item].row;
    int first = ql_opts_find(c->opts, name, len, &clear);
    if (first == item) return;
    ql_str_printf(c->out, "--%s: '%.*s' is taken by --%s\n", row->name, (int)len, name,
                  first >= 0 ? c->opts->items[first].row->name : "?");
    c->n++;
}

static void check_unique(checker *c, int item)
{
    const ql_option *row = c->opts->items[item].row;
    check_spelling(c, item, row->name, strlen(row->name));
    for (const char *at = row->aliases; at && *at;) {
        size_t n = strcspn(at, ",");
        bool negative = *at == '!';
        if (negative && row->type != QL_OPT_FLAG) problem(c, row, "'!' alias on no flag");
        check_spelling(c, item, at + negative, n - negative);
        at += n + (at[n] == ',');
    }
    if (row->letter && ql_opts_find_letter(c->opts, row->letter) != item)
        problem(c, row, "its letter is taken");
}

static void check_row(checker *c, int item)
{
    const ql_option *row = c->opts->items[item].row;
    check_name(c, row);
    check_help(c, row);
    check_choices(c, row);
    check_bounds(c, row);
    check_default(c, row);
    check_unique(c, item);
    if (!*row->group) problem(c, row, "no group");
}

static void check_setting(checker *c, const ql_preset *preset, const char *setting)
{
    size_t len;
    const char *value;
    bool clear;
    ql_double_list room = {0}; /* the largest type of value */
    ql_err err = {0};
    bool split = ql_preset_split(setting, &len, &value);
    int item = split ? ql_opts_find(c->opts, setting, len, &clear) : -1;
    if (item < 0)
        ql_str_printf(c->out, "preset %s: '%s' names no option\n", preset->name, setting);
    else if (ql_opt_set(c->opts->items[item].row, value, &room, &err) != QL_OK)
        ql_str_printf(c->out, "preset %s: '%s': %s\n", preset->name, setting, err.msg);
    else
        return;
    c->n++;
}

/* Sorting into groups needs a group in every row, so that is looked at first. */
static int check_groups(const ql_opt_table *tables, ql_str *out)
{
    int n = 0;
    for (const ql_opt_table *t = tables; t->rows; t++)
        for (const ql_option *row = t->rows; row->name; row++) {
            if (row->group) continue;
            ql_str_printf(out, "--%s: no group\n", row->name);
            n++;
        }
    return n;
}

int ql_options_selfcheck(const ql_opt_table *tables, const ql_preset *presets, ql_str *out)
{
    checker c = {.out = out};
    ql_opts *opts;
    ql_err err = {0};
    int n = check_groups(tables, out);
    if (n) return n;
    if (ql_opts_new(tables, presets, NULL, &opts, &err) != QL_OK) {
        ql_str_printf(out, "%s\n", err.msg);
        return 1;
    }
    c.opts = opts;
    for (int i = 0; i < opts->n; i++) check_row(&c, i);
    for (const ql_preset *p = presets; p && p->name; p++) {
        if (!p->summary) ql_str_printf(out, "preset %s: no summary\n", p->name), c.n++;
        for (const char *const *s = p->settings; *s; s++) check_setting(&c, p, *s);
    }
    ql_opts_free(opts);
    return c.n;
}
