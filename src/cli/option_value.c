/* The types of options: text to value and back. One table row per type. */
#include "quell/option.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

typedef struct {
    const char *unit; /* placeholder in help */
    ql_status (*set)(const ql_option *row, const char *text, void *dst, ql_err *err);
    void (*format)(const ql_option *row, const void *src, ql_str *out);
    bool (*is_unset)(const void *src);
    void (*clear)(void *dst); /* to the unset state; NULL: the type has none that "auto" gives */
} value_type;

/* ---- bounds ---- */

static bool bounded(const ql_option *row)
{
    return row->min != 0 || row->max != 0;
}

static bool in_bounds(const ql_option *row, double v)
{
    if (!bounded(row)) return true;
    bool low = row->bits & QL_OPT_MIN_EXCLUDED ? v > row->min : v >= row->min;
    bool high = row->bits & QL_OPT_MAX_EXCLUDED ? v < row->max : v <= row->max;
    return low && high;
}

static ql_status out_of_bounds(const ql_option *row, const char *text, ql_err *err)
{
    char low[64] = "", high[64] = "";
    if (!isinf(row->min))
        snprintf(low, sizeof low, "%s %.15g",
                 row->bits & QL_OPT_MIN_EXCLUDED ? "above" : "at least", row->min);
    if (!isinf(row->max))
        snprintf(high, sizeof high, "%s %.15g",
                 row->bits & QL_OPT_MAX_EXCLUDED ? "below" : "at most", row->max);
    return ql_fail(err, QL_EUSAGE, "'%.80s' is out of range: it must be %s%s%s", text, low,
                   *low && *high ? " and " : "", high);
}

/* ---- numbers ---- */

static ql_status parse_int64(const ql_option *row, const char *text, int64_t *out, ql_err *err)
{
    char *end;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (end == text || *end || isspace((unsigned char)*text))
        return ql_fail(err, QL_EUSAGE, "'%.80s' is not a whole number", text);
    if (errno == ERANGE) return ql_fail(err, QL_EUSAGE, "'%.80s' is too large", text);
    if (!in_bounds(row, (double)v)) return out_of_bounds(row, text, err);
    *out = v;
    return QL_OK;
}

static ql_status parse_int(const ql_option *row, const char *text, int *out, ql_err *err)
{
    int64_t v = 0;
    QL_TRY(parse_int64(row, text, &v, err));
    if (v < INT_MIN || v > INT_MAX) return ql_fail(err, QL_EUSAGE, "'%.80s' is too large", text);
    *out = (int)v;
    return QL_OK;
}

/* strtod also takes "nan", "inf" and hexadecimal, none of which is meant. */
static bool plain_decimal(const char *text)
{
    return *text && text[strspn(text, "0123456789+-.eE")] == '\0';
}

static ql_status parse_double(const ql_option *row, const char *text, double *out, ql_err *err)
{
    char *end = NULL;
    double v = plain_decimal(text) ? strtod(text, &end) : 0;
    if (!end || end == text || *end)
        return ql_fail(err, QL_EUSAGE, "'%.80s' is not a number", text);
    if (isinf(v)) return ql_fail(err, QL_EUSAGE, "'%.80s' is too large", text);
    if (!in_bounds(row, v)) return out_of_bounds(row, text, err);
    *out = v;
    return QL_OK;
}

/* The power of 1024 a suffix stands for: "", "B", "K", "KB", "KiB", ...; -1: none. */
static int suffix_power(const char *suffix)
{
    static const char letters[] = "KMGT";
    if (!*suffix || strcasecmp(suffix, "b") == 0) return 0;
    const char *at = strchr(letters, toupper((unsigned char)*suffix));
    const char *rest = suffix + 1;
    if (!at || (*rest && strcasecmp(rest, "b") != 0 && strcasecmp(rest, "ib") != 0)) return -1;
    return (int)(at - letters) + 1;
}

static ql_status parse_bytes(const ql_option *row, const char *text, int64_t *out, ql_err *err)
{
    char number[64];
    size_t len = strspn(text, "0123456789.");
    int power = len && len < sizeof number ? suffix_power(text + len) : -1;
    char *end = NULL;
    double v = 0;
    if (power >= 0) {
        snprintf(number, sizeof number, "%.*s", (int)len, text);
        v = ldexp(strtod(number, &end), 10 * power);
    }
    if (!end || *end)
        return ql_fail(err, QL_EUSAGE, "'%.80s' is not a size such as 800M, 24G or 1.5T", text);
    if (v >= ldexp(1, 62)) return ql_fail(err, QL_EUSAGE, "'%.80s' is too large", text);
    if (!in_bounds(row, v)) return out_of_bounds(row, text, err);
    *out = (int64_t)v;
    return QL_OK;
}

/* ---- one set, format, is_unset, clear per type ---- */

