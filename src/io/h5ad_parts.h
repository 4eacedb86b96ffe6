/* The parts of an h5ad: frames and the choice of the matrix that holds counts. Private to src/io.
 */
#ifndef QUELL_IO_H5AD_PARTS_H
#define QUELL_IO_H5AD_PARTS_H

#include "h5_read.h"
#include "quell/reader.h"

/* Path of the index of a frame ("obs", "var", "raw/var") into out. */
ql_status ql_h5ad_index_path(hid_t file, const char *frame, ql_str *out, ql_err *err);

/* The index of a frame. */
ql_status ql_h5ad_index(hid_t file, const char *frame, ql_names *out, ql_err *err);

/* A warning for each column that column-order names and the file lacks. */
void ql_h5ad_check_columns(hid_t file, const char *frame, ql_notes *notes);

/* The columns of a frame (its index is set in out) in the types of a ql_frame; the paths of those
 * that cannot be read go to lost. */
ql_status ql_h5ad_read_columns(hid_t file, const char *frame, ql_frame *out, ql_names *lost,
                               ql_err *err);

/* The columns of cells and genes of ds, whose names and matrix are set, and ds->others. */
ql_status ql_h5ad_annotate(hid_t file, ql_dataset *ds, ql_err *err);

/* Fill ds->counts, ds->genes.index, ds->matrix and ds->genes_differ from the matrix that opt names
 * or that holds counts; ds->cells.index is set. */
ql_status ql_h5ad_pick(hid_t file, const ql_read_options *opt, ql_dataset *ds, ql_notes *notes,
                       ql_err *err);

#endif
