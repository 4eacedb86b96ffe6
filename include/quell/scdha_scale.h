/* The inputs of scDHA (Tran et al. 2021, Nat. Commun. 12, 1029): logarithms where the matrix is not
 * one of logarithms already, genes that are 0 in every cell set aside, and each cell stretched to
 * [0, 1]. Cells are made one at a time from their entries: the matrix is never dense. */
#ifndef QUELL_SCDHA_SCALE_H
#define QUELL_SCDHA_SCALE_H

#include <stdbool.h>

#include "quell/kern.h"
#include "quell/rows.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A matrix whose values span more than this is taken for one of counts. */
#define QL_SCDHA_LOG_RANGE 100

typedef struct {
    int64_t n_genes, n_kept; /* of the matrix; of those that are not 0 in every cell */
    int32_t *place;          /* [n_genes] number among the kept ones, or -1; owned */
    double *total;           /* [n_kept] sum of each kept gene's values; owned */
    double least, most;      /* of all values, zeros included */
    bool log;                /* logarithms are taken: most - least > QL_SCDHA_LOG_RANGE */
    bool negative;           /* there are negative values, so a 0 need not stay one */
    float *lowest;           /* [n_kept] subtracted before the logarithm; NULL: nothing is; owned */
} ql_scdha_scale;

/* One pass over the rows. QL_EDATA: every value is 0. Release with ql_scdha_scale_free; *out is
 * empty after a failure. */
QL_MUST_USE ql_status ql_scdha_scale_make(const ql_rows *rows, ql_scdha_scale *out, ql_err *err);

/* That of a model for rows whose columns are its genes already. */
QL_MUST_USE ql_status ql_scdha_scale_of(int64_t n_genes, bool log, ql_scdha_scale *out,
                                        ql_err *err);
void ql_scdha_scale_free(ql_scdha_scale *s);

/* One cell's inputs: entries that are not 0, kept genes ascending. A work space of one thread. */
typedef struct {
    int64_t n;
    int32_t *gene;  /* numbers among the kept genes; owned */
    ql_real *value; /* in (0, 1]; owned */
} ql_scdha_cell;

/* Room for the cells of rows. */
QL_MUST_USE ql_status ql_scdha_cell_new(const ql_scdha_scale *s, int64_t max_row, ql_scdha_cell *c,
                                        ql_err *err);
void ql_scdha_cell_free(ql_scdha_cell *c);

/* The inputs of a row; a cell whose values are all the same has none. */
void ql_scdha_cell_make(const ql_scdha_scale *s, const ql_kern *kern, ql_row_view row,
                        ql_scdha_cell *c);

/* Inputs of the rows list[0..n) (ascending) as a matrix; column[kept gene] is where a gene goes, -1
 * nowhere; NULL: all as they are. */
QL_MUST_USE ql_status ql_scdha_take(const ql_scdha_scale *s, const ql_kern *kern,
                                    const ql_rows *rows, const int64_t *list, int64_t n,
                                    const int32_t *column, int64_t n_columns, ql_csr *out,
                                    ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