static ql_status flag_set(const ql_option *row, const char *text, void *dst, ql_err *err)
{
    static const char *const yes[] = {"yes", "true", "on", "1"};
    static const char *const no[] = {"no", "false", "off", "0"};
    (void)row;
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        bool is_yes = strcasecmp(text, yes[i]) == 0;
        if (!is_yes && strcasecmp(text, no[i]) != 0) continue;
        *(bool *)dst = is_yes;
        return QL_OK;
    }
    return ql_fail(err, QL_EUSAGE, "'%.80s' is neither yes nor no", text);
}

static void flag_format(const ql_option *row, const void *src, ql_str *out)
{
    (void)row;
    ql_str_puts(out, *(const bool *)src ? "yes" : "no");
}

static bool never_unset(const void *src)
{
    (void)src;
    return false;
}

static void flag_clear(void *dst)
{
    *(bool *)dst = false;
}

static ql_status int_set(const ql_option *row, const char *text, void *dst, ql_err *err)
{
    return parse_int(row, text, dst, err);
}

static void int_format(const ql_option *row, const void *src, ql_str *out)
{
    (void)row;
    ql_str_printf(out, "%d", *(const int *)src);
}

static bool int_is_unset(const void *src)
{
    return *(const int *)src == 0;
}

static void int_clear(void *dst)
{
    *(int *)dst = 0;
}

static ql_status int64_set(const ql_option *row, const char *text, void *dst, ql_err *err)
{
    return parse_int64(row, text, dst, err);
}

static void int64_format(const ql_option *row, const void *src, ql_str *out)
{
    (void)row;
    ql_str_printf(out, "%lld", (long long)*(const int64_t *)src);
}

static bool int64_is_unset(const void *src)
{
    return *(const int64_t *)src == 0;
}

static void int64_clear(void *dst)
{
    *(int64_t *)dst = 0;
}

static ql_status double_set(const ql_option *row, const char *text, void *dst, ql_err *err)
{
    return parse_double(row, text, dst, err);
}

/* The shortest of three lengths that reads back as the same number. */
static void put_double(double v, ql_str *out)
{
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v) break;
    }
    ql_str_puts(out, text);
}

static void double_format(const ql_option *row, const void *src, ql_str *out)
{
    (void)row;
    put_double(*(const double *)src, out);
}

static bool double_is_unset(const void *src)
{
    return isnan(*(const double *)src);
}

static void double_clear(void *dst)
{
    *(double *)dst = NAN;
}

static ql_status string_set(const ql_option *row, const char *text, void *dst, ql_err *err)
{
    (void)row, (void)err;
    *(const char **)dst = text;
    return QL_OK;
}

static void string_format(const ql_option *row, const void *src, ql_str *out)
{
    (void)row;
    ql_str_puts(out, *(const char *const *)src);
}

static bool string_is_unset(const void *src)
{
    return *(const char *const *)src == NULL;
}

static void string_clear(void *dst)
{
    *(const char **)dst = NULL;
}

static const char *choice_name_at(const void *row, int i)
{
    return ql_opt_choice(row, i);
}

static ql_status bad_choice(const ql_option *row, const char *text, ql_err *err)
{
    ql_str list = {0};
    const char *name;
    for (int i = 0; (name = ql_opt_choice(row, i)); i++)
        ql_str_printf(&list, "%s%s", i ? ", " : "", name);
    ql_fail(err, QL_EUSAGE, "'%.80s' is none of: %s", text, ql_str_text(&list));
    ql_str_free(&list);
    const char *near = ql_nearest(text, choice_name_at, row);
    if (near) ql_hint(err, QL_EUSAGE, "did you mean '%s'?", near);
    return QL_EUSAGE;
}

static ql_status choice_set(const ql_option *row, const char *text, void *dst, ql_err *err)
{
    const char *name;
    for (int i = 0; (name = ql_opt_choice(row, i)); i++) {
        if (strcasecmp(name, text) != 0) continue;
        *(const char **)dst = name;
        return QL_OK;
    }
    return bad_choice(row, text, err);
}

static ql_status bytes_set(const ql_option *row, const char *text, void *dst, ql_err *err)
{
    return parse_bytes(row, text, dst, err);
}

static void bytes_format(const ql_option *row, const void *src, ql_str *out)
{
    static const char *const suffix[] = {"", "K", "M", "G", "T"};
    int64_t v = *(const int64_t *)src;
    int i = 0;
    (void)row;
    for (; v && v % 1024 == 0 && i < 4; i++) v /= 1024;
    ql_str_printf(out, "%lld%s", (long long)v, suffix[i]);
}

/* ---- lists ---- */

/* Calls item for each part of "a,b,c"; "none" is the empty list. */
static ql_status each_item(const ql_option *row, const char *text, void *dst,
                           ql_status (*item)(const ql_option *, const char *, void *, int,
                                             ql_err *),
                           int *n, ql_err *err)
{
    *n = 0;
    if (strcmp(text, "none") == 0) return QL_OK;
    for (const char *at = text;; at++) {
        char part[64];
        size_t len = strcspn(at, ",");
        if (*n == QL_LIST_MAX)
            return ql_fail(err, QL_EUSAGE, "'%.80s' has more than %d items", text, QL_LIST_MAX);
        snprintf(part, sizeof part, "%.*s", len < sizeof part ? (int)len : (int)sizeof part - 1,
                 at);
        QL_TRY(item(row, part, dst, *n, err));
        ++*n;
        at += len;
        if (!*at) return QL_OK;
    }
}

