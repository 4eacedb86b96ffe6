/* Options as data. A const row declares one option; from the rows alone come the parser, --help,
 * the markdown and man references, the JSON schema, bash completion, --print-config and the options
 * stored in outputs. This module knows no command and no model.
 *
 *     typedef struct { ql_common_args common; int epochs; const char *type; ql_int_list hidden; }
 * train_args;
 *
 *     static const ql_option train_rows[] = {
 *         {.name = "epochs", .letter = 'e', QL_INT_AT(train_args, epochs), .def = "300",
 *          .min = 1, .max = 1e6, .group = "Training", .help = "train for at most this many
 * epochs"},
 *         {.name = "type", QL_CHOICE_AT(train_args, type), .def = "nb", .choice_at =
 * ql_lik_name_at, .group = "Model", .help = "likelihood of the counts"},
 *         {.name = "hidden", .letter = 's', QL_INTS_AT(train_args, hidden), .def = "64,32,64",
 *          .aliases = "hiddensize", .min = 1, .max = 65536, .group = "Model",
 *          .help = "sizes of the hidden layers"},
 *         {.name = NULL}};
 */
#ifndef QUELL_OPTION_H
#define QUELL_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quell/json.h"
#include "quell/status.h"
#include "quell/strbuf.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- values ---- */

typedef enum {
    QL_OPT_FLAG,   /* bool; --name sets it, --no-name clears it, --name=yes|no too */
    QL_OPT_INT,    /* int */
    QL_OPT_INT64,  /* int64_t */
    QL_OPT_DOUBLE, /* double; finite */
    QL_OPT_STRING, /* const char *, borrowed from the ql_opts; NULL while unset */
    QL_OPT_CHOICE, /* const char *, the name as the list of choices holds it; NULL while unset */
    QL_OPT_BYTES,  /* int64_t; "800", "5K", "24G", "1.5T", "24GB", "24GiB": powers of 1024 */
    QL_OPT_INTS,   /* ql_int_list; "64,32,64" */
    QL_OPT_DOUBLES /* ql_double_list; "0.1,0,0.1" */
} ql_opt_type;

#define QL_LIST_MAX 16
typedef struct {
    int n;
    int v[QL_LIST_MAX];
} ql_int_list;

typedef struct {
    int n;
    double v[QL_LIST_MAX];
} ql_double_list;

/* ---- rows ---- */

typedef enum {
    QL_OPT_BASIC,  /* in --help */
    QL_OPT_EXPERT, /* in `quell help CMD --all`, the man page and the reference only */
    QL_OPT_HIDDEN  /* accepted, shown nowhere */
} ql_opt_level;

enum {
    QL_OPT_VOLATILE = 1, /* cannot change a result (threads, paths, logs): not stored in outputs */
    QL_OPT_META = 2,     /* about the command line itself (help, config): command line only,
                            except that `config` may come from the environment */
    QL_OPT_REQUIRED = 4, /* some source must set it */
    QL_OPT_MIN_EXCLUDED = 8, /* the value must be greater than min */
    QL_OPT_MAX_EXCLUDED = 16 /* the value must be less than max */
};

typedef struct {
    const char *name;  /* long name without dashes: the identity, in config files and outputs too */
    char letter;       /* one-letter form; 0: none */
    ql_opt_type type;  /* with offset, set by the QL_..._AT macros below */
    size_t offset;     /* of the value in the args struct */
    const char *def;   /* default, as it would be typed. NULL: unset, which is 0, false, NULL, an
                          empty list, or NaN for a double; the word "auto" sets a numeric option
                          or list back to that state */
    const char *unset; /* what an unset option does, shown as its default: "all cores of the job" */
    double min; /* bounds of the value (of each item of a list); both 0: none; +-INFINITY: open */
    double max;
    const char *const *choices;      /* CHOICE: NULL-terminated names, or */
    const char *(*choice_at)(int i); /* name i of a registry, NULL past its end */
    const char *bare; /* value of the option when it is given without one, a value then comes with
                         '=' only ("--plan", "--plan=json"); NULL: a value is needed */
    const char *aliases; /* other spellings accepted, "old,older"; one that begins with '!' clears a
                            flag: "!nosizefactors" */
    const char *unit;  /* placeholder of the value in help, in capitals: "FILE", "EPOCHS"; NULL: by
                          type. "FILE" and "DIR" make it a path */
    const char *group; /* heading in help; groups appear in the order of their first row */
    ql_opt_level level;
    unsigned bits;    /* QL_OPT_VOLATILE, ... */
    const char *help; /* one line, at most 60 columns, no full stop */
    const char *more; /* sentences for the man page and the reference; NULL: none */
} ql_option;

