/* The start of an output h5ad: the input's copy, or a new file of what was read. Private to src/io.
 */
#ifndef QUELL_IO_H5AD_START_H
#define QUELL_IO_H5AD_START_H

#include <hdf5.h>

#include "../file/out_file.h"
#include "quell/dataset.h"
#include "quell/h5ad_writer.h"
#include "quell/notes.h"

/* Fill the empty temporary of out with a valid h5ad that has all mapping groups; *file is open for
 * writing and closed with ql_h5out_close_file. Losses go to notes. */
QL_MUST_USE ql_status ql_h5ad_start(ql_out_file *out, const ql_dataset *ds,
                                    const ql_write_options *opt, ql_notes *notes, hid_t *file,
                                    ql_err *err);

/* Cells and genes of a file that can be copied and added to. QL_EDATA: its frames are stored as
 * anndata before 0.7 did, or it is no h5ad. */
QL_MUST_USE ql_status ql_h5ad_extent(const char *path, int64_t *n_cells, int64_t *n_genes,
                                     ql_err *err);

/* Fill the empty temporary of out with a copy of such a file. */
QL_MUST_USE ql_status ql_h5ad_start_copy(ql_out_file *out, const char *source, hid_t *file,
                                         ql_err *err);

/* data, indices and indptr of streamed counts into a group, as bytes the same as of counts in
 * memory (h5ad_rows.c). */
QL_MUST_USE ql_status ql_h5ad_write_rows(hid_t group, const ql_dataset *ds,
                                         const ql_write_options *opt, ql_err *err);

/* Row pointers [n_rows + 1] as the dataset indptr: int32 wherever that holds the last of them.
 * anndata hands the arrays to scipy as they are, and scipy takes no two types of indices in one
 * matrix (tocoo fails). */
QL_MUST_USE ql_status ql_h5ad_write_indptr(hid_t group, const int64_t *indptr, int64_t n_rows,
                                           const ql_write_options *opt, ql_err *err);

#endif
