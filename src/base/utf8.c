/* UTF-8 decoding of untrusted bytes. */
#include "quell/utf8.h"

#include <string.h>

/* Number of continuation bytes that a lead byte announces, its payload bits, and the least code
 * point that needs that length (anything below is an overlong form). */
typedef struct {
    uint8_t mask, lead, payload;
    size_t tail;
    uint32_t least;
} form;

static const form FORMS[] = {
    {0x80, 0x00, 0x7f, 0, 0},
    {0xe0, 0xc0, 0x1f, 1, 0x80},
    {0xf0, 0xe0, 0x0f, 2, 0x800},
    {0xf8, 0xf0, 0x07, 3, 0x10000},
};

static const form *form_of(uint8_t lead)
{
    for (size_t i = 0; i < sizeof FORMS / sizeof FORMS[0]; i++)
        if ((lead & FORMS[i].mask) == FORMS[i].lead) return &FORMS[i];
    return NULL;
}

static bool is_scalar(uint32_t code)
{
    return code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

size_t ql_utf8_char(const char *bytes, size_t n, uint32_t *code)
{
    const uint8_t *b = (const uint8_t *)bytes;
    const form *f = n > 0 ? form_of(b[0]) : NULL;

    if (!f || f->tail >= n) return 0;
    uint32_t c = b[0] & f->payload;
    for (size_t i = 1; i <= f->tail; i++) {
        if ((b[i] & 0xc0) != 0x80) return 0;
        c = c << 6 | (b[i] & 0x3f);
    }
    if (c < f->least || !is_scalar(c)) return 0;
    if (code) *code = c;
    return f->tail + 1;
}

bool ql_utf8_valid(const char *bytes, size_t n)
{
    for (size_t i = 0; i < n;) {
        size_t step = ql_utf8_char(bytes + i, n - i, NULL);
        if (step == 0) return false;
        i += step;
    }
    return true;
}

size_t ql_utf8_cut(const char *bytes, size_t n)
{
    size_t start = n;
    for (int back = 0; back < 4 && start > 0; back++) {
        start--;
        if (((uint8_t)bytes[start] & 0xc0) != 0x80) break;
    }
    /* Bytes that are no UTF-8 at all are left as they are. */
    const form *f = start < n ? form_of((uint8_t)bytes[start]) : NULL;
    return f && start + f->tail >= n ? start : n;
}

typedef struct {
    uint32_t first, last;
} code_range;

/* What could break a line or steer a terminal: control characters, line separators, and the marks
 * that reverse the direction of writing. */
static const code_range UNSAFE[] = {
    {0x00, 0x1f},     {0x7f, 0x9f},     {0x200e, 0x200f},
    {0x2028, 0x202e}, {0x2066, 0x2069}, {0xfeff, 0xfeff},
};

bool ql_utf8_unsafe(uint32_t code)
{
    for (size_t i = 0; i < sizeof UNSAFE / sizeof UNSAFE[0]; i++)
        if (code >= UNSAFE[i].first && code <= UNSAFE[i].last) return true;
    return false;
}

void ql_utf8_make_safe(char *text)
{
    char *to = text;
    for (size_t left = strlen(text), n; left > 0; text += n, left -= n) {
        uint32_t code = 0;
        size_t used = ql_utf8_char(text, left, &code);
        bool good = used > 0 && !ql_utf8_unsafe(code);
        n = used ? used : 1;
        if (good) memmove(to, text, n);
        if (!good) *to = '?';
        to += good ? n : 1;
    }
    *to = '\0';
}
