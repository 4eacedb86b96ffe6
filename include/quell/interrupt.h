/* Signals and temporary files.
 *
 * The first INT, TERM or USR2 sets a flag that loops look at between steps; they return QL_EINT or
 * QL_ETERM and the normal cleanup runs. A second INT or TERM removes the registered temporary files
 * and ends the process at once. USR2 does not count as a first one: it is a cluster's early
 * warning, and the TERM that follows must not cut off the checkpoint being written. */
#ifndef QUELL_INTERRUPT_H
#define QUELL_INTERRUPT_H

#include <stdbool.h>

#include "quell/status.h"

#ifdef __cplusplus
extern "C" {
#endif

void ql_interrupt_install(void); /* once, from main; also ignores SIGPIPE and SIGXFSZ */

/* QL_OK, or QL_EINT / QL_ETERM with a message when a signal has come. Cheap enough for every step.
 */
QL_MUST_USE ql_status ql_interrupt_check(ql_err *err);

/* While held, signals are noted but not reported: for reading and writing the state that a signal
 * asks to be kept. One thread. A second INT or TERM still ends the process. */
void ql_interrupt_hold(bool on);

/* Register and forget a file (or a folder of such files) to be removed when the process is ended by
 * a second signal. At most 8 at a time; more are ignored, and paths over 4095 bytes. The path is
 * copied. */
void ql_tempfile_register(const char *path);
void ql_tempfile_forget(const char *path);

#ifdef __cplusplus
}
#endif
#endif
