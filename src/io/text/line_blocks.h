/* Text files in blocks of whole lines: while one block is parsed, in pieces cut at line ends, the
 * next one is read and inflated: both by whichever thread is free. Private to src/io. */
#ifndef QUELL_IO_LINE_BLOCKS_H
#define QUELL_IO_LINE_BLOCKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "text_input.h"

typedef struct ql_blocks ql_blocks;

/* Most pieces of a block; a parser keeps what it finds in as many places. */
enum { QL_PIECES = 16 };

/* What is done with a piece: whole lines, the last one without its end only where the file ends so.
 * The text stays valid until the last piece of its block was taken. */
typedef struct {
    /* Room for a piece of n bytes; one thread. */
    ql_status (*reserve)(void *ctx, int piece, size_t n, ql_err *err);
    /* Any thread, several pieces at a time. */
    void (*parse)(void *ctx, int piece, const char *text, size_t n);
    /* One thread, in the order of the file. */
    ql_status (*take)(void *ctx, int piece, const char *text, size_t n, ql_err *err);
    /* Any thread, when all pieces of a block were taken; NULL: nothing is left to do. */
    void (*keep)(void *ctx, int piece);
    size_t longest; /* most bytes of a line; 0: half a gibibyte */
} ql_piece_work;

/* Open path, plain or gzip, and read the first block. Errors as ql_text_open and ql_text_read.
 * ql_blocks_close accepts NULL. */
QL_MUST_USE ql_status ql_blocks_open(const char *path, ql_text_extent extent, ql_blocks **out,
                                     ql_err *err);
void ql_blocks_close(ql_blocks *b);

/* The first block, for a header; *all: nothing follows it. */
const char *ql_blocks_head(const ql_blocks *b, size_t *n, bool *all);

/* Bytes of the text if known before it is read, else -1. */
int64_t ql_blocks_length(const ql_blocks *b);

/* Make the first block longer: the header did not fit. */
QL_MUST_USE ql_status ql_blocks_more(ql_blocks *b, ql_err *err);

/* Parse from byte `start` of the first block to the end of the file. */
QL_MUST_USE ql_status ql_blocks_run(ql_blocks *b, size_t start, int threads,
                                    const ql_piece_work *work, void *ctx, ql_err *err);

#endif
