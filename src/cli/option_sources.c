/* Where values come from and which source wins: default < preset < config < environment < argv. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "option_internal.h"
#include "quell/alloc.h"

/* ---- environment ---- */

static bool variable_name(const char *option, char *out, size_t size)
{
    int n = snprintf(out, size, "QUELL_%s", option);
    for (char *c = out; *c; c++) *c = (char)(*c == '-' ? '_' : toupper((unsigned char)*c));
    return n > 0 && (size_t)n < size;
}

static bool from_environment(const ql_option *row)
{
    return !(row->bits & QL_OPT_META) || strcmp(row->name, "config") == 0;
}

static ql_status read_environment(ql_opts *o, char *(*env)(const char *), ql_err *err)
{
    for (int i = 0; i < o->n; i++) {
        char name[128];
        if (!from_environment(o->items[i].row)) continue;
        if (!variable_name(o->items[i].row->name, name, sizeof name)) continue;
        const char *text = env(name);
        if (!text || !*text) continue;
        ql_opt_setting s = {.item = i, .source = QL_SRC_ENV};
        QL_TRY(ql_opts_keep(o, text, &s.text, err));
        QL_TRY(ql_opts_keep(o, name, &s.label, err));
        QL_TRY(ql_opts_note(o, s, err));
    }
    return QL_OK;
}

/* ---- config file ---- */

typedef struct {
    ql_opts *opts;
    const char *path;
} config_ctx;

static ql_status config_key(void *ctx, const char *key, const char *value, int line, ql_err *err)
{
    const config_ctx *c = ctx;
    ql_opt_setting s = {.source = QL_SRC_CONFIG};
    s.item = ql_opts_find(c->opts, key, strlen(key), &s.clear);
    if (s.item < 0) {
        const char *near = ql_nearest(key, ql_opts_name_at, c->opts);
        ql_fail(err, QL_EUSAGE, "%s: line %d: unknown option '%.80s'", c->path, line, key);
        return near ? ql_hint(err, QL_EUSAGE, "did you mean '%s'?", near) : QL_EUSAGE;
    }
    const ql_option *row = c->opts->items[s.item].row;
    if (s.clear || row->bits & QL_OPT_META)
        return ql_fail(err, QL_EUSAGE, "%s: line %d: '%s' has no place in a config file", c->path,
                       line, key);
    QL_TRY(ql_opts_keepf(c->opts, &s.label, err, "%s: line %d: %s", c->path, line, row->name));
    QL_TRY(ql_opts_keep(c->opts, value, &s.text, err));
    return ql_opts_note(c->opts, s, err);
}

/* ---- the strongest setting of an option found so far ---- */

static const ql_opt_setting *strongest(const ql_opts *o, const char *name)
{
    const ql_opt_setting *best = NULL;
    for (int i = 0; i < o->n_settings; i++) {
        const ql_opt_setting *s = &o->settings[i];
        if (strcmp(o->items[s->item].row->name, name) != 0) continue;
        if (!best || s->source >= best->source) best = s;
    }
    return best;
}

static ql_status read_config(ql_opts *o, ql_err *err)
{
    const ql_opt_setting *s = strongest(o, "config");
    if (!s) return QL_OK;
    config_ctx ctx = {o, s->text};
    return ql_config_read(s->text, config_key, &ctx, err);
}

/* ---- preset ---- */

bool ql_preset_split(const char *setting, size_t *name_len, const char **value)
{
    *name_len = strcspn(setting, "=");
    *value = setting + *name_len + 1;
    return setting[*name_len] == '=';
}

static const ql_preset *find_preset(const ql_opts *o, const char *name)
{
    for (const ql_preset *p = o->presets; p && p->name; p++)
        if (strcmp(p->name, name) == 0) return p;
    return NULL;
}