/* Type and offset of a row; a member of another type than the option's does not compile. */
#define QL_OPT_AT_(S, f, C, T)                                                                     \
    .type = (T), .offset = offsetof(S, f) + 0 * sizeof(_Generic(((S *)0)->f, C : 1))
#define QL_FLAG_AT(S, f)    QL_OPT_AT_(S, f, bool, QL_OPT_FLAG)
#define QL_INT_AT(S, f)     QL_OPT_AT_(S, f, int, QL_OPT_INT)
#define QL_INT64_AT(S, f)   QL_OPT_AT_(S, f, int64_t, QL_OPT_INT64)
#define QL_DOUBLE_AT(S, f)  QL_OPT_AT_(S, f, double, QL_OPT_DOUBLE)
#define QL_STRING_AT(S, f)  QL_OPT_AT_(S, f, const char *, QL_OPT_STRING)
#define QL_CHOICE_AT(S, f)  QL_OPT_AT_(S, f, const char *, QL_OPT_CHOICE)
#define QL_BYTES_AT(S, f)   QL_OPT_AT_(S, f, int64_t, QL_OPT_BYTES)
#define QL_INTS_AT(S, f)    QL_OPT_AT_(S, f, ql_int_list, QL_OPT_INTS)
#define QL_DOUBLES_AT(S, f) QL_OPT_AT_(S, f, ql_double_list, QL_OPT_DOUBLES)

/* Rows (ended by a row without name) and where their struct sits inside the command's args struct.
 */
typedef struct {
    const ql_option *rows; /* NULL ends a list of tables */
    size_t base;
} ql_opt_table;

/* Settings under a name, chosen with --like NAME; a command with presets has that option by itself.
 */
typedef struct {
    const char *name;            /* NULL ends a list of presets */
    const char *summary;         /* one line */
    const char *const *settings; /* "option=value", ..., NULL */
    const char *option; /* also chosen where this option has the preset's name for its value, below
                           what --like says; NULL: by --like alone */
} ql_preset;

/* ---- a set of tables and its values ---- */

/* Sources, weakest first. */
typedef enum { QL_SRC_DEFAULT, QL_SRC_PRESET, QL_SRC_CONFIG, QL_SRC_ENV, QL_SRC_CLI } ql_opt_source;

typedef struct ql_opts ql_opts;

/* Merge tables (borrowed, must outlive the set) into one set. presets may be NULL. args is the
 * struct that receives the values (borrowed); NULL for a set that is only printed. Every value is
 * its default afterwards. Errors: QL_EINTERNAL for a row whose own default does not parse. */
QL_MUST_USE ql_status ql_opts_new(const ql_opt_table *tables, const ql_preset *presets, void *args,
                                  ql_opts **out, ql_err *err);
void ql_opts_free(ql_opts *opts); /* NULL is allowed; strings in args die with it */

/* Resolve every option: default < preset < --config file < QUELL_* environment < argv. argv[0] is
 * the first word after the command. env is getenv or a stand-in; NULL: no environment. Options and
 * positionals may be mixed, "--" ends the options, "-" is a positional. --help (-h) anywhere stops
 * the work with success: see ql_opts_help_wanted. Errors: QL_EUSAGE (one line with the source and
 * the nearest name), QL_ENOINPUT (config file unreadable). */
QL_MUST_USE ql_status ql_opts_parse(ql_opts *opts, int argc, char *const *argv,
                                    char *(*env)(const char *), ql_err *err);

