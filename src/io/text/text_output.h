/* Text written to an output file, plain or as gzip, formatted and compressed by several threads.
 * Private to src/io.
 *
 * gzip text is cut into members of a fixed size that are compressed independently of each other;
 * every reader of gzip takes them as one stream. No member carries a time or a name, and where the
 * cuts are depends on the text alone, so the bytes are the same for any number of threads. */
#ifndef QUELL_IO_TEXT_OUTPUT_H
#define QUELL_IO_TEXT_OUTPUT_H

#include "../file/out_file.h"
#include "quell/status.h"

typedef struct ql_text_out ql_text_out;

/* Does the name of a file ask for gzip (".gz")? */
bool ql_is_gz_name(const char *path);

/* The text of a file while it is filled; all errors are those of ql_out_write, and QL_EMEMORY. */
QL_MUST_USE ql_status ql_textout_write(ql_text_out *t, const void *bytes, size_t n, ql_err *err);
QL_MUST_USE ql_status ql_textout_puts(ql_text_out *t, const char *text, ql_err *err);

/* Pieces of text that are made independently of each other and written in order. put is called from
 * several threads; it writes at most room(item) bytes and returns how many. */
typedef struct {
    int64_t n;
    size_t (*room)(const void *ctx, int64_t item);
    size_t (*put)(const void *ctx, int64_t item, char *out);
    const void *ctx;
} ql_text_items;
QL_MUST_USE ql_status ql_textout_items(ql_text_out *t, const ql_text_items *items, ql_err *err);

/* All of file's text by fill, which is called once; then the file is committed, or aborted where
 * something failed. level 0: plain text, 1 to 9: gzip. */
typedef ql_status ql_text_fill(ql_text_out *t, const void *ctx, ql_err *err);
QL_MUST_USE ql_status ql_textout_whole(ql_out_file *file, int level, int threads,
                                       ql_text_fill *fill, const void *ctx, ql_err *err);

#endif
