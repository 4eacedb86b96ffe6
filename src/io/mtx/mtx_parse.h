/* MatrixMarket text. Private to src/io. */
#ifndef QUELL_IO_MTX_PARSE_H
#define QUELL_IO_MTX_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quell/csr.h"
#include "quell/notes.h"

typedef struct {
    int64_t n_rows, n_cols, n_entries; /* as announced */
    bool array;                        /* dense, column by column; else coordinates */
    bool pattern;                      /* no values: each entry is 1 */
    bool integer;                      /* announced as integer */
    bool symmetric;
} ql_mtx_header;

/* Only the header. */
QL_MUST_USE ql_status ql_mtx_read_header(const char *path, ql_mtx_header *header, ql_err *err);

typedef struct {
    bool transpose;   /* columns of the file become rows of the result */
    bool allow_short; /* fewer entries than announced: a warning */
    int threads;
} ql_mtx_how;

/* The whole file as csr [rows, columns], the cells' side as rows. Duplicates are summed, zeros
 * dropped; notes say so of what is unusual. */
QL_MUST_USE ql_status ql_mtx_read(const char *path, const ql_mtx_how *how, ql_csr *m,
                                  ql_notes *notes, ql_err *err);

/* Takes the next n entries of the file: of the result's rows and columns, in the file's order. */
typedef ql_status ql_mtx_taker(void *ctx, const int32_t *row, const int32_t *col,
                               const float *value, int64_t n, ql_err *err);

/* The same checks, but the entries are handed over block by block, neither sorted nor summed.
 * n_rows, n_cols: of the result; QL_EDATA if the header has others. */
QL_MUST_USE ql_status ql_mtx_read_entries(const char *path, const ql_mtx_how *how, int64_t n_rows,
                                          int64_t n_cols, ql_mtx_taker *take, void *ctx,
                                          ql_notes *notes, ql_err *err);

/* Entries of the result, no more than the file at path can hold. */
int64_t ql_mtx_believable(const char *path, const ql_mtx_header *header);

/* --- pieces, for tests and the reader --- */

/* Entries found in a piece of text that ends at a line's end, without zeros; the mirror image of an
 * entry of a symmetric matrix follows it. Indices are 0-based. */
typedef struct {
    int32_t *row, *col; /* owned; of an array, row is the position among the piece's entries */
    float *value;       /* owned */
    int64_t n, cap;
    int64_t n_entries; /* in the text, zeros too */
    int64_t n_lines;
    int64_t bad_line; /* 1-based within the piece, 0: none */
    char why[160];    /* what is wrong there */
} ql_mtx_piece;

QL_MUST_USE ql_status ql_mtx_piece_reserve(ql_mtx_piece *piece, int64_t n, ql_err *err);
void ql_mtx_piece_free(ql_mtx_piece *piece);

/* Parse text[0..n); sets the numbers and, at the first bad line, bad_line and why. The piece must
 * have room for n / 2 + 2 entries. */
void ql_mtx_parse_piece(const ql_mtx_header *header, const char *text, size_t n,
                        ql_mtx_piece *piece);

/* Banner, comments and size line of text[0..n). *used is where the entries begin, *n_lines how many
 * lines that is. */
QL_MUST_USE ql_status ql_mtx_parse_header(const char *text, size_t n, ql_mtx_header *header,
                                          size_t *used, int64_t *n_lines, ql_err *err);

#endif
