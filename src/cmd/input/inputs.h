/* The inputs of a command that takes one or several: read, and joined into one dataset. Private to
 * src/cmd. */
#ifndef QL_INPUTS_H
#define QL_INPUTS_H

#include "quell/command.h"
#include "quell/dataset.h"
#include "quell/notes.h"
#include "quell/reader.h"

/* Options; list {ql_join_rows, offsetof(S, join)} in .tables. */
typedef struct {
    const char *join, *samples;
} ql_join_args;

extern const ql_option ql_join_rows[];
extern const ql_option ql_join_outer_rows[]; /* where a model says which genes count */

/* Before the work: QL_EUSAGE when an input is given twice, or the options do not fit their number.
 */
QL_MUST_USE ql_status ql_inputs_check(const ql_join_args *a, ql_run *run);

/* Read the positional arguments into *ds; one as it is, several joined (quell/dataset_join.h) with
 * all their columns. Tells what was read; the notes are told already. */
QL_MUST_USE ql_status ql_inputs_read(const ql_join_args *a, const ql_read_options *opt, ql_run *run,
                                     ql_dataset *ds, ql_notes *notes);

#endif