/* source: what the preset was chosen by. */
static ql_status note_preset(ql_opts *o, const ql_preset *preset, const char *source, ql_err *err)
{
    for (const char *const *text = preset->settings; *text; text++) {
        ql_opt_setting s = {.source = QL_SRC_PRESET};
        size_t len;
        if (!ql_preset_split(*text, &len, &s.text)) continue;
        s.item = ql_opts_find(o, *text, len, &s.clear);
        if (s.item < 0)
            return ql_fail(err, QL_EINTERNAL, "preset %s: no option '%s'", preset->name, *text);
        QL_TRY(ql_opts_keepf(o, &s.label, err, "--%s %s: %s", source, preset->name, *text));
        QL_TRY(ql_opts_note(o, s, err));
    }
    return QL_OK;
}

/* A wrong name is found when --like itself is applied. */
static ql_status read_presets(ql_opts *o, ql_err *err)
{
    const ql_opt_setting *like = strongest(o, "like");
    const ql_preset *chosen = like && o->presets ? find_preset(o, like->text) : NULL;
    for (const ql_preset *p = o->presets; p && p->name && !chosen; p++) {
        const ql_opt_setting *s = p->option ? strongest(o, p->option) : NULL;
        if (s && s->text && !strcmp(s->text, p->name)) QL_TRY(note_preset(o, p, p->option, err));
    }
    return chosen ? note_preset(o, chosen, "like", err) : QL_OK;
}

/* ---- application ---- */

static ql_status apply(ql_opts *o, const ql_opt_setting *s, ql_err *err)
{
    ql_opt_item *item = &o->items[s->item];
    const char *text = s->text ? s->text : "yes";
    item->source = s->source;
    const ql_status st = ql_opt_set(item->row, text, item->value, err);
    if (st != QL_OK) return ql_context(err, st, "%s", s->label);
    if (s->clear) *(bool *)item->value = !*(bool *)item->value;
    return QL_OK;
}

static ql_status apply_source(ql_opts *o, ql_opt_source source, ql_err *err)
{
    for (int i = 0; i < o->n_settings; i++)
        if (o->settings[i].source == source) QL_TRY(apply(o, &o->settings[i], err));
    return QL_OK;
}

ql_status ql_opts_parse(ql_opts *o, int argc, char *const *argv, char *(*env)(const char *),
                        ql_err *err)
{
    QL_TRY(ql_opts_read_argv(o, argc, argv, err));
    if (o->help) return QL_OK;
    if (env) QL_TRY(read_environment(o, env, err));
    QL_TRY(read_config(o, err));
    QL_TRY(read_presets(o, err));
    for (int source = QL_SRC_PRESET; source <= QL_SRC_CLI; source++)
        QL_TRY(apply_source(o, (ql_opt_source)source, err));
    return QL_OK;
}

ql_status ql_opts_assign(ql_opts *o, const char *name, const char *text, ql_err *err)
{
    ql_opt_setting s = {.source = QL_SRC_CLI, .label = name};
    s.item = ql_opts_find(o, name, strlen(name), &s.clear);
    if (s.item < 0) return ql_fail(err, QL_EINTERNAL, "no option '%s'", name);
    QL_TRY(ql_opts_keep(o, text, &s.text, err));
    return apply(o, &s, err);
}

ql_status ql_opts_check_required(const ql_opts *o, ql_err *err)
{
    for (int i = 0; i < o->n; i++) {
        const ql_option *row = o->items[i].row;
        if (!(row->bits & QL_OPT_REQUIRED) || o->items[i].source != QL_SRC_DEFAULT) continue;
        ql_fail(err, QL_EUSAGE, "--%s is missing", row->name);
        return ql_hint(err, QL_EUSAGE, "--%s %s: %s", row->name, ql_opt_unit(row), row->help);
    }
    return QL_OK;
}

ql_status ql_opts_set_text(ql_opts *o, const char *text, const char *name, ql_err *err)
{
    char *copy = NULL;
    const char *path = NULL;
    int first = o->n_settings;
    QL_TRY(ql_opts_keep(o, name, &path, err));
    QL_TRY(ql_text_copy(text, &copy, err));
    config_ctx ctx = {o, path};
    ql_status st = ql_config_parse(copy, path, config_key, &ctx, err);
    for (int i = first; st == QL_OK && i < o->n_settings; i++) st = apply(o, &o->settings[i], err);
    ql_free(copy);
    return st;
}
