/* Writing a matrix of numbers as tab-separated text, the way pandas' to_csv(sep="\t",
 * float_format="%.6f") does: six decimals rounded as printf rounds, an empty field for NaN, names
 * quoted only when they hold a tab, a quote, CR or LF. */
#ifndef QUELL_TSV_WRITER_H
#define QUELL_TSV_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "quell/frame.h"
#include "quell/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Fill out [n, n_cols] with rows row0 .. row0+n-1. Called with ascending row0, on the calling
 * thread. A failure ends the writing and is passed on. */
typedef ql_status (*ql_tsv_fill)(void *ctx, int64_t row0, int64_t n, float *out, ql_err *err);

typedef struct {
    int64_t n_rows, n_cols;    /* n_cols at least 1 */
    const ql_names *header;    /* n_cols names, borrowed; NULL: no header line */
    const ql_names *row_names; /* n_rows names, borrowed; NULL: none. With them the header line
                                * starts with an empty field */
    ql_tsv_fill fill;
    void *ctx;
    int64_t block_rows; /* most rows asked of fill at a time; 0: as many as fill 4 MiB */
    int threads;        /* for the formatting; the text does not depend on it */
    bool force;         /* replace an existing file */
} ql_tsv_table;

/* Write the whole table under a temporary name and rename it; nothing is left behind on failure.
 * QL_ECREATE, QL_EIO, QL_EMEMORY, QL_EINT / QL_ETERM, or what fill returned. */
QL_MUST_USE ql_status ql_tsv_write(const char *path, const ql_tsv_table *table, ql_err *err);

/* Room that ql_tsv_number needs: the longest float has 39 digits before the point. */
enum { QL_TSV_NUMBER_MAX = 48 };

/* x as printf's "%.6f" prints it (round to nearest, ties to even), without a terminator; nothing
 * for NaN. Returns the number of bytes. */
int ql_tsv_number(char out[QL_TSV_NUMBER_MAX], float x);

#ifdef __cplusplus
}
#endif
#endif
