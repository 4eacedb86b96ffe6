/* Commands as data, and what a running command is given.
 *
 * A command is one file src/cmd/cmd_NAME.c that exports one const ql_command, and one line in
 * src/app/commands.c. Help, man page, completion and the error and summary handling come from the
 * row; the command's run() only does the work.
 *
 *     typedef struct { ql_common_args common; ql_seed_args seed; const char *output; }
 * denoise_args;
 *
 *     static const ql_opt_table denoise_tables[] = {
 *         {denoise_rows, 0}, {ql_seed_rows, offsetof(denoise_args, seed)}, {NULL, 0}};
 *
 *     static ql_status denoise_run(const void *args, ql_run *run)
 *     {
 *         const denoise_args *a = args;
 *         const char *input = run->args[0];
 *         QL_TRY(ql_output_check(a->output, input, a->force, &run->err));
 *         ql_log_info(run->log, "...");
 *         ql_summary_int(run->summary, "cells", n);
 *         ...
 *     }
 *
 *     const ql_command ql_cmd_denoise = {
 *         .name = "denoise", .group = "Work", .summary = "...", QL_ARGS(denoise_args),
 *         .positionals = denoise_positionals, .tables = denoise_tables, .presets = denoise_presets,
 *         .examples = {{"quell denoise in.h5 -o out.h5ad", "..."}, {"...", "..."}},
 *         .run = denoise_run};
 */
#ifndef QUELL_COMMAND_H
#define QUELL_COMMAND_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "quell/log.h"
#include "quell/option.h"
#include "quell/status.h"
#include "quell/strbuf.h"
#include "quell/summary.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- options that commands share; merged by the dispatcher, not listed in .tables ---- */

typedef struct {
    int threads;    /* as given; use run->threads */
    int64_t memory; /* as given; use run->memory */
    bool quiet, verbose;
    const char *log_file; /* plain text copy of the log */
    const char *log_json;
    const char *summary;
    const char *config;
    bool print_config;
    bool help;
} ql_common_args;

extern const ql_option ql_run_rows[];     /* threads, memory, summary, config, print-config */
extern const ql_option ql_message_rows[]; /* quiet, verbose, log, log-json */
extern const ql_option ql_help_rows[];    /* help: the only one of a QL_CMD_PLAIN command */

/* For commands that draw random numbers: list {ql_seed_rows, offsetof(S, seed)} in .tables. */
typedef struct {
    int64_t seed; /* >= 0 */
} ql_seed_args;

extern const ql_option ql_seed_rows[];

/* What `quell version` calls the source: a commit, "release", or "unknown". */
extern const char *const ql_source_id;

/* ---- commands ---- */

/* An argument by position. name: "INPUT" (one), "[MODEL]" (may be left out), "FILE..." (one or
 * more),
 * "[WORD...]" (any number); only the last may repeat. */
typedef struct {
    const char *name; /* NULL ends a list */
    const char *help; /* one line */
} ql_positional;

typedef struct {
    const char *line; /* "quell denoise in.h5 -o out.h5ad" */
    const char *text; /* one line: what it does */
} ql_example;

typedef struct ql_run ql_run;

enum {
    QL_CMD_BRIEF = 1, /* a look-up rather than a run: no closing lines, threads are not announced */
    QL_CMD_PLAIN = 2  /* about the program itself: brief, and without the options of runs */
};

typedef struct {
    const char *name;
    const char *group;                /* heading in the list of commands */
    const char *summary;              /* one line, at most 60 columns, no full stop */
    const ql_positional *positionals; /* NULL: none */
    ql_example examples[2];
    const ql_opt_table *tables; /* own tables, ended by {NULL, 0}; NULL: none */
    const ql_preset *presets;   /* NULL: none */
    size_t args_size;           /* by QL_ARGS */
    unsigned bits;              /* QL_CMD_BRIEF, QL_CMD_PLAIN */
    const char *more;           /* paragraphs for the man page and reference; NULL: none */
    ql_status (*run)(const void *args, ql_run *run);
} ql_command;

/* Size of the args struct S; its first member must be `ql_common_args common`. */
#define QL_ARGS(S)                                                                                 \
    .args_size = sizeof(S) + 0 * sizeof(char[offsetof(S, common) == 0 ? 1 : -1]) +                 \
                 0 * sizeof(_Generic(((S *)0)->common, ql_common_args : 1))

/* ---- a run ---- */

struct ql_run {
    const ql_command *command;
    const ql_command *const *commands; /* the registry, NULL-terminated */
    const char *const *args;           /* positionals; their number was checked against the row */
    int n_args;
    int threads;              /* >= 1: --threads, QUELL_THREADS, config or ql_threads_default() */
    const char *threads_from; /* which of them decided */
    int64_t memory;           /* budget in bytes, also the cap of ql_alloc; 0: not known */
    const char *memory_from;
    const char *simd; /* instruction set of the kernels: "avx2" */
    ql_opts *opts;    /* ql_opts_was_set(run->opts, "epochs"), ql_options_json(...) */
    ql_logger *log;
    ql_summary *summary;
    FILE *out;  /* standard output: data only; flushed and checked by the dispatcher */
    ql_err err; /* run() describes its failure here */
    int argc;   /* the whole command line, argv[0] included */
    char *const *argv;
};

/* Parse, set up, run, report. commands: NULL-terminated registry; simd: for reports. Returns the
 * exit code. */
int ql_dispatch(int argc, char **argv, const ql_command *const *commands, const char *simd);

/* The options of a command, common ones included, with args as the receiver (may be NULL). */
QL_MUST_USE ql_status ql_command_opts(const ql_command *command, void *args, ql_opts **out,
                                      ql_err *err);

/* The command of that name, NULL if there is none. */
const ql_command *ql_command_find(const ql_command *const *commands, const char *name);

/* Problems of a row and its tables, one per line; returns their number. */
int ql_command_selfcheck(const ql_command *command, ql_str *out);

/* The command line as it could be typed into a shell again (words quoted where needed). */
void ql_command_line(int argc, char *const *argv, ql_str *out);

/* ---- help, made from the rows ---- */

/* Row of the help formats: name ("text", "markdown", "man", "json", "bash", "zsh", "fish") and how
 * to print a command. all: expert options too. */
typedef struct {
    const char *name;
    void (*command)(const ql_command *command, const ql_opts *opts, bool all, ql_str *out);
    /* the program as a whole: list of commands; NULL: each command in turn */
    void (*program)(const ql_command *const *commands, ql_str *out);
} ql_help_format;

extern const ql_help_format *const ql_help_formats[]; /* NULL-terminated */

/* Help of one command (NULL: of the program) in the format. */
QL_MUST_USE ql_status ql_help(const ql_command *const *commands, const ql_command *command,
                              const char *format, bool all, ql_str *out, ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
