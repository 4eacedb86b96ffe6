/* A growable string. */
#include "quell/strbuf.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "quell/alloc.h"
#include "quell/utf8.h"

enum { FIRST_CAP = 64, ESCAPE_MAX = 80 };

/* Room for n more bytes and the NUL. */
static bool reserve(ql_str *s, size_t n)
{
    if (s->failed) return false;
    if (n >= SIZE_MAX / 2 - s->len) {
        s->failed = true;
        return false;
    }
    size_t need = s->len + n + 1;
    if (need <= s->cap) return true;
    size_t cap = s->cap ? s->cap : FIRST_CAP;
    while (cap < need) cap *= 2;
    char *text = ql_realloc(s->text, (int64_t)cap, 1);
    if (!text) {
        s->failed = true;
        return false;
    }
    s->text = text;
    s->cap = cap;
    return true;
}

void ql_str_bytes(ql_str *s, const char *bytes, size_t n)
{
    if (!reserve(s, n)) return;
    if (n > 0) memcpy(s->text + s->len, bytes, n);
    s->len += n;
    s->text[s->len] = '\0';
}

void ql_str_puts(ql_str *s, const char *text)
{
    ql_str_bytes(s, text, strlen(text));
}

void ql_str_printf(ql_str *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0) s->failed = true;
    if (n < 0 || !reserve(s, (size_t)n)) return;

    va_start(ap, fmt);
    vsnprintf(s->text + s->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    s->len += (size_t)n;
}

const char *ql_str_text(const ql_str *s)
{
    return s->text ? s->text : "";
}

void ql_str_clear(ql_str *s)
{
    s->len = 0;
    s->failed = false;
    if (s->text) s->text[0] = '\0';
}

void ql_str_free(ql_str *s)
{
    if (!s) return;
    ql_free(s->text);
    *s = (ql_str){0};
}

/* One character at bytes as it is shown, in piece (NUL-terminated); returns the bytes consumed. */
static size_t show_char(const char *bytes, size_t n, char piece[8])
{
    uint32_t code = 0;
    size_t used = ql_utf8_char(bytes, n, &code);
    if (used > 0 && !ql_utf8_unsafe(code)) {
        memcpy(piece, bytes, used);
        piece[used] = '\0';
        return used;
    }
    snprintf(piece, 8, "\\x%02X", (unsigned char)bytes[0]);
    return 1;
}

void ql_str_escape(ql_str *s, const char *bytes, size_t n)
{
    char piece[8];
    size_t shown = 0;
    for (size_t i = 0; i < n;) {
        i += show_char(bytes + i, n - i, piece);
        shown += strlen(piece);
        if (shown > ESCAPE_MAX) {
            ql_str_puts(s, "...");
            return;
        }
        ql_str_puts(s, piece);
    }
}

int ql_place_in(const char *text, const char *const *list)
{
    for (int i = 0; list && list[i]; i++)
        if (strcmp(text, list[i]) == 0) return i;
    return -1;
}

bool ql_is_one_of(const char *text, const char *const *list)
{
    return ql_place_in(text, list) >= 0;
}

bool ql_is_word_of(const char *text, const char *const *list)
{
    for (; list && *list; list++)
        if (strcasecmp(text, *list) == 0) return true;
    return false;
}

ql_status ql_text_copy(const char *text, char **out, ql_err *err)
{
    const char *from = text ? text : "";
    size_t n = strlen(from) + 1;
    QL_TRY(QL_NEW(*out, (int64_t)n, "a text", err));
    memcpy(*out, from, n);
    return QL_OK;
}
