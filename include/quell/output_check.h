/* Can an output be written? Asked before any work is done. */
#ifndef QUELL_OUTPUT_CHECK_H
#define QUELL_OUTPUT_CHECK_H

#include <stdbool.h>

#include "quell/status.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Can out_path be written: its folder exists and is writable, it is
 * not a folder, does not exist (unless force): QL_ECREATE otherwise. QL_EUSAGE when it is the input
 * (in_path; may be NULL), a pipe or a device. */
QL_MUST_USE ql_status ql_output_check(const char *out_path, const char *in_path, bool force,
                                      ql_err *err);

#ifdef __cplusplus
}
#endif
#endif
