/* HDF5 failures as ql_err: the innermost description of the library's own error stack, plus errno
 * text, in one line. Private to src/io. */
#ifndef QUELL_IO_H5_ERROR_H
#define QUELL_IO_H5_ERROR_H

#include <hdf5.h>

#include "quell/status.h"

/* Call before the first HDF5 call of the process (and harmlessly again): no exit handler, no
 * automatic printing of error stacks on this thread. All HDF5 calls are made on one thread. */
void ql_h5_init(void);

/* Fail with code and "<message>: <what HDF5 says>", then clear HDF5's error stack. */
ql_status ql_h5_fail(ql_err *err, ql_status code, const char *fmt, ...) QL_PRINTF(3, 4);

#endif
