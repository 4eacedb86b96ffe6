/* Inputs that are not read, and why. Private to src/io. */
#ifndef QUELL_IO_REFUSE_H
#define QUELL_IO_REFUSE_H

#include <stdbool.h>
#include <stddef.h>

#include "quell/status.h"

/* The checks before any format is tried: exists, readable, not empty. */
QL_MUST_USE ql_status ql_check_input(const char *path, ql_err *err);

/* Why path is none of the formats that are read: fails always, naming what it is instead. */
QL_MUST_USE ql_status ql_refuse(const char *path, ql_err *err);

/* The first bytes of a file are text, and not of a known kind that is no table (JSON, reads, ...).
 */
bool ql_is_plain_text(const char *head, size_t n);

#endif