static ql_status ints_item(const ql_option *row, const char *part, void *dst, int i, ql_err *err)
{
    return parse_int(row, part, &((ql_int_list *)dst)->v[i], err);
}

static ql_status ints_set(const ql_option *row, const char *text, void *dst, ql_err *err)
{
    ql_int_list list = {0};
    QL_TRY(each_item(row, text, &list, ints_item, &list.n, err));
    *(ql_int_list *)dst = list;
    return QL_OK;
}

static void ints_format(const ql_option *row, const void *src, ql_str *out)
{
    const ql_int_list *list = src;
    (void)row;
    if (list->n == 0) ql_str_puts(out, "none");
    for (int i = 0; i < list->n; i++) ql_str_printf(out, "%s%d", i ? "," : "", list->v[i]);
}

static bool ints_is_unset(const void *src)
{
    return ((const ql_int_list *)src)->n == 0;
}

static void ints_clear(void *dst)
{
    *(ql_int_list *)dst = (ql_int_list){0};
}

static ql_status doubles_item(const ql_option *row, const char *part, void *dst, int i, ql_err *err)
{
    return parse_double(row, part, &((ql_double_list *)dst)->v[i], err);
}

static ql_status doubles_set(const ql_option *row, const char *text, void *dst, ql_err *err)
{
    ql_double_list list = {0};
    QL_TRY(each_item(row, text, &list, doubles_item, &list.n, err));
    *(ql_double_list *)dst = list;
    return QL_OK;
}

static void doubles_format(const ql_option *row, const void *src, ql_str *out)
{
    const ql_double_list *list = src;
    (void)row;
    if (list->n == 0) ql_str_puts(out, "none");
    for (int i = 0; i < list->n; i++) {
        if (i) ql_str_puts(out, ",");
        put_double(list->v[i], out);
    }
}

static bool doubles_is_unset(const void *src)
{
    return ((const ql_double_list *)src)->n == 0;
}

static void doubles_clear(void *dst)
{
    *(ql_double_list *)dst = (ql_double_list){0};
}

static const value_type types[] = {
    [QL_OPT_FLAG] = {NULL, flag_set, flag_format, never_unset, flag_clear},
    [QL_OPT_INT] = {"N", int_set, int_format, int_is_unset, int_clear},
    [QL_OPT_INT64] = {"N", int64_set, int64_format, int64_is_unset, int64_clear},
    [QL_OPT_DOUBLE] = {"X", double_set, double_format, double_is_unset, double_clear},
    [QL_OPT_STRING] = {"TEXT", string_set, string_format, string_is_unset, string_clear},
    [QL_OPT_CHOICE] = {"NAME", choice_set, string_format, string_is_unset, string_clear},
    [QL_OPT_BYTES] = {"SIZE", bytes_set, bytes_format, int64_is_unset, int64_clear},
    [QL_OPT_INTS] = {"N,N,...", ints_set, ints_format, ints_is_unset, ints_clear},
    [QL_OPT_DOUBLES] = {"X,X,...", doubles_set, doubles_format, doubles_is_unset, doubles_clear},
};

/* ---- the interface ---- */

const char *ql_opt_choice(const ql_option *row, int i)
{
    if (row->choice_at) return row->choice_at(i);
    return row->choices ? row->choices[i] : NULL;
}

const char *ql_opt_unit(const ql_option *row)
{
    return row->unit ? row->unit : types[row->type].unit;
}

const char *ql_opt_default_text(const ql_option *row)
{
    if (row->def) return row->def;
    if (row->unset) return row->unset;
    return row->type == QL_OPT_FLAG ? "no" : NULL;
}

/* "auto" gives an option without a default back to the program; a file may be called auto. */
static bool means_unset(const ql_option *row, const char *text)
{
    bool word = !row->def && row->type != QL_OPT_FLAG && row->type != QL_OPT_STRING;
    return word && strcmp(text, "auto") == 0;
}

ql_status ql_opt_set(const ql_option *row, const char *text, void *dst, ql_err *err)
{
    if (text && !means_unset(row, text)) return types[row->type].set(row, text, dst, err);
    types[row->type].clear(dst);
    return QL_OK;
}

bool ql_opt_is_unset(const ql_option *row, const void *src)
{
    return !row->def && types[row->type].is_unset(src);
}

void ql_opt_format(const ql_option *row, const void *src, ql_str *out)
{
    if (!ql_opt_is_unset(row, src))
        types[row->type].format(row, src, out);
    else if (row->type != QL_OPT_STRING)
        ql_str_puts(out, "auto");
}
