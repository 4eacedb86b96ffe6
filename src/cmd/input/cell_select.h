/* Cells chosen by what their columns say: "condition=stim,cell_type!=B cells|NK". Private to
 * src/cmd. */
#ifndef QL_CELL_SELECT_H
#define QL_CELL_SELECT_H

#include "quell/frame.h"

/* keep [cells] becomes 1 for those of which all terms hold. A term is COLUMN=VALUE or
 * COLUMN!=VALUE; VALUE may be several, parted by "|"; the COLUMN "name", where there
 * is none, is the cell's name. NULL: all cells. QL_EUSAGE, naming the
 * option, for a term that is none, a column or a value that is not there, or when no cell is left.
 */
QL_MUST_USE ql_status cell_select(const char *option, const char *text, const ql_frame *cells,
                                  uint8_t *keep, ql_err *err);

/* Number of each cell's value in a column of text (numbers and truth values become text), by order
 * of the names; of [cells] and the names are the caller's to free. QL_EUSAGE: no such column. */
QL_MUST_USE ql_status cell_groups(const char *option, const char *column, const ql_frame *cells,
                                  int64_t *of, ql_names *names, ql_err *err);

#endif
