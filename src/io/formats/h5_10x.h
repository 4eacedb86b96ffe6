/* What both generations of 10x HDF5 have: a group with the arrays of a csc matrix of features x
 * barcodes, which is csr of cells x features. Private to src/io. */
#ifndef QUELL_IO_H5_10X_H
#define QUELL_IO_H5_10X_H

#include <hdf5.h>

#include "../mtx/features_10x.h"
#include "quell/reader.h"

/* The dataset shape of a group: [features, barcodes], neither above INT32_MAX (else QL_EDATA). */
QL_MUST_USE ql_status ql_10x_shape(hid_t file, const char *group, int64_t shape[2], ql_err *err);

/* The group's counts to r->sink and their end to ds: the columns that r->opt keeps of features,
 * whose names it sets; the cells' are set. cols: what the columns are called in messages. */
QL_MUST_USE ql_status ql_10x_stream(hid_t file, const char *group, const char *cols,
                                    const ql_features *features, const ql_reading *r,
                                    ql_dataset *ds, ql_notes *notes, ql_err *err);

/* How large they are, before they are read. */
QL_MUST_USE ql_status ql_10x_measure(hid_t file, const char *group, ql_read_sizes *out,
                                     ql_err *err);

/* One line on the matrix, appended to out. */
QL_MUST_USE ql_status ql_10x_describe(hid_t file, const char *group, const int64_t shape[2],
                                      ql_str *out, ql_err *err);

/* Did CellBender write it? Its latent variables are beside the matrix. */
bool ql_10x_is_cellbender(hid_t file);

#endif
