/* Annotation columns of cells or genes, under the names of these. */
#ifndef QUELL_FRAME_H
#define QUELL_FRAME_H

#include <stdbool.h>
#include <stdint.h>

#include "quell/names.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What fails, and in what state it leaves a frame: as in quell/names.h. */

typedef enum { QL_COL_STRING, QL_COL_F32, QL_COL_F64, QL_COL_I64, QL_COL_BOOL } ql_col_type;

/* One annotation column of n values. */
typedef struct {
    char *name; /* owned */
    ql_col_type type;
    ql_names strings; /* QL_COL_STRING */
    void *values;     /* else: float, double, int64_t or uint8_t [n]; owned */
} ql_column;

/* Index and columns of the cells (obs) or the genes (var). */
typedef struct {
    ql_names index;
    ql_column *columns; /* owned */
    int n_columns, cap_columns;
} ql_frame;

/* New column; values are copied (n of index at that moment). For strings pass a ql_names * of that
 * length (else QL_EDATA). A column of the same name is replaced. */
QL_MUST_USE ql_status ql_frame_add(ql_frame *frame, const char *name, ql_col_type type,
                                   const void *values, ql_err *err);
/* x [n of index, width], of the type (not strings), as columns KEY_1, KEY_2, ... */
QL_MUST_USE ql_status ql_frame_add_matrix(ql_frame *frame, const char *key, ql_col_type type,
                                          const void *x, int64_t width, ql_err *err);
/* Rows first .. first + n - 1 of a frame as another (zero-initialised), index and columns. */
QL_MUST_USE ql_status ql_frame_rows(const ql_frame *frame, int64_t first, int64_t n, ql_frame *out,
                                    ql_err *err);
const ql_column *ql_frame_column(const ql_frame *frame, const char *name); /* NULL: absent */
/* The values of a column of text; NULL: there is none of this name. */
const ql_names *ql_frame_texts(const ql_frame *frame, const char *name);
size_t ql_col_size(ql_col_type type);                   /* bytes of one value; 0 for strings */
double ql_column_number(const ql_column *c, int64_t i); /* NaN for strings */
void ql_frame_free(ql_frame *frame);

#ifdef __cplusplus
}
#endif
#endif
