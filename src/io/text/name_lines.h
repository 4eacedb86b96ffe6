/* Files of names: one line per cell or gene, fields separated by tabs, in .csv files by commas.
 * Private to src/io. */
#ifndef QUELL_IO_NAME_LINES_H
#define QUELL_IO_NAME_LINES_H

#include "quell/frame.h"

enum { QL_NAME_FIELDS = 3 };

/* The first fields of each line; a field a line lacks is "". */
typedef struct {
    ql_names field[QL_NAME_FIELDS];
    int n_fields; /* most fields seen in a line, at most QL_NAME_FIELDS */
} ql_name_lines;

/* Read path, plain or gzip. Byte order mark, CR, quotes around fields and blank lines at the end
 * are no part of the names. */
QL_MUST_USE ql_status ql_name_lines_read(const char *path, ql_name_lines *lines, ql_err *err);

/* Drop the first line if it is a header: its first field is a word such as "barcode" or "gene_id".
 */
QL_MUST_USE ql_status ql_name_lines_drop_header(ql_name_lines *lines, bool *dropped, ql_err *err);

void ql_name_lines_free(ql_name_lines *lines);

#endif
