/* Names in a join of datasets: what cannot be matched, what must be told apart. Private to src/mat.
 */
#ifndef QUELL_MAT_JOIN_NAMES_H
#define QUELL_MAT_JOIN_NAMES_H

#include "quell/frame.h"
#include "quell/notes.h"

#define QL_SAMPLE_COLUMN "sample" /* of the cells: the input each comes from */

/* Names that several cells have get "-" and the cell's sample behind them, each of them; what is
 * not unique then is made so. */
QL_MUST_USE ql_status ql_join_cell_names(ql_frame *cells, ql_notes *notes, ql_err *err);

/* Always QL_EDATA: the genes at path have no name in common with those of another input; the hint
 * says why, as far as that can be seen. */
QL_MUST_USE ql_status ql_join_fail_strangers(const char *path, const ql_frame *genes,
                                             const char *other_path, const ql_frame *other,
                                             ql_err *err);

/* A warning "<what>: a, b, c and 5 more"; nothing for an empty list. Repeats are listed once. */
void ql_join_note_list(const ql_names *names, const char *what, ql_notes *notes);

#endif
