/* Sound HDF5 files of every layout, as tables; the HDF5 targets start from one and spoil it. */
#ifndef QUELL_FUZZ_H5_LAYOUT_H
#define QUELL_FUZZ_H5_LAYOUT_H

#include <hdf5.h>

#include "fuzz.h"

/* Build layout number `variant` (taken modulo how many there are) of the format in an empty file.
 * storage: bits, how arrays are kept: 1 chunked, 2 shuffle, 4 deflate, 8 fletcher32, 16 lzf,
 * 32 chunks of one value. */
void fz_h5_build(hid_t file, const char *format, unsigned variant, unsigned storage);

bool fz_h5_known(const char *format);

/* A list of properties for a new dataset of this rank. chunk: lengths. */
hid_t fz_h5_storage(int rank, const hsize_t *chunk, unsigned storage);

hid_t fz_h5_text_type(void); /* UTF-8 of any length */

/* Text attribute and dataset; what is there by that name is replaced. */
void fz_h5_put_attribute(hid_t object, const char *name, hid_t type, int rank, const hsize_t *dim,
                         const void *values);

/* Make the path's parents that are missing. */
hid_t fz_h5_link_plist(void);

#endif
