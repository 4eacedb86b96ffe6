#include "table_text.h"

#include <string.h>
#include <strings.h>

#include "../text/decimal.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

const char *ql_next_line(const char **at, const char *end, size_t *n)
{
    const char *line = *at;
    if (line >= end) return NULL;
    const char *eol = memchr(line, '\n', (size_t)(end - line)), *stop = eol ? eol : end;
    *at = eol ? eol + 1 : end;
    if (stop > line && stop[-1] == '\r') stop--;
    *n = (size_t)(stop - line);
    return line;
}

bool ql_is_blank_line(const char *line, size_t n)
{
    while (n && line[n - 1] == ' ') n--;
    return n == 0;
}

static const char *skip_blanks(const char *s, const char *end)
{
    while (s < end && is_blank(*s)) s++;
    return s;
}

ql_fields ql_fields_of(const char *line, size_t n, char delim)
{
    ql_fields r = {.s = line, .end = line + n, .delim = delim, .more = true};
    if (delim == QL_BLANKS) {
        r.s = skip_blanks(r.s, r.end);
        r.more = r.s < r.end;
    }
    return r;
}

static bool is_delim(const ql_fields *r, char c)
{
    return r->delim == QL_BLANKS ? is_blank(c) : c == r->delim;
}

/* The field ends at stop; go behind the delimiter there. */
static void go_on(ql_fields *r, const char *stop)
{
    if (r->delim == QL_BLANKS) {
        r->s = skip_blanks(stop, r->end);
        r->more = r->s < r->end;
    } else {
        r->more = stop < r->end;
        r->s = r->more ? stop + 1 : stop;
    }
}

/* A quote belongs to the name unless another one closes the field: 5'-names and the like. */
static bool next_quoted(ql_fields *r, ql_field *f)
{
    char quote = *r->s;
    const char *s = r->s + 1;
    for (;; s++) {
        s = s < r->end ? memchr(s, quote, (size_t)(r->end - s)) : NULL;
        if (!s) {
            r->unclosed = r->unclosed || quote == '"';
            return false;
        }
        if (s + 1 < r->end && s[1] == quote)
            s++;
        else
            break;
    }
    if (s + 1 < r->end && !is_delim(r, s[1])) return false;
    *f = (ql_field){r->s + 1, (size_t)(s - r->s - 1), quote};
    go_on(r, s + 1);
    return true;
}

static const char *find_delim(const ql_fields *r)
{
    if (r->delim != QL_BLANKS) {
        const char *d = r->s < r->end ? memchr(r->s, r->delim, (size_t)(r->end - r->s)) : NULL;
        return d ? d : r->end;
    }
    const char *s = r->s;
    while (s < r->end && !is_blank(*s)) s++;
    return s;
}

bool ql_next_field(ql_fields *r, ql_field *f)
{
    if (!r->more) return false;
    if (r->s < r->end && (*r->s == '"' || *r->s == '\'') && next_quoted(r, f)) return true;
    const char *stop = find_delim(r), *s = r->s, *end = stop;
    while (s < end && *s == ' ') s++;
    while (end > s && end[-1] == ' ') end--;
    *f = (ql_field){s, (size_t)(end - s), 0};
    go_on(r, stop);
    return true;
}

int64_t ql_count_fields(const char *line, size_t n, char delim)
{
    ql_fields r = ql_fields_of(line, n, delim);
    ql_field f;
    int64_t count = 0;
    while (ql_next_field(&r, &f)) count++;
    return count;
}

bool ql_field_is(const ql_field *f, const char *text)
{
    return strlen(text) == f->n && strncasecmp(f->s, text, f->n) == 0;
}

bool ql_field_is_number(const ql_field *f)
{
    double x;
    return ql_decimal(f->s, f->n, &x);
}

size_t ql_field_text(const ql_field *f, ql_str *buf, const char **text)
{
    *text = f->s;
    if (!f->quote || !memchr(f->s, f->quote, f->n)) return f->n;
    ql_str_clear(buf);
    for (size_t i = 0; i < f->n; i++) {
        ql_str_bytes(buf, f->s + i, 1);
        if (f->s[i] == f->quote) i++;
    }
    *text = ql_str_text(buf);
    return buf->len;
}
