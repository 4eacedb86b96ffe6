/* Where the bands of a matrix go that is not to be held whole: each is brought to the form that a
 * matrix in memory has (sorted, duplicates summed, zeros dropped, chosen columns), looked at as
 * counts, and packed into a store. Private to src/io. */
#ifndef QUELL_IO_BAND_SINK_H
#define QUELL_IO_BAND_SINK_H

#include "count_check.h"
#include "quell/reader.h"

/* About so many entries are in work at a time. */
enum { QL_BAND = 1 << 19 };

typedef struct {
    const char *folder; /* of the store; borrowed */
    int64_t near_bytes; /* as in ql_store_finish */
    bool fractions;     /* entries that are not whole do not end the reading */
    int threads;
    const ql_names *cells; /* for messages; borrowed */
    const ql_names *genes; /* of the kept columns; borrowed */
    /* How each band is changed before columns are chosen: fold makes columns of those of the file,
     * n_folded of them, and leaves rows in any state. NULL: not at all. */
    void (*fold)(ql_csr *m, const void *how);
    const void *fold_how; /* borrowed */
    int64_t n_folded;
    const uint8_t *keep; /* [n_cols] columns to keep, after folding; NULL: all; borrowed */

    ql_row_store *store; /* owned until ql_sink_end */
    int64_t n_rows, n_cols;
    int64_t n_done; /* rows */
    int64_t n_duplicates;
    ql_count_check check; /* of all so far; its entry numbers are of no matrix */
    ql_str why;    /* what the first entry is that is no count, and what its band looks like */
    int64_t n_few; /* cells with fewer counts than `few` */
    double few;
    bool stop; /* no counts: what is left need not be read */
} ql_band_sink;

struct ql_reading {
    const ql_read_options *opt; /* borrowed */
    ql_band_sink *sink;         /* where bands of the matrix go; NULL: it is read whole; borrowed */
};

/* Begin a matrix of n_rows (or QL_ROWS_UNKNOWN: as many as will be added) x n_cols (as stored:
 * before columns are chosen); one begun earlier is forgotten. */
QL_MUST_USE ql_status ql_sink_begin(ql_band_sink *s, int64_t n_rows, int64_t n_cols, ql_err *err);

/* Messages use the names of ds, whose lists stay where they are until the end. */
void ql_sink_name(ql_band_sink *s, const ql_dataset *ds);

/* The next rows, in any state but with columns in range; m is changed. */
QL_MUST_USE ql_status ql_sink_add(ql_band_sink *s, ql_csr *m, ql_err *err);

/* All rows are there (or s->stop): ds->store is the store, ds->counts the shape. */
QL_MUST_USE ql_status ql_sink_end(ql_band_sink *s, ql_dataset *ds, ql_err *err);

void ql_sink_free(ql_band_sink *s);

#endif
