/* A MatrixMarket file to a sink. Private to src/io. */
#ifndef QUELL_IO_MTX_STREAM_H
#define QUELL_IO_MTX_STREAM_H

#include "../counts/band_sink.h"
#include "mtx_parse.h"

/* The file, which has n_rows x n_cols as how->transpose turns it, to s: straight away as long as
 * its entries come row by row, else through an external sort. Rows, errors and notes as of
 * ql_mtx_read.
 */
QL_MUST_USE ql_status ql_mtx_stream(const char *path, const ql_mtx_how *how, int64_t n_rows,
                                    int64_t n_cols, ql_band_sink *s, ql_notes *notes, ql_err *err);

#endif
