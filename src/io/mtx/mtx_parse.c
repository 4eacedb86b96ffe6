#include "mtx_parse.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "../counts/numbers.h"
#include "quell/alloc.h"
#include "quell/strbuf.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

static const char *skip_blanks(const char *s, const char *end)
{
    while (s < end && is_blank(*s)) s++;
    return s;
}

static const char *skip_word(const char *s, const char *end)
{
    while (s < end && !is_blank(*s)) s++;
    return s;
}

/* --- header --- */

enum { BANNER_WORDS = 4 };

/* Words behind the tag, in any case: matrix coordinate integer general. */
static int banner_words(const char *s, const char *end, char word[BANNER_WORDS][32])
{
    int n = 0;
    for (s = skip_blanks(s, end); s < end && n < BANNER_WORDS; s = skip_blanks(s, end)) {
        const char *stop = skip_word(s, end);
        size_t len = (size_t)(stop - s) < 31 ? (size_t)(stop - s) : 31;
        memcpy(word[n], s, len);
        word[n++][len] = '\0';
        s = stop;
    }
    return n;
}

static ql_status parse_banner(const char *s, const char *end, ql_mtx_header *h, ql_err *err)
{
    static const char tag[] = "%%MatrixMarket";
    static const char *const integers[] = {"integer", "unsigned-integer", NULL};
    static const char *const reals[] = {"real", "double", NULL};
    char w[BANNER_WORDS][32] = {{0}};
    if ((size_t)(end - s) < sizeof tag - 1 || memcmp(s, tag, sizeof tag - 1) != 0)
        return ql_fail(err, QL_EDATA, "line 1: does not begin with %%%%MatrixMarket");
    if (banner_words(s + sizeof tag - 1, end, w) < BANNER_WORDS || strcasecmp(w[0], "matrix") != 0)
        return ql_fail(err, QL_EDATA, "line 1: is no MatrixMarket header of a matrix");
    h->array = strcasecmp(w[1], "array") == 0;
    h->pattern = strcasecmp(w[2], "pattern") == 0;
    h->integer = ql_is_word_of(w[2], integers);
    h->symmetric = strcasecmp(w[3], "symmetric") == 0;
    if (!h->array && strcasecmp(w[1], "coordinate") != 0)
        return ql_fail(err, QL_EDATA, "line 1: \"%s\" is neither coordinate nor array", w[1]);
    if (!h->pattern && !h->integer && !ql_is_word_of(w[2], reals))
        return ql_fail(err, QL_EDATA, "line 1: values of kind \"%s\" are no counts", w[2]);
    if (!h->symmetric && strcasecmp(w[3], "general") != 0)
        return ql_fail(err, QL_EDATA, "line 1: a matrix that is \"%s\" is no count matrix", w[3]);
    if (h->array && (h->pattern || h->symmetric))
        return ql_fail(err, QL_EDATA, "line 1: array %s %s is not read", w[2], w[3]);
    return QL_OK;
}

/* Digits to a number, at most 1e18 (which is then "too large" wherever it is compared). False when
 * there is no digit. */
static bool parse_uint(const char **at, const char *end, uint64_t *out)
{
    const char *s = *at;
    uint64_t x = 0;
    for (; s < end && (unsigned char)(*s - '0') < 10; s++) {
        x = x * 10 + (uint64_t)(*s - '0');
        if (x > UINT64_C(1000000000000000000)) x = UINT64_C(1000000000000000000);
    }
    bool any = s > *at;
    *at = s;
    *out = x;
    return any;
}

static ql_status parse_sizes(const char *s, const char *end, int64_t line, ql_mtx_header *h,
                             ql_err *err)
{
    uint64_t size[3] = {0, 0, 0};
    int want = h->array ? 2 : 3, n = 0;
    for (s = skip_blanks(s, end); n < want && parse_uint(&s, end, &size[n]);
         s = skip_blanks(s, end))
        n++;
    if (n != want || s != end)
        return ql_fail(err, QL_EDATA, "line %" PRId64 ": %s expected", line,
                       h->array ? "the two sizes" : "rows, columns and number of entries");
    if (size[0] > INT32_MAX || size[1] > INT32_MAX)
        return ql_fail(err, QL_EDATA,
                       "line %" PRId64 ": announces %" PRIu64 " x %" PRIu64
                       ", more than 2147483647",
                       line, size[0], size[1]);
    h->n_rows = (int64_t)size[0];
    h->n_cols = (int64_t)size[1];
    h->n_entries = h->array ? h->n_rows * h->n_cols : (int64_t)size[2];
    if (h->symmetric && h->n_rows != h->n_cols)
        return ql_fail(err, QL_EDATA, "line %" PRId64 ": is symmetric but %" PRId64 " x %" PRId64,
                       line, h->n_rows, h->n_cols);
    return QL_OK;
}

