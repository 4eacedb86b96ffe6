/* A growable string. Zero-initialise it, append, read .text (always NUL-terminated once something
 * was appended), release with ql_str_free. An allocation failure sets .failed and drops appends;
 * check it once at the end. */
#ifndef QUELL_STRBUF_H
#define QUELL_STRBUF_H

#include <stdbool.h>
#include <stddef.h>

#include "quell/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    char *text; /* owned; NULL while empty */
    size_t len, cap;
    bool failed;
} ql_str;

void ql_str_bytes(ql_str *s, const char *bytes, size_t n);
void ql_str_puts(ql_str *s, const char *text);
void ql_str_printf(ql_str *s, const char *fmt, ...) QL_PRINTF(2, 3);
const char *ql_str_text(const ql_str *s); /* "" while empty */
void ql_str_clear(ql_str *s);             /* keeps the memory */
void ql_str_free(ql_str *s);

/* Text from a file made safe for one line of a message: control bytes and invalid UTF-8 as \xNN,
 * cut at 80 bytes with "...". Appends to s. */
void ql_str_escape(ql_str *s, const char *bytes, size_t n);

/* Place of text in the list, which ends with NULL and may be NULL itself; -1: nowhere. */
int ql_place_in(const char *text, const char *const *list);

/* Is it there at all? The second in any case of letters. */
bool ql_is_one_of(const char *text, const char *const *list);
bool ql_is_word_of(const char *text, const char *const *list);

/* *out = a copy of text (NULL: of ""), for the caller to ql_free. */
QL_MUST_USE ql_status ql_text_copy(const char *text, char **out, ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
