/* Resolved options as JSON, and as the config file that would give them again. */
#include <string.h>

#include "option_internal.h"
#include "quell/json.h"

typedef void put_json(ql_json *j, const char *key, const ql_option *row, const void *value);

static void json_flag(ql_json *j, const char *key, const ql_option *row, const void *value)
{
    (void)row;
    ql_json_bool(j, key, *(const bool *)value);
}

static void json_int(ql_json *j, const char *key, const ql_option *row, const void *value)
{
    ql_json_int(j, key, row->type == QL_OPT_INT ? *(const int *)value : *(const int64_t *)value);
}

static void json_double(ql_json *j, const char *key, const ql_option *row, const void *value)
{
    (void)row;
    ql_json_double(j, key, *(const double *)value);
}

static void json_text(ql_json *j, const char *key, const ql_option *row, const void *value)
{
    (void)row;
    ql_json_string(j, key, *(const char *const *)value);
}

static void json_ints(ql_json *j, const char *key, const ql_option *row, const void *value)
{
    const ql_int_list *list = value;
    (void)row;
    ql_json_begin_array(j, key);
    for (int i = 0; i < list->n; i++) ql_json_int(j, NULL, list->v[i]);
    ql_json_end_array(j);
}

static void json_doubles(ql_json *j, const char *key, const ql_option *row, const void *value)
{
    const ql_double_list *list = value;
    (void)row;
    ql_json_begin_array(j, key);
    for (int i = 0; i < list->n; i++) ql_json_double(j, NULL, list->v[i]);
    ql_json_end_array(j);
}

static put_json *const put[] = {
    [QL_OPT_FLAG] = json_flag,     [QL_OPT_INT] = json_int,     [QL_OPT_INT64] = json_int,
    [QL_OPT_DOUBLE] = json_double, [QL_OPT_STRING] = json_text, [QL_OPT_CHOICE] = json_text,
    [QL_OPT_BYTES] = json_int,     [QL_OPT_INTS] = json_ints,   [QL_OPT_DOUBLES] = json_doubles,
};

static void put_members(const ql_opts *o, bool (*wanted)(const ql_option *row), ql_json *j)
{
    for (int i = 0; i < o->n; i++) {
        const ql_opt_item *item = &o->items[i];
        const ql_option *row = item->row;
        if (row->bits & QL_OPT_META || !wanted(row)) continue;
        if (ql_opt_is_unset(row, item->value))
            ql_json_string(j, row->name, NULL);
        else
            put[row->type](j, row->name, row, item->value);
    }
}

static bool any_row(const ql_option *row)
{
    (void)row;
    return true;
}

static bool stored_row(const ql_option *row)
{
    return !(row->bits & QL_OPT_VOLATILE);
}

void ql_options_members(const ql_opts *o, bool with_volatile, ql_json *j)
{
    put_members(o, with_volatile ? any_row : stored_row, j);
}

void ql_options_json_of(const ql_opts *o, bool (*wanted)(const ql_option *row), ql_str *out)
{
    ql_json j = {.out = out};
    ql_json_begin_object(&j, NULL);
    put_members(o, wanted, &j);
    ql_json_end_object(&j);
}

void ql_options_json(const ql_opts *o, bool with_volatile, ql_str *out)
{
    ql_options_json_of(o, with_volatile ? any_row : stored_row, out);
}

/* What the reader of config files takes off the ends of a value. */
#define SPACES " \t\n\v\f\r"

/* As a config file reads it back, whatever its bytes are: JSON proper would replace those that are
 * no UTF-8, and a path may hold them. */
static void put_quoted(const char *text, ql_str *out)
{
    static const char from[] = "\"\\\n\r", to[] = "\"\\nr";
    ql_str_puts(out, "\"");
    for (; *text; text++) {
        const char *special = strchr(from, *text);
        if (special) ql_str_puts(out, "\\");
        ql_str_bytes(out, special ? &to[special - from] : text, 1);
    }
    ql_str_puts(out, "\"");
}

/* Quotes keep text that would otherwise lose spaces or be read as a quoted string. */
static void put_value(const ql_opt_item *item, ql_str *out)
{
    const char *text = item->row->type == QL_OPT_STRING ? *(const char *const *)item->value : "";
    size_t n = strlen(text);
    bool edge = n && (strchr(SPACES "\"", text[0]) || strchr(SPACES, text[n - 1]));
    if (edge || strpbrk(text, "\n\r"))
        put_quoted(text, out);
    else
        ql_opt_format(item->row, item->value, out);
}

void ql_options_config(const ql_opts *o, ql_str *out)
{
    const char *group = "";
    for (int i = 0; i < o->n; i++) {
        const ql_opt_item *item = &o->items[i];
        const ql_option *row = item->row;
        if (row->bits & QL_OPT_META) continue;
        if (strcmp(group, row->group) != 0)
            ql_str_printf(out, "%s# %s\n", *group ? "\n" : "", row->group);
        group = row->group;
        bool absent = row->type == QL_OPT_STRING && ql_opt_is_unset(row, item->value);
        if (absent) {
            ql_str_printf(out, "# %s =\n", row->name);
            continue;
        }
        ql_str_printf(out, "%s = ", row->name);
        put_value(item, out);
        ql_str_puts(out, "\n");
    }
}

void ql_options_text(const ql_opts *o, ql_str *out)
{
    for (int i = 0; i < o->n; i++) {
        const ql_opt_item *item = &o->items[i];
        const ql_option *row = item->row;
        if (row->bits & (QL_OPT_META | QL_OPT_VOLATILE)) continue;
        if (ql_opt_is_unset(row, item->value)) continue;
        ql_str_printf(out, "%s = ", row->name);
        put_value(item, out);
        ql_str_puts(out, "\n");
    }
}
