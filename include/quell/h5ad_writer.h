/* Writing an h5ad: everything an h5ad input held is carried through, results are added.
 *
 * The file is built under a temporary name in the target's folder and renamed by commit; abort (or
 * a failure, or a signal) leaves nothing behind. The files are read by anndata 0.8 and every later
 * version.
 *
 * The same calls with the same data give the same bytes, for any number of threads, at any time, in
 * any folder. Compressed arrays depend on the compressor too: a build with libdeflate and one with
 * zlib store the same values in different bytes. And an input whose groups carry time stamps (h5py
 * and anndata write none) keeps them up to date, so that its copy holds the time of the change.
 *
 * Failures: QL_ECREATE (the file, or a result of the same name in it, exists and force is not
 * given; hint included), QL_EIO (disk full, write error), QL_ENOINPUT (the input cannot be read
 * again), QL_EMEMORY, QL_EINT / QL_ETERM. After a failure the writer only takes ql_h5ad_abort (or a
 * commit, which fails and cleans up). All calls on one thread. */
#ifndef QUELL_H5AD_WRITER_H
#define QUELL_H5AD_WRITER_H

#include <stdbool.h>
#include <stdint.h>

#include "quell/dataset.h"
#include "quell/notes.h"
#include "quell/output_check.h"
#include "quell/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct ql_h5ad_writer ql_h5ad_writer;

typedef struct {
    bool force;      /* replace an existing output file and existing results of the same name */
    int deflate;     /* 0: none, 1-9: gzip level of the arrays written. Sparse matrices shrink to a
                      * fraction and are stored at level 1 at least. */
    int threads;     /* for compression */
    bool new_matrix; /* X is ds's matrix, even where an input h5ad could be copied whole; the rest
                      * of that file is carried through all the same */
} ql_write_options;

/* Start out_path from ds. If ds came from an h5ad of a layout that can be added to (0.7 or newer)
 * and its genes are those of the file's var, that file's bytes are the start. Otherwise X, obs and
 * var are written from ds; of an h5ad whose raw/X was taken, obs, obsm, obsp and uns are carried
 * through too, and what is lost is said in notes (may be NULL). ds->counts is not needed
 * afterwards. */
QL_MUST_USE ql_status ql_h5ad_begin(const char *out_path, const ql_dataset *ds,
                                    const ql_write_options *opt, ql_notes *notes,
                                    ql_h5ad_writer **out, ql_err *err);

/* The same from a file alone, for results that need no counts: the bytes of the h5ad at in_path are
 * the start. QL_EDATA: its layout is that of an anndata before 0.7. */
QL_MUST_USE ql_status ql_h5ad_begin_copy(const char *out_path, const char *in_path,
                                         const ql_write_options *opt, ql_h5ad_writer **out,
                                         ql_err *err);

/* Make key ("uns/quell/denoise") free, with all that is below it: removed with force, otherwise
 * QL_ECREATE if it is there. For results of several parts, none of which should stay from an
 * earlier run; the calls below do it for their own key. */
QL_MUST_USE ql_status ql_h5ad_claim(ql_h5ad_writer *w, const char *key, ql_err *err);

/* A dense float32 matrix at key ("layers/denoised") written in bands of whole rows, in order, as it
 * is computed; memory held is one band. band_rows is what the writer wants to be given (the last
 * band may be shorter). Not nested: one at a time. */
QL_MUST_USE ql_status ql_h5ad_dense_begin(ql_h5ad_writer *w, const char *key, int64_t n_rows,
                                          int64_t n_cols, int64_t *band_rows, ql_err *err);
QL_MUST_USE ql_status ql_h5ad_dense_rows(ql_h5ad_writer *w, const float *rows, int64_t n,
                                         ql_err *err);

/* The same for chosen columns only: key becomes a csr layer of shape [n_rows, n_cols] that stores
 * the n_kept columns cols[] (ascending, borrowed until the end call) of every row;
 * ql_h5ad_dense_rows then takes rows of n_kept values. */
QL_MUST_USE ql_status ql_h5ad_chosen_begin(ql_h5ad_writer *w, const char *key, int64_t n_rows,
                                           int64_t n_cols, const int32_t *cols, int64_t n_kept,
                                           int64_t *band_rows, ql_err *err);
QL_MUST_USE ql_status ql_h5ad_dense_end(ql_h5ad_writer *w, ql_err *err);

/* A csr layer with rows of any length: indptr [n_rows + 1], borrowed until the end; then its
 * entries in any number of calls, row by row, columns ascending; ql_h5ad_dense_end ends it. */
