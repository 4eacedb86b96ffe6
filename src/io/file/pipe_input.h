/* Input that cannot be sought: "-", FIFOs, character devices. Private to src/io.
 *
 * What comes through a pipe is copied, as it is, to a file in $TMPDIR (else /tmp) that has no name
 * any more: formats may look at it as often as they like, memory stays free for the matrix, and
 * nothing is left behind however the process ends. Copies are kept to the end of the process, since
 * a pipe can be read only once. */
#ifndef QUELL_IO_PIPE_INPUT_H
#define QUELL_IO_PIPE_INPUT_H

#include "quell/notes.h"
#include "quell/strbuf.h"

/* Where the bytes of an input are, and what it is called in messages. */
typedef struct {
    const char *shown; /* borrowed: the path as given, or "<stdin>" */
    const char *path;  /* what to open; borrowed from the caller or kept to the end */
} ql_input;

/* QL_ENOINPUT when path cannot be opened or is HDF5 through a pipe; QL_EDATA when nothing comes;
 * QL_EIO when the copy fails. Not for several threads at a time. */
QL_MUST_USE ql_status ql_input_find(const char *path, ql_input *in, ql_err *err);

/* Replace the place of a copy by the name the user knows, in texts made by a format. */
void ql_input_rename_err(const ql_input *in, ql_err *err);
void ql_input_rename_notes(const ql_input *in, ql_notes *notes, int from);
QL_MUST_USE ql_status ql_input_rename(const ql_input *in, char **text,
                                      ql_err *err); /* *text is owned */

#endif
