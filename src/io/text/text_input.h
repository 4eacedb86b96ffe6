/* Text files, plain or gzip, as blocks of bytes. Private to src/io. */
#ifndef QUELL_IO_TEXT_INPUT_H
#define QUELL_IO_TEXT_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quell/status.h"
#include "quell/strbuf.h"

typedef struct ql_text ql_text;

/* What will be read. QL_TEXT_ALL: everything, so a file of one or a few gzip members is inflated at
 * once by a faster library if there is one and a small part of the memory holds the text; block
 * gzip (bgzip) is inflated by many threads. QL_TEXT_BOUNDED: everything, but never all of it in
 * memory. QL_TEXT_HEAD: perhaps only the beginning. The text is the same. */
typedef enum { QL_TEXT_HEAD, QL_TEXT_ALL, QL_TEXT_BOUNDED } ql_text_extent;

/* QL_ENOINPUT with the system's words when path cannot be opened. *out is closed with
 * ql_text_close, which accepts NULL. */
QL_MUST_USE ql_status ql_text_open(const char *path, ql_text_extent extent, ql_text **out,
                                   ql_err *err);
void ql_text_close(ql_text *t);

/* Up to cap bytes of inflated text into buf; *got may be less before the end, see ql_text_ended. An
 * incomplete or damaged gzip stream is QL_EDATA, also when what could be read ended at a line's
 * end. Callable from any one thread at a time. */
QL_MUST_USE ql_status ql_text_read(ql_text *t, char *buf, size_t cap, size_t *got, ql_err *err);

/* Nothing will come any more. May still be false when the next read gives 0 bytes. */
bool ql_text_ended(const ql_text *t);

/* Bytes of text if known before it is read, else -1. */
int64_t ql_text_length(const ql_text *t);

/* ql_text_read in three steps, the middle one for many threads: begin says into how many parts the
 * work falls, each part is done once, in any order and by any thread, then end. cap >= 65536. */
QL_MUST_USE ql_status ql_text_begin(ql_text *t, char *buf, size_t cap, int64_t *n_parts,
                                    ql_err *err);
void ql_text_part(ql_text *t, int64_t part);
QL_MUST_USE ql_status ql_text_end(ql_text *t, size_t *got, ql_err *err);

/* The whole text into out, at most max bytes. */
QL_MUST_USE ql_status ql_text_slurp(const char *path, int64_t max, ql_str *out, ql_err *err);

/* The first bytes of a file as text (inflated if gzip) for detection, and how many; 0 when it is
 * unreadable, which is no failure: QL_EMEMORY is the only one. */
QL_MUST_USE ql_status ql_text_peek(const char *path, char *buf, size_t cap, size_t *n, ql_err *err);

#endif
