/* Strings of variable length, read without HDF5's help, which takes a call through four layers for
 * each of them. Private to src/io. */
#ifndef QUELL_IO_H5_HEAP_H
#define QUELL_IO_H5_HEAP_H

#include "h5_read.h"

typedef enum {
    QL_HEAP_DONE,
    QL_HEAP_UNUSUAL, /* not a file that can be read so: HDF5 reads it, or says what is wrong */
    QL_HEAP_DAMAGED  /* the heap contradicts itself, which HDF5 (1.10) would not survive */
} ql_heap_outcome;

/* Append the strings of a list whose file type, `type`, is a string of variable length. Unless all
 * is well out, which must be empty, is left so. *bad is the element that shows the damage. */
ql_heap_outcome ql_h5r_heap_strings(const ql_h5r_array *a, hid_t type, ql_names *out, int64_t *bad);

#endif
