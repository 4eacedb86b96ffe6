/* Entries sorted by row as bytes: about three each where rows, columns and counts are close to
 * those before. Private to src/mat. */
#ifndef QL_RUN_CODE_H
#define QL_RUN_CODE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int32_t row, col;
    float value;
} ql_entry;

enum { QL_ENTRY_BYTES = 16 }; /* at most, of one */

/* Write the entry that follows `before` (zeros for the first; its row is not smaller); returns how
 * many bytes that took. */
int64_t ql_entry_put(const ql_entry *before, const ql_entry *e, uint8_t *to);

/* Read what ql_entry_put wrote from the n bytes that are there; returns how many it was, 0 if these
 * are no entry. *e is the entry before. Row and column are whatever the bytes say. */
int64_t ql_entry_get(const uint8_t *from, int64_t n, ql_entry *e);

#endif
