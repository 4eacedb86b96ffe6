/* Command lines and config files through the option tables of every command. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../src/app/commands.h"
#include "fuzz.h"
#include "quell/alloc.h"
#include "quell/command.h"

enum { MAX_WORDS = 64, MAX_WORD = 256 };

/* ---- words ---- */

static char words[MAX_WORDS][MAX_WORD];
static int n_words;

/* Words of the form QUELL_NAME=value are the environment. */
static char *environment(const char *name)
{
    size_t n = strlen(name);
    for (int i = 0; i < n_words; i++)
        if (strncmp(words[i], name, n) == 0 && words[i][n] == '=') return words[i] + n + 1;
    return NULL;
}

static int split(fz_bytes *b, char **argv)
{
    int argc = 0;
    n_words = 0;
    while (n_words < MAX_WORDS && fz_left(b)) {
        char *word = words[n_words++];
        (void)fz_word(b, word, MAX_WORD);
        if (strncmp(word, "QUELL_", 6) != 0) argv[argc++] = word;
    }
    return argc;
}

/* ---- a set of options ---- */

typedef struct {
    ql_opts *opts;
    char *args;
} parsed;

static ql_status parse(const ql_command *command, int argc, char *const *argv, bool environ,
                       parsed *p)
{
    ql_err err = {0};
    *p = (parsed){0};
    ql_status st = QL_NEW(p->args, (int64_t)command->args_size, "the options", &err);
    if (st == QL_OK) st = ql_command_opts(command, p->args, &p->opts, &err);
    fz_require(st == QL_OK);
    st = ql_opts_parse(p->opts, argc, argv, environ ? environment : NULL, &err);
    if (st == QL_OK) return st;
    fz_require(st == err.code && err.msg[0] != '\0');
    fz_require(st == QL_EUSAGE || st == QL_ENOINPUT || st == QL_EMEMORY);
    return st;
}

static void release(parsed *p)
{
    ql_opts_free(p->opts);
    ql_free(p->args);
}

/* What --print-config prints must be a config file that means the same. */
static void check_print(const ql_command *command, const parsed *first)
{
    char option[] = "--config";
    ql_str config = {0}, before = {0}, after = {0};
    ql_options_config(first->opts, &config);
    ql_options_json(first->opts, true, &before);
    const char *path = fz_file_with(ql_str_text(&config), config.len);
    if (path) {
        char *argv[] = {option, (char *)(uintptr_t)path};
        parsed second;
        ql_status st = parse(command, 2, argv, false, &second);
        fz_require(st == QL_OK);
        ql_options_json(second.opts, true, &after);
        fz_require(strcmp(ql_str_text(&before), ql_str_text(&after)) == 0);
        release(&second);
    }
    ql_str_free(&config);
    ql_str_free(&before);
    ql_str_free(&after);
}

static const ql_command *take_command(fz_bytes *b)
{
    char name[MAX_WORD];
    (void)fz_word(b, name, sizeof name);
    return ql_command_find(ql_commands, name);
}

static void try_words(const ql_command *command, int argc, char *const *argv)
{
    int64_t before = ql_alloc_bytes();
    parsed p;
    ql_status st = parse(command, argc, argv, true, &p);
    ql_str line = {0};
    ql_command_line(argc, argv, &line);
    if (st == QL_OK && !(command->bits & QL_CMD_PLAIN) && !ql_opts_help_wanted(p.opts))
        check_print(command, &p);
    ql_str_free(&line);
    release(&p);
    fz_require(ql_alloc_bytes() == before);
}

/* ---- targets ---- */

/* Command, NUL, words with a NUL after each. */
void fz_options(const char *argument, const uint8_t *data, size_t size)
{
    fz_bytes b = {data, data + size};
    char *argv[MAX_WORDS + 1] = {0};
    const ql_command *command = take_command(&b);
    (void)argument;
    if (!command) return;
    int argc = split(&b, argv);
    try_words(command, argc, argv);
}

/* Command, NUL, config file. */
void fz_config(const char *argument, const uint8_t *data, size_t size)
{
    fz_bytes b = {data, data + size};
    const ql_command *command = take_command(&b);
    char option[] = "--config";
    (void)argument;
    if (!command) return;
    n_words = 0;
    const char *path = fz_file_with(b.at, fz_left(&b));
    char *argv[] = {option, (char *)(uintptr_t)path};
    if (path) try_words(command, 2, argv);
}
