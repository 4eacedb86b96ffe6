/* The parts of an h5ad: frames and the choice of the matrix that holds counts. What is called file
 * here is the root of an AnnData: a file, or a modality's group of an h5mu. Private to src/io. */
#ifndef QUELL_IO_H5AD_READ_H
#define QUELL_IO_H5AD_READ_H

#include "../hdf5/h5_columns.h"
#include "quell/reader.h"

/* What the parts are called; older versions had other names. */
typedef struct {
    const char *x, *raw_x, *obs, *var, *raw_var;
} ql_h5ad_names;

extern const ql_h5ad_names ql_h5ad_modern_names;

/* "group/member" into out. QL_EMEMORY. */
QL_MUST_USE ql_status ql_h5ad_path(const char *group, const char *member, ql_str *out, ql_err *err);

/* Rows of a frame that is a group, without reading its index. */
QL_MUST_USE ql_status ql_h5ad_rows(hid_t file, const char *frame, int64_t *n, ql_err *err);

/* The index of a frame: a group, or a list of compounds (anndata 0.6 and older). */
QL_MUST_USE ql_status ql_h5ad_index(hid_t file, const char *frame, ql_names *out, ql_err *err);

/* Is there a frame stored as a list of compounds? Its index; its number of rows and names of its
 * members (the index among them). */
bool ql_h5ad_is_compound(hid_t file, const char *frame);
QL_MUST_USE ql_status ql_h5ad_compound_index(hid_t file, const char *frame, ql_names *out,
                                             ql_err *err);
QL_MUST_USE ql_status ql_h5ad_compound_members(hid_t file, const char *frame, int64_t *n_rows,
                                               ql_names *out, ql_err *err);

/* The columns of a frame into *out, whose index is set; what cannot be read goes to left.
 * ql_h5ad_read_members does it for lists of compounds. */
QL_MUST_USE ql_status ql_h5ad_read_columns(hid_t file, const char *frame, ql_frame *out,
                                           const ql_left_out *left, ql_err *err);
QL_MUST_USE ql_status ql_h5ad_read_members(hid_t file, const char *frame, ql_frame *out,
                                           const ql_left_out *left, ql_err *err);

/* One column that is there, of a frame that is a group, added to *out whose index is set. */
QL_MUST_USE ql_status ql_h5ad_read_column(hid_t file, const char *frame, const char *column,
                                          ql_frame *out, ql_err *err);

/* Append the paths of all that is neither ds->matrix nor one of the frames. */
QL_MUST_USE ql_status ql_h5ad_list_others(hid_t file, const ql_h5ad_names *names,
                                          const ql_dataset *ds, ql_names *others, ql_err *err);

/* Fill ds->counts, ds->genes.index, ds->matrix and ds->genes_differ from the matrix that r->opt
 * names or that holds counts; ds->cells.index is set. */
QL_MUST_USE ql_status ql_h5ad_pick(hid_t file, const ql_h5ad_names *names, const ql_reading *r,
                                   ql_dataset *ds, ql_notes *notes, ql_err *err);

/* All of an AnnData. with_columns: the annotation columns too, for outputs that are no copy of the
 * file; r->opt->columns asks for them in any case, and for ds->others. */
QL_MUST_USE ql_status ql_h5ad_read(hid_t file, const ql_h5ad_names *names, const ql_reading *r,
                                   bool with_columns, ql_dataset *ds, ql_notes *notes, ql_err *err);

/* What is in it, for `quell info`. */
QL_MUST_USE ql_status ql_h5ad_describe(hid_t file, const ql_h5ad_names *names, ql_str *out,
                                       ql_err *err);

/* Paths of the matrices of which ql_h5ad_pick may take one. */
QL_MUST_USE ql_status ql_h5ad_matrices(hid_t file, const ql_h5ad_names *names,
                                       const ql_read_options *opt, ql_names *out, ql_err *err);

#endif
