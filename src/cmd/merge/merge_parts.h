/* The parts of a run of `quell apply --shard`, checked against each other. Private to src/cmd. */
#ifndef QL_MERGE_PARTS_H
#define QL_MERGE_PARTS_H

#include "../input/shard.h"
#include "quell/h5ad_part.h"

/* Zero-initialise; release with merge_parts_free. */
typedef struct {
    int64_t n;               /* parts */
    int64_t n_cells;         /* of the input */
    const char *const *path; /* [n] as they were given; borrowed */
    int64_t *at;             /* [n] which of the paths is part i; owned */
    int64_t deflate;
    char *options; /* of the run, as ql_opts_set_text reads them; owned */
    shard_marks marks;
    ql_names journal;      /* what to do, in order (quell/h5ad_writer.h) */
    ql_part *first, *open; /* path[0]; the part at hand, */
    int64_t open_number;   /* from 0 */
} merge_parts;

/* QL_EDATA, in one line: a file that is no part, of another run, given twice, or missing. */
QL_MUST_USE ql_status merge_parts_open(merge_parts *p, const char *const *paths, int64_t n,
                                       ql_err *err);
void merge_parts_free(merge_parts *p);

static inline cell_range merge_parts_range(const merge_parts *p, int64_t number)
{
    return shard_range((shard_spec){number + 1, p->n}, p->n_cells);
}

/* Values of cells first .. first + n - 1 into out [n, n_cols]. key: a dense matrix, or the list of
 * the values of one. */
QL_MUST_USE ql_status merge_parts_rows(merge_parts *p, const char *key, int64_t n_cols,
                                       int64_t first, int64_t n, float *out, ql_err *err);

/* The columns of all cells, whose names must be `cells`, into *out (zero-initialised). */
QL_MUST_USE ql_status merge_parts_cells(merge_parts *p, const ql_names *cells, ql_frame *out,
                                        ql_err *err);

#endif
