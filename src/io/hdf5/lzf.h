/* LZF, the compression h5py brings along (HDF5 filter 32000): decoder and HDF5 filter. Private to
 * src/io. */
#ifndef QUELL_IO_LZF_H
#define QUELL_IO_LZF_H

#include <stddef.h>

#define QL_LZF_FILTER 32000

/* Decode n bytes of raw LZF. Returns the bytes written to out, or 0 when the input is damaged or
 * cap does not suffice. */
size_t ql_lzf_decode(const unsigned char *in, size_t n, unsigned char *out, size_t cap);

/* Make HDF5 able to read LZF-compressed datasets. Safe to call more than once. */
void ql_lzf_register(void);

#endif
