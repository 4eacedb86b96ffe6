/* Are these counts? Every entry is looked at. Private to src/io. */
#ifndef QUELL_IO_COUNT_CHECK_H
#define QUELL_IO_COUNT_CHECK_H

#include <stdbool.h>

#include "quell/dataset.h"
#include "quell/strbuf.h"

/* No cell has as many molecules of a gene, and the work of splitting counts grows with them. */
#define QL_COUNT_END 2147483648.0f

typedef struct {
    int64_t n_impossible; /* NaN, infinite, negative, or QL_COUNT_END and more */
    int64_t n_fractions;  /* finite, >= 0, not whole */
    int64_t first_impossible, first_fraction; /* entry number, -1: none */
    int64_t first;                            /* the smaller of the two, -1: none */
    int64_t n_nonfinite, n_huge;              /* of the impossible ones */
    float max;                                /* largest finite entry, 0 when there is none */
} ql_count_check;

ql_count_check ql_check_counts(const ql_csr *m, int threads);

/* The same of a dataset in memory, whose reader may have looked already. */
ql_count_check ql_check_dataset(const ql_dataset *ds, int threads);

/* What entries are, as far as one pass without branches tells. Begin with ql_nothing_seen. */
typedef struct {
    bool counts; /* no entry is impossible or a fraction */
    bool zeros;  /* some are 0 */
    float max;   /* the largest entry; known when all are counts */
} ql_entries_seen;

static const ql_entries_seen ql_nothing_seen = {true, false, 0.0f};

/* Look at n entries more. */
void ql_see_entries(const float *x, int64_t n, ql_entries_seen *seen);

static inline bool ql_are_counts(const ql_count_check *c)
{
    return c->first < 0;
}

/* Append what entry `entry` is and what the matrix looks like: `cell "AAAC-1", gene "CD3E" is -0.52
 * (and 311 more entries are no counts); looks scaled`. cells and genes name rows and columns. */
void ql_describe_noncount(const ql_csr *m, const ql_count_check *check, int64_t entry,
                          const ql_names *cells, const ql_names *genes, ql_str *out);

#endif
