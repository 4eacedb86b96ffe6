/* The ways text comes from a file: one const table per way. Private to src/io/text. */
#ifndef QUELL_IO_TEXT_SOURCE_H
#define QUELL_IO_TEXT_SOURCE_H

#include "text_input.h"

/* A read is begin, then each part once by any thread, then end; see text_input.h. */
typedef struct {
    ql_status (*begin)(void *state, char *buf, size_t cap, int64_t *n_parts, ql_err *err);
    void (*part)(void *state, int64_t part);
    ql_status (*end)(void *state, size_t *got, bool *ended, ql_err *err);
    void (*close)(void *state);
} ql_text_source;

struct ql_text {
    const ql_text_source *source;
    void *state; /* owned by the source */
    bool ended;
    int64_t length; /* of the text, -1: not known */
};

/* Each fills *t from the open file fd, which it owns from then on, also when it fails. */

/* Bytes as they are; size: of the file, -1 for a pipe. */
QL_MUST_USE ql_status ql_text_plain(int fd, int64_t size, ql_text *t, ql_err *err);

/* gzip from the file's position on, inflated as it is read; what is no gzip passes through. */
QL_MUST_USE ql_status ql_text_stream(int fd, ql_text_extent extent, ql_text *t, ql_err *err);

/* Block gzip. */
QL_MUST_USE ql_status ql_text_blocks(int fd, ql_text *t, ql_err *err);

/* Try to inflate a whole file of `size` bytes in memory; *done = false: it does not fit the bounds
 * or is not sound, fd is still the caller's and its position the start. */
QL_MUST_USE ql_status ql_text_whole(int fd, int64_t size, ql_text *t, bool *done, ql_err *err);

/* Bytes [offset, offset + n) of fd, less at the end of the file; -1 and errno on failure. */
int64_t ql_pread_full(int fd, void *buf, size_t n, int64_t offset);

/* The error of a gzip file that is wrong inside. */
QL_MUST_USE ql_status ql_text_fail_damaged(const char *why, ql_err *err);

#endif
