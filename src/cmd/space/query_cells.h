/* Which cells of a file quell query asks about. Private to src/cmd. */
#ifndef QL_QUERY_CELLS_H
#define QL_QUERY_CELLS_H

#include "space_job.h"

typedef struct {
    const char *cells;      /* "AAACATACAACCAC-1,AAACATTGAGCTAC-1" */
    const char *cells_from; /* a file of names, one a line */
    const char *where;      /* "cell_type=NK" */
} query_choice;

extern const ql_option ql_query_choice_rows[];

/* Positions among points of those that are asked for, in the order asked: *chosen [*n], for
 * ql_free. Without a choice all points. Cells without a place in the space are left out, with a
 * warning; names that there are not fail with QL_EDATA. */
QL_MUST_USE ql_status query_choose(space_job *j, const query_choice *c, const ql_points *points,
                                   int64_t **chosen, int64_t *n);
bool query_choice_given(const query_choice *c);

#endif