ql_status ql_mtx_parse_header(const char *text, size_t n, ql_mtx_header *header, size_t *used,
                              int64_t *n_lines, ql_err *err)
{
    const char *s = text, *end = text + n;
    *header = (ql_mtx_header){0};
    *n_lines = 0;
    if (n == 0) return ql_fail(err, QL_EDATA, "is empty");
    if (n >= 3 && memcmp(s, "\xEF\xBB\xBF", 3) == 0) s += 3;
    while (s < end) {
        const char *eol = memchr(s, '\n', (size_t)(end - s));
        const char *stop = eol ? eol : end;
        if (++*n_lines == 1) {
            QL_TRY(parse_banner(s, stop, header, err));
        } else if (skip_blanks(s, stop) < stop && *skip_blanks(s, stop) != '%') {
            *used = (size_t)((eol ? eol + 1 : end) - text);
            return parse_sizes(s, stop, *n_lines, header, err);
        }
        s = eol ? eol + 1 : end;
    }
    return ql_fail(err, QL_EDATA, "line %" PRId64 ": the file ends before the line with the sizes",
                   *n_lines + 1);
}

/* --- entries --- */

ql_status ql_mtx_piece_reserve(ql_mtx_piece *piece, int64_t n, ql_err *err)
{
    if (n <= piece->cap) return QL_OK;
    ql_mtx_piece_free(piece);
    QL_TRY(QL_NEW(piece->row, n, "entries in work", err));
    QL_TRY(QL_NEW(piece->col, n, "entries in work", err));
    QL_TRY(QL_NEW(piece->value, n, "entries in work", err));
    piece->cap = n;
    return QL_OK;
}

void ql_mtx_piece_free(ql_mtx_piece *piece)
{
    ql_free(piece->row);
    ql_free(piece->col);
    ql_free(piece->value);
    *piece = (ql_mtx_piece){0};
}

/* Anything that is no plain integer: a copy of the word through strtod (C locale). */
static bool parse_slow(const char **at, const char *end, float *out)
{
    char word[64], *stop = NULL;
    const char *after = skip_word(*at, end);
    size_t len = (size_t)(after - *at);
    if (len == 0 || len >= sizeof word) return false;
    memcpy(word, *at, len);
    word[len] = '\0';
    if (strpbrk(word, "xXpP")) return false; /* strtod's hexadecimal is no MatrixMarket */
    double x = strtod(word, &stop);
    if (*stop) return false;
    *out = ql_f32_of_f64(x);
    *at = after;
    return true;
}

static bool parse_value(const char **at, const char *end, float *out)
{
    const char *s = *at;
    uint64_t x = 0;
    if (!parse_uint(&s, end, &x) || (s < end && !is_blank(*s)) || s - *at > 17)
        return parse_slow(at, end, out);
    *out = (float)x;
    *at = s;
    return true;
}

static bool fail_line(ql_mtx_piece *p, const char *fmt, ...) QL_PRINTF(2, 3);
static bool fail_line(ql_mtx_piece *p, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    (void)vsnprintf(p->why, sizeof p->why, fmt, args);
    va_end(args);
    p->bad_line = p->n_lines;
    return false;
}

static bool fail_range(ql_mtx_piece *p, const char *what, uint64_t i, int64_t size)
{
    if (i == 0)
        return fail_line(p, "%s is 0, but they count from 1 (are the indices 0-based?)", what);
    return fail_line(p, "%s is %" PRIu64 ", but there are %" PRId64, what, i, size);
}

static bool check_value(const ql_mtx_header *h, ql_mtx_piece *p, float x)
{
    if (!h->integer || x == rintf(x)) return true;
    return fail_line(p, "has the value %g in a file of integers", (double)x);
}

/* Zeros are overwritten by what comes next. */
static inline void put_entry(ql_mtx_piece *p, int32_t row, int32_t col, float x)
{
    p->row[p->n] = row;
    p->col[p->n] = col;
    p->value[p->n] = x;
    p->n += x != 0.0f;
}

