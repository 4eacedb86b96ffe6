/* Texts in one piece: into a file that is either complete or not there, out of one. */
#ifndef QUELL_TEXT_FILE_H
#define QUELL_TEXT_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "quell/status.h"
#include "quell/strbuf.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Write text under path, through a temporary and a rename. in_path: the input, which path must not
 * be (NULL: none). QL_ECREATE when the file exists (unless force) or cannot be made, QL_EUSAGE,
 * QL_EIO; QL_EMEMORY when making the text failed. */
QL_MUST_USE ql_status ql_text_file_write(const char *path, const char *in_path, bool force,
                                         const ql_str *text, ql_err *err);

/* All of a file, plain or gzip, appended to out; at most so many bytes. QL_ENOINPUT, QL_EDATA (too
 * large, damaged gzip), QL_EIO, QL_EMEMORY, with the path in front. */
QL_MUST_USE ql_status ql_text_file_read(const char *path, int64_t most, ql_str *out, ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
