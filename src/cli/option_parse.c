/* The words of a command line into settings and positionals. */
#include <stdio.h>
#include <string.h>

#include "option_internal.h"
#include "quell/alloc.h"

typedef struct {
    ql_opts *opts;
    int argc, at; /* at: the next word */
    char *const *argv;
} reader;

static ql_status unknown(const ql_opts *o, const char *name, size_t len, ql_err *err)
{
    char word[128];
    snprintf(word, sizeof word, "%.*s", len < sizeof word ? (int)len : (int)sizeof word - 1, name);
    bool negative = strncmp(word, "no-", 3) == 0;
    const char *near = ql_nearest(word, ql_opts_name_at, o);
    const char *base = !near && negative ? ql_nearest(word + 3, ql_opts_name_at, o) : NULL;
    ql_fail(err, QL_EUSAGE, "unknown option '--%s'", word);
    if (near) ql_hint(err, QL_EUSAGE, "did you mean '--%s'?", near);
    if (base) ql_hint(err, QL_EUSAGE, "did you mean '--no-%s'?", base);
    return QL_EUSAGE;
}

/* Record item with the text that came with it, or the next word if it needs one. */
static ql_status take(reader *r, int item, bool clear, const char *text, ql_err *err)
{
    const ql_option *row = r->opts->items[item].row;
    ql_opt_setting s = {.item = item, .source = QL_SRC_CLI, .clear = clear, .text = text};
    if (clear && text) return ql_fail(err, QL_EUSAGE, "--no-%s takes no value", row->name);
    if (!text && row->bare) {
        s.text = row->bare;
    } else if (row->type != QL_OPT_FLAG && !text) {
        if (r->at == r->argc)
            return ql_fail(err, QL_EUSAGE, "--%s needs a value (%s)", row->name, ql_opt_unit(row));
        s.text = r->argv[r->at++];
    }
    QL_TRY(ql_opts_keepf(r->opts, &s.label, err, "--%s", row->name));
    return ql_opts_note(r->opts, s, err);
}

static ql_status long_option(reader *r, const char *word, ql_err *err)
{
    bool clear;
    size_t len = strcspn(word, "=");
    int item = ql_opts_find(r->opts, word, len, &clear);
    if (item < 0) return unknown(r->opts, word, len, err);
    return take(r, item, clear, word[len] ? word + len + 1 : NULL, err);
}

/* "-q", "-qv", "-ofile", "-o=file", "-o file": flags may share a dash, a value ends the word. */
static ql_status letters(reader *r, const char *word, ql_err *err)
{
    for (; *word; word++) {
        int item = ql_opts_find_letter(r->opts, *word);
        if (item < 0) return ql_fail(err, QL_EUSAGE, "unknown option '-%c'", *word);
        bool flag = r->opts->items[item].row->type == QL_OPT_FLAG;
        const char *rest = word[1] == '=' ? word + 2 : word + 1;
        bool attached = !flag && word[1];
        QL_TRY(take(r, item, false, attached ? rest : NULL, err));
        if (!flag) return QL_OK;
    }
    return QL_OK;
}

static bool asks_for_help(int argc, char *const *argv)
{
    for (int i = 0; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) return true;
    return false;
}

static ql_status one_word(reader *r, bool *ended, ql_err *err)
{
    ql_opts *o = r->opts;
    const char *word = r->argv[r->at++];
    if (!*ended && strcmp(word, "--") == 0) {
        *ended = true;
        return QL_OK;
    }
    if (!*ended && strncmp(word, "--", 2) == 0) return long_option(r, word + 2, err);
    if (!*ended && word[0] == '-' && word[1]) return letters(r, word + 1, err);
    o->positionals[o->n_positionals++] = word;
    return QL_OK;
}

ql_status ql_opts_read_argv(ql_opts *o, int argc, char *const *argv, ql_err *err)
{
    reader r = {o, argc, 0, argv};
    bool ended = false;
    bool clear;
    o->help = ql_opts_find(o, "help", 4, &clear) >= 0 && asks_for_help(argc, argv);
    if (o->help) return QL_OK;
    QL_TRY(QL_NEW(o->positionals, argc, "the arguments", err));
    while (r.at < r.argc) QL_TRY(one_word(&r, &ended, err));
    return QL_OK;
}
