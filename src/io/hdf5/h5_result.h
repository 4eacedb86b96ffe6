/* An HDF5 file that is written whole and is no h5ad: begin, write, end. Private to src/io. */
#ifndef QUELL_IO_H5_RESULT_H
#define QUELL_IO_H5_RESULT_H

#include <hdf5.h>

#include "../file/out_file.h"
#include "quell/csr.h"

typedef struct {
    ql_out_file out;
    hid_t file;
} ql_h5_result;

/* An empty file under a temporary name. */
QL_MUST_USE ql_status ql_h5_result_begin(ql_h5_result *r, const char *path, const char *in_path,
                                         bool force, ql_err *err);

/* After the writing that returned st: commit, or on a failure remove everything and pass it on with
 * the output's name in front. Releases r. */
QL_MUST_USE ql_status ql_h5_result_end(ql_h5_result *r, ql_status st, ql_err *err);

/* A group without encoding attributes, made and closed. */
QL_MUST_USE ql_status ql_h5_empty_group(hid_t parent, const char *name, ql_err *err);

/* The type that counts are stored in: int32 when all are whole (and fit), else float32. */
hid_t ql_h5_count_type(const ql_csr *m);

/* n values converted to type, one of those of ql_h5_count_type. */
void ql_h5_convert_counts(hid_t type, const float *values, int64_t n, void *out);

#endif
