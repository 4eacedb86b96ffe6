/* A set of options: tables merged, values at their defaults, look-up by name. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "option_internal.h"
#include "quell/alloc.h"

static int count_rows(const ql_opt_table *tables)
{
    int n = 0;
    for (const ql_opt_table *t = tables; t->rows; t++)
        for (const ql_option *row = t->rows; row->name; row++) n++;
    return n;
}

static int count_presets(const ql_preset *presets)
{
    int n = 0;
    while (presets && presets[n].name) n++;
    return n;
}

static void collect(ql_opts *o, const ql_opt_table *tables, char *args)
{
    for (const ql_opt_table *t = tables; t->rows; t++)
        for (const ql_option *row = t->rows; row->name; row++)
            o->items[o->n++] =
                (ql_opt_item){row, args ? args + t->base + row->offset : NULL, QL_SRC_DEFAULT};
}

static ql_status add_like(ql_opts *o, ql_err *err)
{
    int n = count_presets(o->presets);
    if (n == 0) return QL_OK;
    QL_TRY(QL_NEW(o->like_names, n + 1, "the option table", err));
    for (int i = 0; i < n; i++) o->like_names[i] = o->presets[i].name;
    o->like_row = (ql_option){.name = "like",
                              .type = QL_OPT_CHOICE,
                              .choices = o->like_names,
                              .unset = "own defaults",
                              .group = "Presets",
                              .help = "start from the settings of a reference method"};
    o->items[o->n++] = (ql_opt_item){&o->like_row, &o->like, QL_SRC_DEFAULT};
    return QL_OK;
}

/* Rows of one group may come from several tables: bring them together, groups by first appearance.
 */
static ql_status group_items(ql_opts *o, ql_err *err)
{
    ql_opt_item *sorted;
    int n = 0;
    QL_TRY(QL_NEW(sorted, o->n, "the option table", err));
    for (int i = 0; i < o->n; i++) {
        if (!o->items[i].row) continue;
        const char *group = o->items[i].row->group;
        for (int j = i; j < o->n; j++) {
            if (!o->items[j].row || strcmp(o->items[j].row->group, group) != 0) continue;
            sorted[n++] = o->items[j];
            if (j > i) o->items[j].row = NULL;
        }
    }
    ql_free(o->items);
    o->items = sorted;
    return QL_OK;
}

static ql_status set_defaults(ql_opts *o, ql_err *err)
{
    for (int i = 0; i < o->n; i++) {
        const ql_opt_item *item = &o->items[i];
        if (!item->value || ql_opt_set(item->row, item->row->def, item->value, err) == QL_OK)
            continue;
        return ql_context(err, QL_EINTERNAL, "default of --%s", item->row->name);
    }
    return QL_OK;
}

ql_status ql_opts_new(const ql_opt_table *tables, const ql_preset *presets, void *args,
                      ql_opts **out, ql_err *err)
{
    ql_opts *o;
    ql_status st = QL_OK;
    QL_TRY(QL_NEW(o, 1, "the option table", err));
    o->presets = presets;
    QL_GO(QL_NEW(o->items, count_rows(tables) + 1, "the option table", err));
    QL_GO(add_like(o, err));
    collect(o, tables, args);
    QL_GO(group_items(o, err));
    QL_GO(set_defaults(o, err));
    *out = o;
    return QL_OK;
out:
    ql_opts_free(o);
    return st;
}

void ql_opts_free(ql_opts *o)
{
    if (!o) return;
    for (int i = 0; i < o->n_kept; i++) ql_free(o->kept[i]);
    ql_free(o->kept);
    ql_free(o->positionals);
    ql_free(o->settings);
    ql_free(o->like_names);
    ql_free(o->items);
    ql_free(o);
}

/* ---- look-up ---- */

static bool word_is(const char *word, const char *name, size_t len)
{
    return strncmp(word, name, len) == 0 && word[len] == '\0';
}

