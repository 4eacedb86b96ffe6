/* An output folder of a few files that is either complete or not there: the files are written into
 * a folder of a temporary name beside it, which is renamed. Private to src/io.
 *
 * A folder that exists is taken when it is empty, or with force when it holds nothing but files of
 * these names: nobody's other files are ever removed. */
#ifndef QUELL_IO_OUT_FOLDER_H
#define QUELL_IO_OUT_FOLDER_H

#include "out_file.h"

/* Zero-initialise; all strings owned but the members. */
typedef struct {
    char *path;                 /* as the user gave it, for messages */
    char *target;               /* without slashes at the end, links followed */
    char *tmp;                  /* <parent>/.<name>.<pid>.tmp; NULL: none made */
    const char *const *members; /* names of the files, NULL-terminated; borrowed */
    bool force;
} ql_out_folder;

/* Make the temporary folder. QL_ECREATE when the target cannot be made or is in the way, QL_EUSAGE
 * when it is the input, or the folder the input lies in (in_path; may be NULL). */
QL_MUST_USE ql_status ql_outdir_begin(ql_out_folder *f, const char *path, const char *in_path,
                                      const char *const *members, bool force, ql_err *err);

/* Begin member i. The caller writes and commits the file. */
QL_MUST_USE ql_status ql_outdir_member(const ql_out_folder *f, int i, ql_out_file *file,
                                       ql_err *err);

/* Rename, after all members are committed. On failure nothing is left. Releases f. */
QL_MUST_USE ql_status ql_outdir_commit(ql_out_folder *f, ql_err *err);
void ql_outdir_abort(ql_out_folder *f); /* harmless on a zero or committed f */

#endif