QL_MUST_USE ql_status ql_h5ad_sparse_begin(ql_h5ad_writer *w, const char *key, int64_t n_rows,
                                           int64_t n_cols, const int64_t *indptr, ql_err *err);
QL_MUST_USE ql_status ql_h5ad_sparse_entries(ql_h5ad_writer *w, const float *values,
                                             const int32_t *columns, int64_t n, ql_err *err);

/* A small dense matrix at key ("obsm/X_dca"), [n_rows, n_cols] row-major. */
QL_MUST_USE ql_status ql_h5ad_matrix(ql_h5ad_writer *w, const char *key, const float *data,
                                     int64_t n_rows, int64_t n_cols, ql_err *err);

/* A sparse matrix at key ("obsp/distances"), columns ascending within rows. Exactly one of values
 * and doubles is given: float32 or float64. */
typedef struct {
    int64_t n_rows, n_cols;
    const int64_t *indptr;  /* [n_rows + 1] */
    const int32_t *indices; /* [nnz] */
    const float *values;    /* [nnz], or NULL */
    const double *doubles;  /* [nnz], or NULL */
} ql_sparse_out;
QL_MUST_USE ql_status ql_h5ad_sparse(ql_h5ad_writer *w, const char *key, const ql_sparse_out *m,
                                     ql_err *err);

/* A categorical column of "obs" or "var": code[i] in [0, n of categories), or -1: missing (NaN in
 * pandas). n is the number of cells or genes; categories are unique. */
QL_MUST_USE ql_status ql_h5ad_categories(ql_h5ad_writer *w, const char *frame, const char *name,
                                         const int32_t *code, int64_t n, const ql_names *categories,
                                         ql_err *err);

/* The columns of a frame into "obs" or "var"; column-order is extended. The names in its index are
 * ignored, their number is that of the cells or genes. */
QL_MUST_USE ql_status ql_h5ad_columns(ql_h5ad_writer *w, const char *frame, const ql_frame *columns,
                                      ql_err *err);

/* Make a column of "obs" or "var" free, as ql_h5ad_claim does with other keys. */
QL_MUST_USE ql_status ql_h5ad_claim_column(ql_h5ad_writer *w, const char *frame, const char *name,
                                           ql_err *err);

/* Values under uns: key is a path such as "uns/quell/denoise/version"; missing groups are made. */
QL_MUST_USE ql_status ql_h5ad_string(ql_h5ad_writer *w, const char *key, const char *value,
                                     ql_err *err);
QL_MUST_USE ql_status ql_h5ad_double(ql_h5ad_writer *w, const char *key, double value, ql_err *err);
QL_MUST_USE ql_status ql_h5ad_int(ql_h5ad_writer *w, const char *key, int64_t value, ql_err *err);
/* A hash (hash.h), as 16 hexadecimal digits. */
QL_MUST_USE ql_status ql_h5ad_hash(ql_h5ad_writer *w, const char *key, uint64_t hash, ql_err *err);
QL_MUST_USE ql_status ql_h5ad_strings(ql_h5ad_writer *w, const char *key, const ql_names *values,
                                      ql_err *err);
QL_MUST_USE ql_status ql_h5ad_doubles(ql_h5ad_writer *w, const char *key, const double *values,
                                      int64_t n, ql_err *err);

/* A list of records under uns, as numpy's structured arrays are stored: of each field a name and
 * n_rows texts (texts[at[i]]) or numbers. HDF5 has room for names of some 50000 bytes in all. */
typedef struct {
    const char *name;
    const ql_names *texts; /* NULL: numbers */
    const int64_t *at;     /* [n_rows] */
    const double *numbers; /* [n_rows] */
} ql_record_field;
QL_MUST_USE ql_status ql_h5ad_records(ql_h5ad_writer *w, const char *key,
                                      const ql_record_field *fields, int n_fields, int64_t n_rows,
                                      ql_err *err);

/* What was done since the start, in order, as lines of a word and a key: "claim uns/quell/denoise",
 * "claim-column obs/x", "matrix obsm/x", "dense layers/x", "chosen layers/x", "sparse layers/x" (or
 * obsp), "columns obs", "category obs/x", "value uns/x", "records uns/x". The same done to the same
 * start gives the same bytes. Borrowed, until the next call. */
const ql_names *ql_h5ad_journal(const ql_h5ad_writer *w);

/* Flush, close, fsync, rename. The writer is freed in any case. */
QL_MUST_USE ql_status ql_h5ad_commit(ql_h5ad_writer *w, ql_err *err);
void ql_h5ad_abort(ql_h5ad_writer *w); /* removes the temporary; NULL is allowed */

#ifdef __cplusplus
}
#endif
#endif
