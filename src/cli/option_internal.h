/* Inside of a set of options, shared by the files option_*.c. */
#ifndef QL_OPTION_INTERNAL_H
#define QL_OPTION_INTERNAL_H

#include "quell/option.h"

typedef struct {
    const ql_option *row;
    void *value; /* where it is kept; NULL in a set that is only printed */
    ql_opt_source source;
} ql_opt_item;

/* One "option = text" found in a source, before it is applied. */
typedef struct {
    int item;
    ql_opt_source source;
    bool clear;        /* a flag's negative spelling */
    const char *text;  /* NULL: a flag that is just named */
    const char *label; /* where it was found, for messages: "--epochs", "QUELL_EPOCHS" */
} ql_opt_setting;

struct ql_opts {
    ql_opt_item *items; /* in help order */
    int n;
    const ql_preset *presets;
    ql_option like_row; /* made here when there are presets */
    const char **like_names;
    const char *like;
    ql_opt_setting *settings; /* in order of discovery */
    int n_settings, cap_settings;
    const char **positionals;
    int n_positionals;
    char **kept; /* strings that values and labels point to */
    int n_kept, cap_kept;
    bool help;
};

/* The item called name[0..len), by name or alias, or with "no-" in front; -1 if there is none.
 * *clear: the spelling clears the flag. */
int ql_opts_find(const ql_opts *opts, const char *name, size_t len, bool *clear);
int ql_opts_find_letter(const ql_opts *opts, char letter);

/* Names of the set for ql_nearest; ctx is the ql_opts. */
const char *ql_opts_name_at(const void *ctx, int i);

/* A copy that lives as long as the set. */
QL_MUST_USE ql_status ql_opts_keep(ql_opts *opts, const char *text, const char **out, ql_err *err);
QL_MUST_USE ql_status ql_opts_keepf(ql_opts *opts, const char **out, ql_err *err, const char *fmt,
                                    ...) QL_PRINTF(4, 5);

/* text and label must live as long as the set. */
QL_MUST_USE ql_status ql_opts_note(ql_opts *opts, ql_opt_setting setting, ql_err *err);

/* argv into settings and positionals (option_parse.c). */
QL_MUST_USE ql_status ql_opts_read_argv(ql_opts *opts, int argc, char *const *argv, ql_err *err);

/* Call found for each key of a config file: a JSON object or "key = value" lines (config_file.c).
 * Returns what found returns if that is not QL_OK. */
typedef ql_status ql_config_found(void *ctx, const char *key, const char *value, int line,
                                  ql_err *err);
QL_MUST_USE ql_status ql_config_read(const char *path, ql_config_found *found, void *ctx,
                                     ql_err *err);

/* The same for text in memory; path is for messages. text is changed. */
QL_MUST_USE ql_status ql_config_parse(char *text, const char *path, ql_config_found *found,
                                      void *ctx, ql_err *err);

/* The "option=value" of a preset split; false if there is no '='. */
bool ql_preset_split(const char *setting, size_t *name_len, const char **value);

#endif
