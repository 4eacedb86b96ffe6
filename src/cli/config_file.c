/* Config files: a flat JSON object, or "key = value" lines with '#' comments. Untrusted text. */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "option_internal.h"
#include "quell/alloc.h"

enum { MAX_FILE = 1 << 20 };

typedef struct {
    char *at;
    const char *path;
    int line;
    ql_config_found *found;
    void *ctx;
    ql_str value; /* of the key at work */
} scan;

static ql_status bad(const scan *s, const char *what, ql_err *err)
{
    return ql_fail(err, QL_EUSAGE, "%s: line %d: %s", s->path, s->line, what);
}

/* ---- JSON ---- */

static void skip_space(scan *s)
{
    for (; *s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'; s->at++)
        s->line += *s->at == '\n';
}

static bool next_is(scan *s, char c)
{
    skip_space(s);
    if (*s->at != c) return false;
    s->at++;
    return true;
}

static int hex4(const char *at)
{
    int v = 0;
    for (int i = 0; i < 4; i++) {
        int c = tolower((unsigned char)at[i]);
        if (!isxdigit(c)) return -1;
        v = 16 * v + (c <= '9' ? c - '0' : c - 'a' + 10);
    }
    return v;
}

static void put_utf8(long c, ql_str *out)
{
    char b[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const int lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = n; i-- > 1; c >>= 6) b[i] = (char)(0x80 | (c & 0x3F));
    b[0] = (char)(lead[n] | c);
    ql_str_bytes(out, b, n);
}

/* After "\u": one code point, which may be two escapes. false: malformed. */
static bool unicode_escape(scan *s, ql_str *out)
{
    long c = hex4(s->at);
    if (c <= 0) return false;
    s->at += 4;
    if (c >= 0xD800 && c < 0xDC00) {
        long low = s->at[0] == '\\' && s->at[1] == 'u' ? hex4(s->at + 2) : -1;
        if (low < 0xDC00 || low > 0xDFFF) return false;
        s->at += 6;
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
    } else if (c >= 0xDC00 && c <= 0xDFFF) {
        return false;
    }
    put_utf8(c, out);
    return true;
}

static bool escape(scan *s, ql_str *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    char c = *s->at++;
    if (c == 'u') return unicode_escape(s, out);
    const char *which = c ? strchr(from, c) : NULL;
    if (!which) return false;
    ql_str_bytes(out, &to[which - from], 1);
    return true;
}

/* After the opening quote; appends to out. */
static ql_status json_string(scan *s, ql_str *out, ql_err *err)
{
    for (;;) {
        size_t n = strcspn(s->at, "\"\\\n");
        ql_str_bytes(out, s->at, n);
        s->at += n;
        char c = *s->at;
        if (c != '"' && c != '\\') return bad(s, "a string is not closed", err);
        s->at++;
        if (c == '"') return QL_OK;
        if (!escape(s, out)) return bad(s, "a string holds an escape that is no JSON", err);
    }
}

/* A number or word; true and false are read by the flag type. */
static ql_status json_scalar(scan *s, ql_str *out, ql_err *err)
{
    skip_space(s);
    if (next_is(s, '"')) return json_string(s, out, err);
    size_t n = strspn(s->at, "0123456789+-.abcdefghijklmnopqrstuvwxyzE");
    if (n == 0)
        return bad(s, "a string, number, true, false, null or a list of these must follow", err);
    ql_str_bytes(out, s->at, n);
    s->at += n;
    return QL_OK;
}

static ql_status json_list(scan *s, ql_err *err)
{
    if (next_is(s, ']')) {
        ql_str_puts(&s->value, "none");
        return QL_OK;
    }
    do {
        if (s->value.len) ql_str_puts(&s->value, ",");
        QL_TRY(json_scalar(s, &s->value, err));
    } while (next_is(s, ','));
    return next_is(s, ']') ? QL_OK : bad(s, "a list is not closed", err);
}

static ql_status json_member(scan *s, ql_str *key, ql_err *err)
{
    ql_str_clear(key);
    ql_str_clear(&s->value);
    if (!next_is(s, '"')) return bad(s, "an option name in quotes must follow", err);
    QL_TRY(json_string(s, key, err));
    if (!next_is(s, ':')) return bad(s, "':' must follow an option name", err);
    skip_space(s);
    int line = s->line;
    bool quoted = *s->at == '"';
    if (next_is(s, '['))
        QL_TRY(json_list(s, err));
    else
        QL_TRY(json_scalar(s, &s->value, err));
    if (key->failed || s->value.failed) return ql_fail(err, QL_EMEMORY, "%s: no memory", s->path);
    if (!quoted && strcmp(ql_str_text(&s->value), "null") == 0) return QL_OK; /* unset */
    return s->found(s->ctx, ql_str_text(key), ql_str_text(&s->value), line, err);
}

static ql_status json_members(scan *s, ql_err *err)
{
    ql_str key = {0};
    ql_status st = QL_OK;
    do st = json_member(s, &key, err);
    while (st == QL_OK && next_is(s, ','));
    ql_str_free(&key);
    if (st != QL_OK) return st;
    return next_is(s, '}') ? QL_OK : bad(s, "',' or '}' must follow a value", err);
}

static ql_status json_object(scan *s, ql_err *err)
{
    if (!next_is(s, '}')) QL_TRY(json_members(s, err));
    skip_space(s);
    return *s->at ? bad(s, "there is text after the closing '}'", err) : QL_OK;
}

/* ---- key = value lines ---- */

static char *trim(char *text)
{
    while (isspace((unsigned char)*text)) text++;
    size_t n = strlen(text);
    while (n && isspace((unsigned char)text[n - 1])) n--;
    text[n] = '\0';
    return text;
}

static ql_status quoted_value(scan *s, char *text, ql_err *err)
{
    s->at = text + 1;
    QL_TRY(json_string(s, &s->value, err));
    if (*s->at) return bad(s, "there is text after the closing quote", err);
    return s->value.failed ? ql_fail(err, QL_EMEMORY, "%s: no memory", s->path) : QL_OK;
}

static ql_status one_line(scan *s, char *line, ql_err *err)
{
    line = trim(line);
    if (!*line || *line == '#') return QL_OK;
    char *equals = strchr(line, '=');
    if (!equals) return bad(s, "this is not 'option = value'", err);
    *equals = '\0';
    char *value = trim(equals + 1);
    ql_str_clear(&s->value);
    if (*value == '"') {
        QL_TRY(quoted_value(s, value, err));
        return s->found(s->ctx, trim(line), ql_str_text(&s->value), s->line, err);
    }
    return s->found(s->ctx, trim(line), value, s->line, err);
}

static ql_status lines(scan *s, ql_err *err)
{
    for (char *next = s->at; *next; s->line++) {
        char *line = next;
        next += strcspn(next, "\n");
        if (*next) *next++ = '\0';
        QL_TRY(one_line(s, line, err));
    }
    return QL_OK;
}

ql_status ql_config_parse(char *text, const char *path, ql_config_found *found, void *ctx,
                          ql_err *err)
{
    scan s = {.at = text, .path = path, .line = 1, .found = found, .ctx = ctx};
    if (strncmp(text, "\xEF\xBB\xBF", 3) == 0) s.at += 3;
    char *first = s.at + strspn(s.at, " \t\r\n");
    ql_status st = *first == '{' && next_is(&s, '{') ? json_object(&s, err) : lines(&s, err);
    ql_str_free(&s.value);
    return st;
}

ql_status ql_config_read(const char *path, ql_config_found *found, void *ctx, ql_err *err)
{
    char *text = NULL;
    ql_status st = QL_OK;
    size_t n = 0;
    FILE *f = fopen(path, "rb");
    if (!f) return ql_fail(err, QL_ENOINPUT, "%s: %s", path, strerror(errno));
    QL_GO(QL_NEW(text, MAX_FILE + 1, "the config file", err));
    n = fread(text, 1, MAX_FILE + 1, f);
    if (ferror(f)) QL_GO(ql_fail(err, QL_ENOINPUT, "%s: %s", path, strerror(errno)));
    if (n > MAX_FILE) QL_GO(ql_fail(err, QL_EUSAGE, "%s: too large for a config file", path));
    if (memchr(text, 0, n)) QL_GO(ql_fail(err, QL_EUSAGE, "%s: this is no text file", path));
    text[n] = '\0';
    QL_GO(ql_config_parse(text, path, found, ctx, err));
out:
    ql_free(text);
    fclose(f);
    return st;
}