/* One line that is neither blank nor a comment. */
static bool parse_entry(const ql_mtx_header *h, const char *s, const char *end, ql_mtx_piece *p)
{
    uint64_t row = 0, col = 0;
    float x = 1.0f;
    if (!h->array) {
        bool ok = parse_uint(&s, end, &row);
        const char *gap = skip_blanks(s, end);
        ok = ok && gap > s;
        s = gap;
        ok = ok && parse_uint(&s, end, &col) && (s == end || is_blank(*s));
        if (!ok) return fail_line(p, "is no entry (row, column, value)");
        if (row - 1 >= (uint64_t)h->n_rows) return fail_range(p, "the row", row, h->n_rows);
        if (col - 1 >= (uint64_t)h->n_cols) return fail_range(p, "the column", col, h->n_cols);
        s = skip_blanks(s, end);
    }
    if (!h->pattern && !parse_value(&s, end, &x))
        return fail_line(p, "has no value, or one that is no number");
    if (skip_blanks(s, end) < end) return fail_line(p, "has more fields than expected");
    if (!check_value(h, p, x)) return false;
    if (p->n + 2 > p->cap) return fail_line(p, "is one entry too many for its block");
    if (h->array) row = (uint64_t)p->n_entries + 1;
    put_entry(p, (int32_t)(row - 1), (int32_t)(col - 1), x);
    if (h->symmetric && row != col) put_entry(p, (int32_t)(col - 1), (int32_t)(row - 1), x);
    p->n_entries++;
    return true;
}

/* One line as the general rules have it; returns where the next one begins, NULL if it is bad. */
static const char *parse_line(const ql_mtx_header *h, const char *s, const char *end,
                              ql_mtx_piece *p)
{
    const char *eol = memchr(s, '\n', (size_t)(end - s));
    const char *stop = eol ? eol : end;
    p->n_lines++;
    s = skip_blanks(s, stop);
    if (s < stop && *s != '%' && !parse_entry(h, s, stop, p)) return NULL;
    return eol ? eol + 1 : end;
}

/* --- the usual line: "12 345 6", one blank between whole numbers of at most 9 digits --- */

enum { FAST_DIGITS = 9 };

/* Digits at s, which end at the latest at the newline that closes the text; 0 digits or too many:
 * false. */
static inline bool fast_uint(const char **at, uint32_t *out)
{
    const char *s = *at;
    uint32_t x = 0, digit;
    while ((digit = (uint32_t)(unsigned char)*s - '0') < 10) {
        x = x * 10 + digit;
        s++;
    }
    ptrdiff_t n = s - *at;
    *at = s;
    *out = x;
    return n > 0 && n <= FAST_DIGITS;
}

/* Entries from s on as long as lines are usual; text[..last] ends with a newline at last. Returns
 * the first line that is not, or the end. */
static const char *parse_usual(const ql_mtx_header *h, const char *s, const char *last,
                               ql_mtx_piece *p)
{
    const uint32_t n_rows = (uint32_t)h->n_rows, n_cols = (uint32_t)h->n_cols;
    const int64_t room = p->cap - 1, before = p->n_entries;
    int64_t seen = 0;
    const char *line = s;
    for (; s <= last && p->n < room; line = s, seen++) {
        uint32_t row, col, x;
        if (!fast_uint(&s, &row) || *s++ != ' ' || !fast_uint(&s, &col) || *s++ != ' ') break;
        if (!fast_uint(&s, &x) || *s++ != '\n') break;
        if (row - 1 >= n_rows || col - 1 >= n_cols) break;
        put_entry(p, (int32_t)(row - 1), (int32_t)(col - 1), (float)x);
    }
    p->n_entries = before + seen;
    p->n_lines += seen;
    return line;
}

static const char *last_newline(const char *text, size_t n)
{
    while (n > 0 && text[n - 1] != '\n') n--;
    return n > 0 ? text + n - 1 : NULL;
}

void ql_mtx_parse_piece(const ql_mtx_header *header, const char *text, size_t n,
                        ql_mtx_piece *piece)
{
    const char *s = text, *end = text + n, *last = last_newline(text, n);
    bool usual = last && !header->array && !header->pattern && !header->symmetric;
    piece->n = piece->n_entries = piece->n_lines = piece->bad_line = 0;
    while (s && s < end) {
        if (usual && s <= last) s = parse_usual(header, s, last, piece);
        if (s < end) s = parse_line(header, s, end, piece);
    }
}
