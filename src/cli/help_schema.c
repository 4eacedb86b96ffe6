/* JSON schema (draft 2020-12) of the options of a command, one definition per group, as workflow
 * engines and form builders read it. What the standard has no word for is under "quell". */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "command_internal.h"
#include "help_internal.h"
#include "quell/json.h"

static const char *const json_type[] = {
    [QL_OPT_FLAG] = "boolean",  [QL_OPT_INT] = "integer",   [QL_OPT_INT64] = "integer",
    [QL_OPT_DOUBLE] = "number", [QL_OPT_STRING] = "string", [QL_OPT_CHOICE] = "string",
    [QL_OPT_BYTES] = "string",  [QL_OPT_INTS] = "string",   [QL_OPT_DOUBLES] = "string",
};

static bool is_number(const ql_option *row)
{
    return row->type == QL_OPT_INT || row->type == QL_OPT_INT64 || row->type == QL_OPT_DOUBLE;
}

static void put_default(ql_json *j, const ql_option *row)
{
    if (row->type == QL_OPT_FLAG)
        ql_json_bool(j, "default", row->def && strcmp(row->def, "yes") == 0);
    else if (!row->def)
        return;
    else if (row->type == QL_OPT_DOUBLE)
        ql_json_double(j, "default", strtod(row->def, NULL));
    else if (is_number(row))
        ql_json_int(j, "default", strtoll(row->def, NULL, 10));
    else
        ql_json_string(j, "default", row->def);
}

static void put_range(ql_json *j, const ql_option *row)
{
    const char *low = row->bits & QL_OPT_MIN_EXCLUDED ? "exclusiveMinimum" : "minimum";
    const char *high = row->bits & QL_OPT_MAX_EXCLUDED ? "exclusiveMaximum" : "maximum";
    if (!isinf(row->min)) ql_json_double(j, low, row->min);
    if (!isinf(row->max)) ql_json_double(j, high, row->max);
}

static void put_bounds(ql_json *j, const ql_option *row)
{
    if (is_number(row) && (row->min != 0 || row->max != 0)) put_range(j, row);
}

/* How a size and a list are written. */
static void put_pattern(ql_json *j, const ql_option *row)
{
    static const char *const pattern[] = {
        [QL_OPT_BYTES] = "^[0-9]+(\\.[0-9]*)?([KMGTkmgt]?([Ii]?[Bb])?)$",
        [QL_OPT_INTS] = "^(auto|-?[0-9]+(,-?[0-9]+)*)$",
        [QL_OPT_DOUBLES] = "^(auto|[-+.0-9eE]+(,[-+.0-9eE]+)*)$",
    };
    size_t n = sizeof pattern / sizeof *pattern, type = (size_t)row->type;
    if (type < n && pattern[type]) ql_json_string(j, "pattern", pattern[type]);
}

static void put_text_rules(ql_json *j, const ql_option *row)
{
    const char *unit = ql_opt_unit(row);
    if (row->type == QL_OPT_STRING && strcmp(unit, "FILE") == 0)
        ql_json_string(j, "format", "file-path");
    if (row->type == QL_OPT_STRING && strcmp(unit, "DIR") == 0)
        ql_json_string(j, "format", "directory-path");
    if (row->type != QL_OPT_CHOICE) return;
    const char *name;
    ql_json_begin_array(j, "enum");
    for (int i = 0; (name = ql_opt_choice(row, i)); i++) ql_json_string(j, NULL, name);
    ql_json_end_array(j);
}

/* The other spellings of a row: those that mean it, or those that switch it off. */
static void put_aliases(ql_json *j, const ql_option *row, bool negative)
{
    ql_str name = {0};
    ql_json_begin_array(j, negative ? "negative_aliases" : "aliases");
    for (const char *at = row->aliases; at && *at;) {
        size_t n = strcspn(at, ",");
        bool off = *at == '!';
        ql_str_clear(&name);
        ql_str_bytes(&name, at + off, n - off);
        if (off == negative) ql_json_string(j, NULL, ql_str_text(&name));
        at += n + (at[n] == ',');
    }
    ql_json_end_array(j);
    ql_str_free(&name);
}

/* Bounds that each item of a list, or a size, has to keep: no rule of the schema for a text. */
static void put_item_bounds(ql_json *j, const ql_option *row)
{
    if (is_number(row) || (row->min == 0 && row->max == 0)) return;
    ql_json_begin_object(j, "items");
    put_range(j, row);
    ql_json_end_object(j);
}

static void facts_of_quell(ql_json *j, const ql_option *row)
{
    char letter[2] = {row->letter, 0};
    ql_json_begin_object(j, "quell");
    ql_json_string(j, "group", row->group);
    if (row->letter) ql_json_string(j, "letter", letter);
    if (ql_opt_unit(row)) ql_json_string(j, "unit", ql_opt_unit(row));
    if (!row->def && row->unset) ql_json_string(j, "unset", row->unset);
    if (row->bare) ql_json_string(j, "bare", row->bare);
    put_item_bounds(j, row);
    put_aliases(j, row, false);
    put_aliases(j, row, true);
    ql_json_bool(j, "volatile", (row->bits & QL_OPT_VOLATILE) != 0);
    ql_json_bool(j, "expert", row->level == QL_OPT_EXPERT);
    ql_json_end_object(j);
}

