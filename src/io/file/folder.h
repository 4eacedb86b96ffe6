/* Names of the files of a folder, and joining of paths. Private to src/io. */
#ifndef QUELL_IO_FOLDER_H
#define QUELL_IO_FOLDER_H

#include <stdbool.h>

#include "quell/frame.h"

bool ql_is_folder(const char *path);
bool ql_is_file(const char *path); /* a regular file, or a link to one */

/* Names in a folder in byte order, at most 10,000, without "." and "..". */
QL_MUST_USE ql_status ql_folder_list(const char *path, ql_names *out, ql_err *err);

/* folder/name into out (cap bytes); false when it does not fit. */
bool ql_join(const char *folder, const char *name, char *out, size_t cap);

bool ql_ends_with(const char *text, const char *end);

#endif
