/* A row of counts with columns left out and in another order. Private to src/mat. */
#ifndef QL_ROW_PICK_H
#define QL_ROW_PICK_H

#include <stdint.h>

/* Entries of a row renumbered in place, those of map -1 left out, the others put in order; returns
 * how many are left. */
int64_t ql_row_pick(const int32_t *map, int64_t n, int32_t *gene, float *count);

#endif
