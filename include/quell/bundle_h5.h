/* A bundle as a plain HDF5 file: arrays and lists of names are datasets, scalars are attributes of
 * the group they are in (the root's: of the file). Texts are UTF-8. h5py reads all of it. */
#ifndef QUELL_BUNDLE_H5_H
#define QUELL_BUNDLE_H5_H

#include <stdbool.h>

#include "quell/bundle.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    bool force;          /* replace an existing file */
    int deflate;         /* 0: none, 1-9: gzip level of the arrays */
    int threads;         /* for compression; decides no byte */
    const char *in_path; /* a file that must not be replaced; NULL: none */
} ql_bundle_write_options;

/* Written under a temporary name, fsynced, renamed: the old file or the whole new one is there at
 * any time. The bytes depend on the entries alone, not on the order in which they were put.
 * Failures as in quell/h5ad_writer.h. */
QL_MUST_USE ql_status ql_bundle_h5_write(const char *path, const ql_bundle *b,
                                         const ql_bundle_write_options *opt, ql_err *err);

/* Every attribute of a group and every dataset of the file into *b, which is empty; in the order of
 * their names. No link is followed, and sizes are checked against the file's before memory is
 * taken: QL_ENOINPUT (cannot be opened), QL_EDATA (no HDF5, damaged, holds what a bundle cannot).
 */
QL_MUST_USE ql_status ql_bundle_h5_read(const char *path, ql_bundle *b, ql_err *err);

/* The attributes of the file itself alone, for telling what it is: of those only what a bundle can
 * hold. */
QL_MUST_USE ql_status ql_bundle_h5_read_root(const char *path, ql_bundle *b, ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
