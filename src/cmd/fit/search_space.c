#include "search_space.h"
#include "option_rows.h"

#include <stdlib.h>
#include <string.h>

#include "quell/alloc.h"
#include "quell/fmath.h"
#include "quell/rng.h"

/* Ranges at least this wide are drawn on a logarithmic scale. */
#define LOG_RATIO 8.0

enum { WORD = 256 };

typedef union {
    bool flag;
    int number;
    int64_t large;
    double real;
    const char *text;
    ql_int_list ints;
    ql_double_list reals;
} any_value;

static const char *name_at(const void *tables, int i)
{
    const ql_option *row = rows_at(tables, i);
    return row ? row->name : NULL;
}

static bool is_whole(const ql_option *row)
{
    return row->type == QL_OPT_INT || row->type == QL_OPT_INT64;
}

/* Of a list of numbers a range draws the only item. */
static bool is_number(const ql_option *row)
{
    return is_whole(row) || row->type == QL_OPT_DOUBLE || row->type == QL_OPT_DOUBLES;
}

/* Would the option take it? */
static ql_status check_value(const ql_option *row, const char *value, ql_err *err)
{
    any_value scratch;
    const ql_status st = ql_opt_set(row, value, &scratch, err);
    return st == QL_OK ? st : ql_context(err, st, "--search %s", row->name);
}

static ql_status parse_range(search_dim *d, char *value, char *dots, ql_err *err)
{
    char *end;
    const char *high = dots + 2;
    *dots = '\0';
    if (!is_number(d->row))
        return ql_fail(err, QL_EUSAGE, "--search %s: takes no range; give values with '|'",
                       d->row->name);
    QL_TRY(check_value(d->row, value, err));
    QL_TRY(check_value(d->row, high, err));
    d->low = strtod(value, &end);
    d->high = strtod(high, &end);
    if (d->low < d->high) return QL_OK;
    return ql_fail(err, QL_EUSAGE, "--search %s: %s is not below %s", d->row->name, value, high);
}

static ql_status parse_choices(search_dim *d, char *value, ql_err *err)
{
    for (char *save = NULL, *at = strtok_r(value, "|", &save); at;
         at = strtok_r(NULL, "|", &save)) {
        if (d->n_choices == SEARCH_CHOICES)
            return ql_fail(err, QL_EUSAGE, "--search %s: more than %d values", d->row->name,
                           SEARCH_CHOICES);
        QL_TRY(check_value(d->row, at, err));
        d->choice[d->n_choices++] = at;
    }
    if (d->n_choices > 0) return QL_OK;
    return ql_fail(err, QL_EUSAGE, "--search %s: no value", d->row->name);
}

static ql_status parse_word(char *word, const ql_option *const *tables, search_space *s,
                            ql_err *err)
{
    char *value = strchr(word, '=');
    if (!value) return ql_fail(err, QL_EUSAGE, "--search: '%.80s' is not NAME=VALUES", word);
    *value++ = '\0';
    const ql_option *row = rows_find(tables, word, strlen(word));
    if (!row) {
        ql_fail(err, QL_EUSAGE, "--search: no option of the model is called '%.80s'", word);
        const char *near = ql_nearest(word, name_at, tables);
        return near ? ql_hint(err, QL_EUSAGE, "did you mean %s?", near) : QL_EUSAGE;
    }
    for (int i = 0; i < s->n; i++)
        if (s->dim[i].row == row)
            return ql_fail(err, QL_EUSAGE, "--search: %s is given twice", word);
    if (s->n == SEARCH_DIMS)
        return ql_fail(err, QL_EUSAGE, "--search: more than %d options", SEARCH_DIMS);
    search_dim *d = &s->dim[s->n++];
    *d = (search_dim){.row = row};
    char *dots = strstr(value, "..");
    return dots ? parse_range(d, value, dots, err) : parse_choices(d, value, err);
}

ql_status search_parse(const char *text, const ql_option *const *tables, search_space *out,
                       ql_err *err)
{
    ql_status st = QL_OK;
    *out = (search_space){0};
    QL_TRY(QL_NEW(out->text, (int64_t)strlen(text) + 1, "the search space", err));
    memcpy(out->text, text, strlen(text) + 1);
    for (char *save = NULL, *word = strtok_r(out->text, " \t\n;", &save); word && st == QL_OK;
         word = strtok_r(NULL, " \t\n;", &save))
        st = parse_word(word, tables, out, err);
    if (st == QL_OK && out->n == 0) st = ql_fail(err, QL_EUSAGE, "--search: nothing to search");
    if (st != QL_OK) search_free(out);
    return st;
}

void search_free(search_space *s)
{
    ql_free(s->text);
    *s = (search_space){0};
}

/* Three digits are enough, and what is printed can be typed again. */
static void draw_range(const search_dim *d, double u, ql_str *out)
{
    bool logarithmic = d->low > 0 && d->high >= LOG_RATIO * d->low;
    double v = logarithmic ? d->low * ql_exp(u * ql_log(d->high / d->low))
                           : d->low + u * (d->high - d->low);
    if (is_whole(d->row))
        ql_str_printf(out, "%lld", (long long)(v + 0.5));
    else
        ql_str_printf(out, "%.3g", v);
}

void search_draw(const search_space *s, uint64_t seed, uint64_t draw, ql_str *out)
{
    for (int i = 0; i < s->n; i++) {
        const search_dim *d = &s->dim[i];
        ql_rng rng = ql_rng_start(seed, QL_RNG_SEARCH, draw, (uint64_t)i);
        ql_str_printf(out, "%s%s=", i ? " " : "", d->row->name);
        if (d->n_choices > 0)
            ql_str_puts(out, d->choice[ql_rng_below(&rng, (uint32_t)d->n_choices)]);
        else
            draw_range(d, (double)ql_rng_unit(ql_rng_word(&rng)), out);
    }
}

ql_status search_each(const search_space *s, const char *settings,
                      ql_status (*each)(void *ctx, const ql_option *row, const char *value,
                                        ql_err *err),
                      void *ctx, ql_err *err)
{
    char value[WORD];
    for (int i = 0; i < s->n; i++) {
        const char *at = strchr(settings, '=') + 1;
        size_t n = strcspn(at, " ");
        if (n >= sizeof value)
            return ql_fail(err, QL_EUSAGE, "--search %s: a value is too long", s->dim[i].row->name);
        memcpy(value, at, n);
        value[n] = '\0';
        QL_TRY(each(ctx, s->dim[i].row, value, err));
        settings = at + n + (at[n] == ' ');
    }
    return QL_OK;
}
