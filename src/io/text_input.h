/* Text files, plain or gzip, as blocks of bytes or as whole lines. Private to src/io. */
#ifndef QUELL_IO_TEXT_INPUT_H
#define QUELL_IO_TEXT_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quell/status.h"
#include "quell/strbuf.h"

typedef struct ql_text ql_text;

/* QL_ENOINPUT with the system's words when path cannot be opened. *out is closed with
 * ql_text_close, which accepts NULL. */
ql_status ql_text_open(const char *path, ql_text **out, ql_err *err);
void ql_text_close(ql_text *t);

/* Up to cap bytes of inflated text into buf; *got = 0 at the end. An incomplete or damaged gzip
 * stream is QL_EDATA, also when what could be read ended at a line's end. Callable from any one
 * thread at a time. */
ql_status ql_text_read(ql_text *t, char *buf, size_t cap, size_t *got, ql_err *err);

/* The whole text into out, at most max bytes. */
ql_status ql_text_slurp(const char *path, int64_t max, ql_str *out, ql_err *err);

/* The first bytes of a file as text (inflated if gzip) for detection: how many, 0 when unreadable.
 */
size_t ql_text_peek(const char *path, char *buf, size_t cap);

#endif