static void property(ql_json *j, const ql_option *row)
{
    ql_json_begin_object(j, row->name);
    ql_json_string(j, "type", json_type[row->type]);
    put_default(j, row);
    ql_json_string(j, "description", row->help);
    if (row->more) ql_json_string(j, "help_text", row->more);
    put_text_rules(j, row);
    put_pattern(j, row);
    put_bounds(j, row);
    if (row->level == QL_OPT_EXPERT) ql_json_bool(j, "hidden", true);
    facts_of_quell(j, row);
    ql_json_end_object(j);
}

static bool in_group(const ql_option *row, const char *group)
{
    return ql_help_shows(row, true) && !(row->bits & QL_OPT_META) && strcmp(row->group, group) == 0;
}

static void required(ql_json *j, const ql_opts *opts, const char *group)
{
    bool any = false;
    for (int i = 0; i < ql_opts_n(opts); i++) {
        const ql_option *row = ql_opts_row(opts, i);
        if (!in_group(row, group) || !(row->bits & QL_OPT_REQUIRED)) continue;
        if (!any) ql_json_begin_array(j, "required");
        any = true;
        ql_json_string(j, NULL, row->name);
    }
    if (any) ql_json_end_array(j);
}

static void definition(ql_json *j, const ql_opts *opts, const char *group)
{
    ql_json_begin_object(j, group);
    ql_json_string(j, "title", group);
    ql_json_string(j, "type", "object");
    ql_json_begin_object(j, "properties");
    for (int i = 0; i < ql_opts_n(opts); i++)
        if (in_group(ql_opts_row(opts, i), group)) property(j, ql_opts_row(opts, i));
    ql_json_end_object(j);
    required(j, opts, group);
    ql_json_end_object(j);
}

/* The group of row i if row i is the first of it to be shown, else NULL. */
static const char *new_group(const ql_opts *opts, int i)
{
    const char *group = ql_opts_row(opts, i)->group;
    if (!in_group(ql_opts_row(opts, i), group)) return NULL;
    for (int k = 0; k < i; k++)
        if (in_group(ql_opts_row(opts, k), group)) return NULL;
    return group;
}

static void reference(ql_json *j, const char *group)
{
    ql_str path = {0};
    ql_str_printf(&path, "#/$defs/%s", group);
    ql_json_begin_object(j, NULL);
    ql_json_string(j, "$ref", ql_str_text(&path));
    ql_json_end_object(j);
    ql_str_free(&path);
}

/* What comes without a name, and the settings that have one. */
static void words_and_presets(ql_json *j, const ql_command *command)
{
    ql_json_begin_object(j, "quell");
    ql_json_begin_array(j, "positionals");
    for (const ql_positional *p = command->positionals; p && p->name; p++) {
        ql_arity arity = ql_positional_arity(p);
        ql_json_begin_object(j, NULL);
        ql_json_string(j, "name", p->name);
        ql_json_string(j, "description", p->help);
        ql_json_bool(j, "optional", arity.optional);
        ql_json_bool(j, "many", arity.many);
        ql_json_end_object(j);
    }
    ql_json_end_array(j);
    ql_json_begin_object(j, "presets");
    for (const ql_preset *p = command->presets; p && p->name; p++) {
        ql_json_begin_array(j, p->name);
        for (const char *const *s = p->settings; *s; s++) ql_json_string(j, NULL, *s);
        ql_json_end_array(j);
    }
    ql_json_end_object(j);
    ql_json_end_object(j);
}

static void schema_command(const ql_command *command, const ql_opts *opts, bool all, ql_str *out)
{
    ql_json j = {.out = out};
    ql_str title = {0};
    (void)all; /* expert options are marked hidden */
    ql_str_printf(&title, "quell %s", command->name);
    ql_json_begin_object(&j, NULL);
    ql_json_string(&j, "$schema", "https://json-schema.org/draft/2020-12/schema");
    ql_json_string(&j, "title", ql_str_text(&title));
    ql_json_string(&j, "description", command->summary);
    ql_json_string(&j, "type", "object");
    ql_json_begin_object(&j, "$defs");
    for (int i = 0; i < ql_opts_n(opts); i++)
        if (new_group(opts, i)) definition(&j, opts, new_group(opts, i));
    ql_json_end_object(&j);
    ql_json_begin_array(&j, "allOf");
    for (int i = 0; i < ql_opts_n(opts); i++)
        if (new_group(opts, i)) reference(&j, new_group(opts, i));
    ql_json_end_array(&j);
    ql_json_bool(&j, "unevaluatedProperties", false);
    words_and_presets(&j, command);
    ql_json_end_object(&j);
    ql_str_puts(out, "\n");
    ql_str_free(&title);
}

const ql_help_format ql_help_schema = {"json", schema_command, NULL};
