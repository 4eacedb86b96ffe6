/* UTF-8, as strict as a text from a file needs: no overlong forms, no surrogates, nothing above
 * U+10FFFF. */
#ifndef QUELL_UTF8_H
#define QUELL_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Bytes of the character that starts at bytes[0] (n of them are there), or 0 when none starts
 * there. *code (may be NULL) is its code point. */
size_t ql_utf8_char(const char *bytes, size_t n, uint32_t *code);

/* A character that could break a line or steer a terminal: not to be shown as it is. */
bool ql_utf8_unsafe(uint32_t code);

/* Such characters, and bytes that are no UTF-8, become '?', in place. */
void ql_utf8_make_safe(char *text);

bool ql_utf8_valid(const char *bytes, size_t n);

/* Length <= n at which text can be cut without cutting a character in two. n bytes are there. */
size_t ql_utf8_cut(const char *bytes, size_t n);

#ifdef __cplusplus
}
#endif
#endif
