/* Datasets joined into one: the cells of all, one input after the other, genes matched by name.
 *
 *     ql_join *j = NULL;
 *     QL_GO(ql_join_new(QL_JOIN_INNER, threads, &j, err));
 *     for each input: QL_GO(ql_join_add(j, &ds, "sample", err));
 *     QL_GO(ql_join_finish(j, &all, notes, err));
 *
 * Memory held is what was appended so far (of an inner join without the genes that are out
 * already) and the one dataset being appended.
 *
 * The genes of the result come in the order of the first input, in an outer join followed by those
 * of the second that are new, and so on. A cell keeps its name unless another input has a cell of
 * that name: then both get "-" and their sample behind it. cells has the columns that all inputs
 * have, and "sample"; genes those that all have with the same values. Columns of numbers of
 * different types become float64. */
#ifndef QUELL_DATASET_JOIN_H
#define QUELL_DATASET_JOIN_H

#include "quell/dataset.h"
#include "quell/notes.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Inner: the genes that every input has. Outer: those that any has; 0 where an input lacks one. */
typedef enum { QL_JOIN_INNER, QL_JOIN_OUTER } ql_join_how;

typedef struct ql_join ql_join;

QL_MUST_USE ql_status ql_join_new(ql_join_how how, int threads, ql_join **out, ql_err *err);

/* Append ds, whose contents are taken (*ds is then zero, also after a failure). QL_EDATA when it
 * shares no gene name with what is there. */
QL_MUST_USE ql_status ql_join_add(ql_join *j, ql_dataset *ds, const char *sample, ql_err *err);

/* The result into *out (zero-initialised); its path lists the inputs, its format is "joined". What
 * was lost and renamed goes to notes. j can only be freed afterwards. */
QL_MUST_USE ql_status ql_join_finish(ql_join *j, ql_dataset *out, ql_notes *notes, ql_err *err);

void ql_join_free(ql_join *j); /* NULL is allowed */

#ifdef __cplusplus
}
#endif
#endif