/* *clear is toggled by an alias with '!'. */
static bool alias_is(const ql_option *row, const char *name, size_t len, bool *clear)
{
    for (const char *at = row->aliases; at && *at;) {
        size_t n = strcspn(at, ",");
        bool negative = *at == '!';
        if (n - negative == len && strncmp(at + negative, name, len) == 0) {
            if (negative) *clear = !*clear;
            return true;
        }
        at += n + (at[n] == ',');
    }
    return false;
}

static int find_spelling(const ql_opts *o, const char *name, size_t len, bool *clear)
{
    for (int i = 0; i < o->n; i++)
        if (word_is(o->items[i].row->name, name, len) ||
            alias_is(o->items[i].row, name, len, clear))
            return i;
    return -1;
}

int ql_opts_find(const ql_opts *o, const char *name, size_t len, bool *clear)
{
    *clear = false;
    int i = find_spelling(o, name, len, clear);
    if (i >= 0 || len < 4 || strncmp(name, "no-", 3) != 0) return i;
    *clear = true;
    i = find_spelling(o, name + 3, len - 3, clear);
    return i >= 0 && o->items[i].row->type == QL_OPT_FLAG ? i : -1;
}

int ql_opts_find_letter(const ql_opts *o, char letter)
{
    for (int i = 0; i < o->n; i++)
        if (letter && o->items[i].row->letter == letter) return i;
    return -1;
}

const char *ql_opts_name_at(const void *ctx, int i)
{
    const ql_opts *o = ctx;
    return i < o->n ? o->items[i].row->name : NULL;
}

int ql_opts_n(const ql_opts *o)
{
    return o->n;
}

const ql_option *ql_opts_row(const ql_opts *o, int i)
{
    return o->items[i].row;
}

int ql_opts_n_positionals(const ql_opts *o)
{
    return o->n_positionals;
}

const char *ql_opts_positional(const ql_opts *o, int i)
{
    return o->positionals[i];
}

bool ql_opts_help_wanted(const ql_opts *o)
{
    return o->help;
}

ql_opt_source ql_opts_source(const ql_opts *o, const char *name)
{
    bool clear;
    int i = ql_opts_find(o, name, strlen(name), &clear);
    return i >= 0 ? o->items[i].source : QL_SRC_DEFAULT;
}

const char *ql_opt_source_text(ql_opt_source source)
{
    static const char *const text[] = {"default", "preset", "config file", "environment",
                                       "command line"};
    return text[source];
}

/* ---- strings and settings that live with the set ---- */

static ql_status keep_block(ql_opts *o, char *block, ql_err *err)
{
    if (o->n_kept == o->cap_kept) {
        int cap = o->cap_kept ? 2 * o->cap_kept : 32;
        char **grown = ql_realloc(o->kept, cap, sizeof *grown);
        if (!grown) return ql_fail(err, QL_EMEMORY, "no memory for the options");
        o->kept = grown;
        o->cap_kept = cap;
    }
    o->kept[o->n_kept++] = block;
    return QL_OK;
}

ql_status ql_opts_keep(ql_opts *o, const char *text, const char **out, ql_err *err)
{
    char *copy;
    size_t size = strlen(text) + 1;
    QL_TRY(QL_NEW(copy, (int64_t)size, "an option", err));
    memcpy(copy, text, size);
    ql_status st = keep_block(o, copy, err);
    if (st != QL_OK)
        ql_free(copy);
    else
        *out = copy;
    return st;
}

ql_status ql_opts_keepf(ql_opts *o, const char **out, ql_err *err, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return ql_opts_keep(o, text, out, err);
}

ql_status ql_opts_note(ql_opts *o, ql_opt_setting setting, ql_err *err)
{
    if (o->n_settings == o->cap_settings) {
        int cap = o->cap_settings ? 2 * o->cap_settings : 32;
        ql_opt_setting *grown = ql_realloc(o->settings, cap, sizeof *grown);
        if (!grown) return ql_fail(err, QL_EMEMORY, "no memory for the options");
        o->settings = grown;
        o->cap_settings = cap;
    }
    o->settings[o->n_settings++] = setting;
    return QL_OK;
}
