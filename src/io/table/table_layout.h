/* What the first lines of a table say: delimiter, kind of header, columns before the values.
 * Private to src/io. */
#ifndef QUELL_IO_TABLE_LAYOUT_H
#define QUELL_IO_TABLE_LAYOUT_H

#include "../text/line_blocks.h"
#include "quell/frame.h"
#include "quell/reader.h"
#include "table_text.h"

typedef enum {
    QL_HEAD_NONE,         /* --no-header: columns are numbered */
    QL_HEAD_SHORT,        /* one field fewer than the rows: R's write.table */
    QL_HEAD_EMPTY_CORNER, /* the first field is empty: pandas, R's write.csv */
    QL_HEAD_CORNER,       /* the first field says what the rows are */
    QL_HEAD_NO_ROW_NAMES  /* --no-row-names: every field names a column of values */
} ql_head_kind;

enum { QL_MAX_LEAD = 8 };

typedef struct {
    char delim;
    ql_head_kind head;
    char *corner;       /* the header's first field, "" where there is none; owned */
    int n_lead;         /* fields of a row before its values: its name and what is no value */
    int second;         /* the lead field that is kept as a second name, or -1 */
    char *second_name;  /* of its column; owned, NULL: none */
    int n_dropped;      /* lead fields that are dropped (featureCounts: 5) */
    bool trailing;      /* rows end with a delimiter that means nothing */
    ql_names columns;   /* names of the columns of values */
    int64_t n_comments; /* lines before the header that begin with # */
    size_t used;        /* bytes before the first row */
    int64_t lines;      /* lines before it */
    ql_field first[3];  /* the first row's first fields; borrowed from the text */
    int n_first;
} ql_table_layout;

/* Read the layout off the first block of b, which is made longer as needed. Fails with QL_EDATA
 * when the lines fit no kind of table. */
QL_MUST_USE ql_status ql_table_layout_find(ql_blocks *b, const ql_read_options *opt,
                                           ql_table_layout *l, ql_err *err);
void ql_table_layout_free(ql_table_layout *l);

/* "tab", "comma", ... and "header with ..." for messages. */
const char *ql_delim_text(char delim);
const char *ql_head_text(ql_head_kind head);

/* --- pieces, for the formats --- */

/* Byte order mark, comment lines and blank lines before the header, the header and the first row.
 * Lines that are not there have s NULL. */
typedef struct {
    ql_field header, row; /* whole lines */
    int64_t header_line, row_line;
    size_t header_at, row_at; /* bytes before them */
    int64_t n_comments;
    bool complete; /* both lines are whole, or nothing follows */
} ql_table_top;

void ql_table_find_top(const char *text, size_t n, bool all, ql_table_top *top);

/* The delimiter that both lines agree on; by the header alone if none does. */
char ql_table_delim(const ql_table_top *top);

#endif
