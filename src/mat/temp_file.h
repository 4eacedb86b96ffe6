/* A temporary file that is gone however the program ends. Private to src/mat. */
#ifndef QL_TEMP_FILE_H
#define QL_TEMP_FILE_H

#include <stdint.h>

#include "quell/status.h"

typedef struct {
    int fd;       /* -1: none */
    char *folder; /* owned */
    char *path;   /* owned; NULL once the file has no name */
} ql_temp_file;

/* A new file in folder, which has no name there as soon as it is open (or, where the system does
 * not allow that, goes with ql_temp_close or a signal that ends the program). Close it whether or
 * not the open succeeded. QL_ECREATE, QL_EMEMORY. */
QL_MUST_USE ql_status ql_temp_open(ql_temp_file *t, const char *folder, ql_err *err);
void ql_temp_close(ql_temp_file *t); /* harmless on a closed one */

/* Append n bytes. QL_EIO: the disk is full. Also ends on a signal. */
QL_MUST_USE ql_status ql_temp_write(ql_temp_file *t, const uint8_t *bytes, int64_t n, ql_err *err);

/* Bytes [from, from + n); any thread. 0 or an errno. */
int ql_temp_read(const ql_temp_file *t, int64_t from, int64_t n, uint8_t *bytes);

#endif
