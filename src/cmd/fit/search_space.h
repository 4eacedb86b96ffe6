/* Which settings a search draws from: options, and the values or ranges they may take. Private to
 * src/cmd.
 *
 *     hidden=64,16|128,32 dropout=0.1..0.7 learning-rate=0.0003..0.003
 *
 * Words are option names of a table; '|' separates values, LOW..HIGH is a range of numbers, drawn
 * evenly, or evenly on a logarithmic scale where HIGH is at least eight times LOW. */
#ifndef QL_SEARCH_SPACE_H
#define QL_SEARCH_SPACE_H

#include "quell/option.h"

enum { SEARCH_DIMS = 16, SEARCH_CHOICES = 32 };

typedef struct {
    const ql_option *row;
    int n_choices;
    const char *choice[SEARCH_CHOICES]; /* in the text below */
    double low, high;                   /* of a range (n_choices is 0) */
} search_dim;

typedef struct {
    search_dim dim[SEARCH_DIMS];
    int n;
    char *text; /* owned */
} search_space;

/* tables: NULL-terminated, of the options that may be named. Read text; every value must be one
 * that its option takes. Errors: QL_EUSAGE, with the word. */
QL_MUST_USE ql_status search_parse(const char *text, const ql_option *const *tables,
                                   search_space *out, ql_err *err);
void search_free(search_space *s);

/* Append draw number `draw` as "name=value ..." in the order of the space; a pure function of
 * (seed, draw). */
void search_draw(const search_space *s, uint64_t seed, uint64_t draw, ql_str *out);

/* Call each(ctx, row, value) for the settings of one draw; stops at what is not QL_OK. */
QL_MUST_USE ql_status search_each(const search_space *s, const char *settings,
                                  ql_status (*each)(void *ctx, const ql_option *row,
                                                    const char *value, ql_err *err),
                                  void *ctx, ql_err *err);

#endif
