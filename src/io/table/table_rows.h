/* Rows of a table to sparse rows. Private to src/io. */
#ifndef QUELL_IO_TABLE_ROWS_H
#define QUELL_IO_TABLE_ROWS_H

#include "quell/csr.h"
#include "table_layout.h"

/* What a table holds: entries as the file has them, row by row. */
typedef struct {
    ql_csr m;        /* [rows of the file, columns of values] */
    ql_names names;  /* of the rows; numbered where they have none */
    ql_names second; /* the second names, if the layout has them */
} ql_table;

/* Takes rows as they come, the first of which is the file's first_row-th: columns ascending, no
 * zeros. May change them. */
typedef ql_status ql_table_taker(void *ctx, ql_csr *rows, int64_t first_row, ql_err *err);

/* How to read. */
typedef struct {
    const char *what[2]; /* words for a row and a column in messages ("gene", "cell") */
    int threads;
    ql_table_taker *take; /* instead of keeping entries, so that table->m has no arrays; may be NULL
                           */
    void *ctx;
} ql_table_how;

/* Parse everything behind the layout's header. QL_EDATA names line, column and both
 * names. */
QL_MUST_USE ql_status ql_table_read(ql_blocks *b, const ql_table_layout *layout,
                                    const ql_table_how *how, ql_table *table, ql_err *err);
void ql_table_free(ql_table *table);

/* --- pieces, for the formats --- */

typedef enum { QL_VALUE_OK, QL_VALUE_FAULT, QL_VALUE_TOO_LARGE } ql_value_state;

/* The value in a field. */
ql_value_state ql_table_value(const ql_field *f, float *out);

/* "is a missing value", ... : what is wrong with a field whose value is none. */
const char *ql_table_value_fault(const ql_field *f);

/* The hint for the last line of a file that ends without a newline; keeps err as it is otherwise.
 */
QL_MUST_USE ql_status ql_hint_cut(bool cut, ql_err *err);

#endif
