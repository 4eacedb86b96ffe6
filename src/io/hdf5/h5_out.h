/* Writing the elements of an h5ad: attributes, dicts, arrays, strings, with the encoding attributes
 * anndata looks for. Private to src/io.
 *
 * Every call checks every return of HDF5 (a close can be the first to report a full disk) and fails
 * with QL_EIO, naming the object. Nothing made here carries a time stamp. */
#ifndef QUELL_IO_H5_OUT_H
#define QUELL_IO_H5_OUT_H

#include <hdf5.h>
#include <stdbool.h>
#include <stdint.h>

#include "quell/frame.h"
#include "quell/status.h"

/* A new file over path (which exists and is empty), its root encoded as anndata; *out is closed
 * with ql_h5out_close_file. */
QL_MUST_USE ql_status ql_h5out_create_file(const char *path, hid_t *out, ql_err *err);
/* The same without any encoding, for formats that are no h5ad. */
QL_MUST_USE ql_status ql_h5out_create_plain(const char *path, hid_t *out, ql_err *err);
/* An existing file, to be added to. */
QL_MUST_USE ql_status ql_h5out_open_file(const char *path, hid_t *out, ql_err *err);
QL_MUST_USE ql_status ql_h5out_close_file(hid_t file, ql_err *err);

/* encoding-type and encoding-version of a group or dataset. */
QL_MUST_USE ql_status ql_h5out_encode(hid_t obj, const char *type, const char *version,
                                      ql_err *err);

/* Attributes. Strings are variable-length UTF-8; an existing attribute of the name is replaced. */
QL_MUST_USE ql_status ql_h5out_attr_string(hid_t obj, const char *name, const char *value,
                                           ql_err *err);
QL_MUST_USE ql_status ql_h5out_attr_strings(hid_t obj, const char *name, const ql_names *values,
                                            ql_err *err);
QL_MUST_USE ql_status ql_h5out_attr_int64s(hid_t obj, const char *name, const int64_t *values,
                                           int n, ql_err *err);
/* One number of a native type. */
QL_MUST_USE ql_status ql_h5out_attr_number(hid_t obj, const char *name, hid_t type,
                                           const void *value, ql_err *err);

QL_MUST_USE ql_status ql_h5out_attr_bool(hid_t obj, const char *name, bool value, ql_err *err);

/* The strings of an attribute (scalar: one; none when it has no elements, whatever its type),
 * appended to *out. QL_EDATA when it is missing or holds no strings. */
QL_MUST_USE ql_status ql_h5out_read_strings(hid_t obj, const char *name, ql_names *out,
                                            ql_err *err);

/* A new group; type NULL: without encoding. *out is closed with ql_h5out_close. */
QL_MUST_USE ql_status ql_h5out_group(hid_t parent, const char *name, const char *type,
                                     const char *version, hid_t *out, ql_err *err);
/* The group of this name, made as a dict if there is none. */
QL_MUST_USE ql_status ql_h5out_dict(hid_t parent, const char *name, hid_t *out, ql_err *err);
/* Close a group or dataset; name is for the message. Negative ids are ignored. */
QL_MUST_USE ql_status ql_h5out_close(hid_t obj, const char *name, ql_err *err);

bool ql_h5out_exists(hid_t parent, const char *name); /* a direct member */
QL_MUST_USE ql_status ql_h5out_delete(hid_t parent, const char *name, ql_err *err);

/* Creation properties of a dataset without time stamp and without fill values, contiguous and
 * allocated at once. Close with H5Pclose; negative on failure. */
hid_t ql_h5out_dcpl(void);

/* Arrays of n values, contiguous, encoded as array or string-array. type is a native one. */
QL_MUST_USE ql_status ql_h5out_array(hid_t parent, const char *name, hid_t type, int64_t n,
                                     const void *values, ql_err *err);
QL_MUST_USE ql_status ql_h5out_strings(hid_t parent, const char *name, const ql_names *values,
                                       ql_err *err);

/* Scalars: numeric-scalar and string. Bytes that are no UTF-8 are taken as Latin-1. */
QL_MUST_USE ql_status ql_h5out_number(hid_t parent, const char *name, hid_t type, const void *value,
                                      ql_err *err);
QL_MUST_USE ql_status ql_h5out_string(hid_t parent, const char *name, const char *value,
                                      ql_err *err);

/* A column of a frame: n values (taken from the caller's frame) as a member of an obs or var group.
 */
QL_MUST_USE ql_status ql_h5out_column(hid_t frame, const char *name, const ql_column *column,
                                      int64_t n, ql_err *err);

#endif
