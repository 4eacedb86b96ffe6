/* Entries that come in no order of rows, to a sink. Private to src/io. */
#ifndef QUELL_IO_ENTRY_SINK_H
#define QUELL_IO_ENTRY_SINK_H

#include "band_sink.h"
#include "quell/entry_runs.h"

/* About so many entries go to a sink at a time: QL_BAND. */
int64_t ql_band_entries(void);

/* For tests: runs and bands of so many entries, whatever there is; 0: as usual. */
void ql_stream_in_pieces(int64_t run, int64_t band);

/* How many entries a run has: about nnz are to come (-1: not known). */
int64_t ql_sort_entries(int64_t nnz);

/* What sorting nnz entries holds at most, until the last of them is in the sink; and about how many
 * bytes it writes. */
int64_t ql_sort_held(int64_t nnz, int64_t n_rows, int64_t max_row);
int64_t ql_sort_file(int64_t nnz);

/* Begin the matrix n_rows x n_cols and give it the rows of all that was added to runs. */
QL_MUST_USE ql_status ql_sink_sorted(ql_band_sink *s, ql_entry_runs *runs, int64_t n_rows,
                                     int64_t n_cols, ql_err *err);

#endif
