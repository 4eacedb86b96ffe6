/* Labels of cells as the command line names them: FILE:COLUMN, a table FILE, or a COLUMN of the
 * first file. Private to src/cmd. */
#ifndef QL_LABEL_SOURCE_H
#define QL_LABEL_SOURCE_H

#include "quell/frame.h"
#include "quell/labels.h"

/* Zero-initialise; release with label_source_free. */
typedef struct {
    char *name; /* as it was given; owned */
    char *path; /* owned */
    ql_names cells;
    ql_labels labels;
} label_source;

/* path_of_first: the file that a word without a colon is a column of (NULL: this is the first,
 * which needs a file). h5ad, or a table (.csv, .tsv, .txt, plain or .gz) with a header and the
 * cells' names in its first column; without a column its second. QL_EUSAGE, QL_ENOINPUT, QL_EDATA.
 */
QL_MUST_USE ql_status label_source_read(const char *word, const char *path_of_first,
                                        label_source *out, ql_err *err);
void label_source_free(label_source *s);

/* place[i]: where cell i of a is in b, by name; i itself for the same file. -1: not there.
 * QL_EDATA: a name repeats in b. */
QL_MUST_USE ql_status label_source_match(const label_source *a, const label_source *b,
                                         int64_t *place, ql_err *err);

#endif
