#include "xml_text.h"

#include <stdlib.h>
#include <string.h>

#include "quell/strbuf.h"
#include "quell/utf8.h"

static size_t encode_utf8(unsigned long c, char *out)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    int n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (int i = n - 1; i > 0; i--, c >>= 6) out[i] = (char)(0x80 | (c & 0x3F));
    out[0] = (char)(lead[n] | c);
    return (size_t)n;
}

/* The reference at s, or 0. *len is its length in the text. */
static unsigned long reference(const char *s, size_t *len)
{
    if (s[0] != '&' || s[1] != '#') return 0;
    bool hex = s[2] == 'x' || s[2] == 'X';
    const char *digits = s + 2 + hex;
    size_t n = strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789");
    if (n == 0 || n > 7 || digits[n] != ';') return 0;
    unsigned long c = strtoul(digits, NULL, hex ? 16 : 10);
    *len = (size_t)(digits - s) + n + 1;
    return c > 0x10FFFF || (c >= 0xD800 && c < 0xE000) || c < 0x20 ? 0 : c;
}

static void decode(const char *s, ql_str *out)
{
    char utf8[4];
    while (*s) {
        size_t len = 0;
        unsigned long c = reference(s, &len);
        if (c)
            ql_str_bytes(out, utf8, encode_utf8(c, utf8));
        else
            ql_str_bytes(out, s, 1);
        s += c ? len : 1;
    }
}

static bool any_reference(const ql_names *names)
{
    for (int64_t i = 0; i < names->n; i++)
        if (strstr(ql_name(names, i), "&#")) return true;
    return false;
}

ql_status ql_xml_decode_names(ql_names *names, ql_err *err)
{
    ql_names decoded = {0};
    ql_str text = {0};
    ql_status st = QL_OK;
    if (!any_reference(names)) return QL_OK;
    for (int64_t i = 0; st == QL_OK && i < names->n; i++) {
        ql_str_clear(&text);
        decode(ql_name(names, i), &text);
        st = text.failed
                 ? ql_fail(err, QL_EMEMORY, "no memory for names")
                 : ql_names_add(&decoded, ql_str_text(&text), strlen(ql_str_text(&text)), err);
    }
    ql_str_free(&text);
    if (st == QL_OK) {
        ql_names_free(names);
        *names = decoded;
    } else {
        ql_names_free(&decoded);
    }
    return st;
}

static void encode(const char *s, ql_str *out)
{
    for (size_t n = strlen(s); n > 0;) {
        uint32_t code = 0;
        size_t len = ql_utf8_char(s, n, &code);
        bool plain = len == 1 && (s[0] != '&' || s[1] != '#');
        if (len == 0) len = 1; /* names are valid UTF-8: does not happen */
        if (plain)
            ql_str_bytes(out, s, 1);
        else
            ql_str_printf(out, "&#%lu;", (unsigned long)code);
        s += len;
        n -= len;
    }
}

ql_status ql_xml_encode_names(const ql_names *names, ql_names *out, ql_err *err)
{
    ql_str text = {0};
    ql_status st = QL_OK;
    for (int64_t i = 0; st == QL_OK && i < names->n; i++) {
        ql_str_clear(&text);
        encode(ql_name(names, i), &text);
        st = text.failed ? ql_fail(err, QL_EMEMORY, "no memory for names")
                         : ql_names_add(out, ql_str_text(&text), text.len, err);
    }
    ql_str_free(&text);
    return st;
}
