/* The value of --compression. Private to src/cmd. */
#ifndef QL_COMPRESSION_H
#define QL_COMPRESSION_H

#include "quell/status.h"

/* "none": 0; "gzip": gzip_level; "gzip:N": N. QL_EUSAGE otherwise. */
QL_MUST_USE ql_status ql_compression_level(const char *text, int gzip_level, int *level,
                                           ql_err *err);

#endif
