/* Times on the command line. Private to src/cmd. */
#ifndef QL_DURATION_H
#define QL_DURATION_H

#include "quell/status.h"

/* "90s", "10m", "2h", or a number of seconds. QL_EUSAGE names the option. */
QL_MUST_USE ql_status duration_read(const char *option, const char *text, double *seconds,
                                    ql_err *err);

#endif
