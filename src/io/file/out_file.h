/* An output file that is either complete or not there: written under a temporary name in the
 * target's folder, fsynced, renamed. Private to src/io.
 *
 * A symbolic link as target stays; the file it points to is replaced. The temporary is registered
 * for removal on a signal. */
#ifndef QUELL_IO_OUT_FILE_H
#define QUELL_IO_OUT_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "quell/status.h"

/* Zero-initialise; all strings owned. */
typedef struct {
    char *path;   /* as the user gave it, for messages */
    char *target; /* links followed: what the rename replaces */
    char *folder; /* of the target */
    char *tmp;    /* <folder>/.<name>.<pid>.tmp */
    int fd;       /* of the temporary, read and write; valid while tmp is set */
    bool force;
} ql_out_file;

/* Create the temporary. QL_ECREATE when the target exists (unless force) or its folder cannot be
 * written, QL_EUSAGE when it is no regular file or is the input (in_path; may be NULL). */
QL_MUST_USE ql_status ql_out_begin(ql_out_file *f, const char *path, const char *in_path,
                                   bool force, ql_err *err);

/* Append to the temporary. QL_EIO on failure. */
QL_MUST_USE ql_status ql_out_write(ql_out_file *f, const void *bytes, size_t n, ql_err *err);

/* Make the (empty) temporary a byte for byte copy of the file at source; shares blocks where the
 * file system can. QL_ENOINPUT, QL_EIO, or an interrupt. */
QL_MUST_USE ql_status ql_out_copy(ql_out_file *f, const char *source, ql_err *err);

/* Fail with QL_EIO when the file system that holds the temporary has less than `bytes` left. The
 * message does not name the file. */
QL_MUST_USE ql_status ql_out_room(const ql_out_file *f, int64_t bytes, ql_err *err);

/* fsync, rename, fsync of the folder. On failure the temporary is removed. Releases f. */
QL_MUST_USE ql_status ql_out_commit(ql_out_file *f, ql_err *err);

/* Remove the temporary and release f; harmless on a zero or committed f. */
void ql_out_abort(ql_out_file *f);

#endif
