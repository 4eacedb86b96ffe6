/* Products with the matrix of scaled, centred inputs, which is never formed. Private to src/model.
 *
 * Rows are taken in a fixed number of slabs, each by one thread and with sums of its own, that are
 * added in order: threads change no bit. */
#ifndef QL_CENTRED_ROWS_H
#define QL_CENTRED_ROWS_H

#include "quell/preprocess.h"
#include "quell/rows.h"

enum {
    QL_PCA_SLABS = 8,
    QL_PCA_BLOCK = 16 /* vectors that a pass over the rows serves */
};

typedef struct {
    const ql_rows *counts;
    const ql_prep *prep;
    const ql_kern *kern;
    int threads;
    const double *p; /* [genes, QL_PCA_BLOCK] of the pass at hand */
    double *shift_p; /* [QL_PCA_BLOCK] the constant part times p; owned, as what follows */
    double *sums;    /* [slabs, genes, QL_PCA_BLOCK] */
    double *totals;  /* [slabs, QL_PCA_BLOCK] sums over cells of a p */
    double *squares; /* [slabs] */
    int32_t *gene;   /* [slabs, room] a row, padded */
    ql_real *value;  /* [slabs, room] */
    int64_t room;
    float *out; /* [rows, stride] of ql_centred_scores, columns from `column` on; n of them */
    int64_t stride, column, n;
    ql_row_cursor cursor[QL_PCA_SLABS];
} ql_centred;

QL_MUST_USE ql_status ql_centred_open(ql_centred *c, const ql_rows *counts, const ql_prep *prep,
                                      const ql_kern *kern, int threads, ql_err *err);
void ql_centred_close(ql_centred *c); /* harmless on a zeroed one */
int64_t ql_centred_bytes(const ql_rows *counts);

/* out = A' A p, both [genes, QL_PCA_BLOCK] row-major. */
QL_MUST_USE ql_status ql_centred_square(ql_centred *c, const double *p, double *out, ql_err *err);

/* Columns [column, column + n) of out [rows, stride] = A p, n at most QL_PCA_BLOCK; rows of cells
 * that are set aside stay as they are. */
QL_MUST_USE ql_status ql_centred_scores(ql_centred *c, const double *p, float *out, int64_t stride,
                                        int64_t column, int64_t n, ql_err *err);

/* Sum of the squares of all of A's elements. */
QL_MUST_USE ql_status ql_centred_norm(ql_centred *c, double *sum, ql_err *err);

#endif
