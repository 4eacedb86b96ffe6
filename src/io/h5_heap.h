/* Strings of variable length, read without HDF5's help, which takes a call through four layers for
 * each of them. Private to src/io. */
#ifndef QUELL_IO_H5_HEAP_H
#define QUELL_IO_H5_HEAP_H

#include "h5_read.h"

/* Append the strings of a list whose file type, `type`, is a string of variable length. False, with
 * out (which must be empty) left so, when anything is unusual or wrong: HDF5 reads the list then,
 * or says what is wrong with it. */
bool ql_h5r_heap_strings(const ql_h5r_array *a, hid_t type, ql_names *out);

#endif