bool ql_opts_help_wanted(const ql_opts *opts); /* --help was given: nothing else was looked at */

/* Set an option by its long name after parsing, as if it had been typed; text is copied. For what a
 * run decides by itself and what is stored must say. */
QL_MUST_USE ql_status ql_opts_assign(ql_opts *opts, const char *name, const char *text,
                                     ql_err *err);

/* Fails with QL_EUSAGE when a required option is unset. */
QL_MUST_USE ql_status ql_opts_check_required(const ql_opts *opts, ql_err *err);

/* Positionals in order; borrowed from argv. */
int ql_opts_n_positionals(const ql_opts *opts);
const char *ql_opts_positional(const ql_opts *opts, int i);

/* Who set an option (by its long name; QL_SRC_DEFAULT for an unknown one), and whether anybody did.
 */
ql_opt_source ql_opts_source(const ql_opts *opts, const char *name);
static inline bool ql_opts_was_set(const ql_opts *opts, const char *name)
{
    return ql_opts_source(opts, name) != QL_SRC_DEFAULT;
}
const char *ql_opt_source_text(ql_opt_source source); /* "default", "preset", ... */

/* The rows of the set in help order: groups by first appearance, rows in table order. */
int ql_opts_n(const ql_opts *opts);
const ql_option *ql_opts_row(const ql_opts *opts, int i);

/* ---- texts made from the values ---- */

/* Append the resolved options as one JSON object, keys in row order, unset ones null. Without
 * with_volatile the text is the same whatever the threads, paths and logs: fit to be stored. */
void ql_options_json(const ql_opts *opts, bool with_volatile, ql_str *out);

/* The same of the rows that are wanted. */
void ql_options_json_of(const ql_opts *opts, bool (*wanted)(const ql_option *row), ql_str *out);

/* The same as members of an object that is open in j. */
void ql_options_members(const ql_opts *opts, bool with_volatile, ql_json *j);

/* Append the resolved options as a --config file with one comment line per group. */
void ql_options_config(const ql_opts *opts, ql_str *out);

/* Append "option = value" lines of the options that can change a result and are set: what
 * ql_opts_set_text reads back. */
void ql_options_text(const ql_opts *opts, ql_str *out);

/* Set options from such lines (or a JSON object of them), over what they are. name is for messages.
 * QL_EUSAGE as for a config file. */
QL_MUST_USE ql_status ql_opts_set_text(ql_opts *opts, const char *text, const char *name,
                                       ql_err *err);

/* ---- tools over rows ---- */

/* One problem per line appended to out: double names or letters or aliases, bad names, defaults
 * that do not parse or lie outside their bounds, help that is missing, too long or ends in a full
 * stop, missing group, choices that are missing or misplaced, presets that name no option or hold a
 * bad value. Returns the number of problems. */
int ql_options_selfcheck(const ql_opt_table *tables, const ql_preset *presets, ql_str *out);

/* Name of choice i of a row, NULL past the end. */
const char *ql_opt_choice(const ql_option *row, int i);

/* Value placeholder ("N", "FILE", ...); NULL for flags. Default as shown to people. */
const char *ql_opt_unit(const ql_option *row);
const char *ql_opt_default_text(const ql_option *row);

/* Parse text into the value at dst (of the row's type). A message names the text, not the option:
 * "'abc' is no whole number". For strings dst borrows text. */
QL_MUST_USE ql_status ql_opt_set(const ql_option *row, const char *text, void *dst, ql_err *err);

/* Append the value at src in the form ql_opt_set reads ("auto" or nothing when unset). */
void ql_opt_format(const ql_option *row, const void *src, ql_str *out);
bool ql_opt_is_unset(const ql_option *row, const void *src);

/* The candidate nearest to word if it is near enough to be meant, else NULL. at(ctx, i) gives
 * candidate i, NULL past the end. */
const char *ql_nearest(const char *word, const char *(*at)(const void *ctx, int i),
                       const void *ctx);

#ifdef __cplusplus
}
#endif
#endif
