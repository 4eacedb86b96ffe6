/* Reading an h5ad piece by piece: the parts of a run that was split over cells, the latent spaces
 * and labels that others have written. Nothing the file says is believed before it is compared with
 * what is asked for. Failures: QL_ENOINPUT (cannot be opened), QL_EDATA (missing, damaged, of
 * another shape), QL_EMEMORY; the message starts with the file's name. All calls on one thread. */
#ifndef QUELL_H5AD_PART_H
#define QUELL_H5AD_PART_H

#include "quell/csr.h"
#include "quell/frame.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ql_part ql_part;

/* path is borrowed until the part is closed. */
QL_MUST_USE ql_status ql_part_open(const char *path, ql_part **out, ql_err *err);
void ql_part_close(ql_part *p); /* NULL is allowed */

bool ql_part_has(const ql_part *p, const char *key);

typedef enum {
    QL_PART_TEXT,
    QL_PART_TEXTS,
    QL_PART_INT,
    QL_PART_DOUBLE,
    QL_PART_DOUBLES
} ql_part_kind;

/* A value below uns, as ql_h5ad_string, _strings, _int, _double and _doubles write them. */
typedef struct {
    ql_part_kind kind;
    ql_names texts;  /* one, or several; owned */
    int64_t whole;   /* QL_PART_INT */
    int64_t n;       /* of numbers */
    double *numbers; /* [n]; owned */
} ql_part_value;

/* Release *out (zero-initialised) with ql_part_value_free. */
QL_MUST_USE ql_status ql_part_get(const ql_part *p, const char *key, ql_part_value *out,
                                  ql_err *err);
void ql_part_value_free(ql_part_value *v);
bool ql_part_equal(const ql_part_value *a, const ql_part_value *b); /* NaN equals NaN */

/* Values of one kind alone. */
QL_MUST_USE ql_status ql_part_int(const ql_part *p, const char *key, int64_t *out, ql_err *err);
QL_MUST_USE ql_status ql_part_names(const ql_part *p, const char *key, ql_names *out, ql_err *err);

/* "obs" or "var": index and columns into *out (zero-initialised). */
QL_MUST_USE ql_status ql_part_frame(const ql_part *p, const char *frame, ql_frame *out,
                                    ql_err *err);

/* Names of the rows of "obs" or "var"; one column of it, added to *out whose index they are. A
 * column that is not there is QL_EDATA, with those that are. */
QL_MUST_USE ql_status ql_part_index(const ql_part *p, const char *frame, ql_names *out,
                                    ql_err *err);
QL_MUST_USE ql_status ql_part_column(const ql_part *p, const char *frame, const char *name,
                                     ql_frame *out, ql_err *err);

/* Names of the members of a group ("obsm"), in order; none where there is no such group. */
QL_MUST_USE ql_status ql_part_members(const ql_part *p, const char *group, ql_names *out,
                                      ql_err *err);

/* A sparse or dense matrix that must be [n_rows, n_cols] ("obsp/connectivities"), in float32. */
QL_MUST_USE ql_status ql_part_sparse(const ql_part *p, const char *key, const int64_t shape[2],
                                     int threads, ql_csr *out, ql_err *err);

/* Shape of a dense matrix. */
QL_MUST_USE ql_status ql_part_shape(const ql_part *p, const char *key, int64_t *n_rows,
                                    int64_t *n_cols, ql_err *err);

/* Rows first .. first + n - 1 of a dense matrix of [n_rows, n_cols], or of a list that holds the
 * values of such a matrix one row after the other, into out [n, n_cols]. */
QL_MUST_USE ql_status ql_part_rows(const ql_part *p, const char *key, const int64_t shape[2],
                                   int64_t first, int64_t n, float *out, ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
