/* HDF5 files with bytes changed wherever they are. What this finds is mostly the library's, which
 * believes its files more than it should; so it is not among the targets of `make fuzz` unless
 * named, and its kept inputs are those that the library survives.
 *
 * Input: settings, format, layout, storage, then patches of a place (two bytes), a length (low four
 * bits; 128: the file ends there) and bytes. */
#include <hdf5.h>
#include <string.h>

#include "fuzz.h"
#include "h5_layout.h"

enum { IMAGE_MAX = 1 << 20, MAX_PATCHES = 64 };

static size_t sound_file(const char *format, unsigned variant, unsigned storage,
                         unsigned char image[IMAGE_MAX])
{
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    H5Pset_fapl_core(access, 1 << 16, 0);
    hid_t file = H5Fcreate("fuzz.h5", H5F_ACC_TRUNC, H5P_DEFAULT, access);
    H5Pclose(access);
    fz_require(file >= 0);
    fz_h5_build(file, format, variant, storage);
    H5Fflush(file, H5F_SCOPE_GLOBAL);
    ssize_t n = H5Fget_file_image(file, image, IMAGE_MAX);
    H5Fclose(file);
    fz_require(n > 0);
    return (size_t)n;
}

static size_t patch(fz_bytes *in, unsigned char *image, size_t n)
{
    for (int i = 0; i < MAX_PATCHES && fz_left(in) && n; i++) {
        size_t at = fz_u16(in) % n;
        unsigned how = fz_u8(in);
        if (how & 128) n = at;
        for (unsigned k = 0; k < (how & 15); k++, at++) {
            uint8_t byte = fz_u8(in);
            if (at < n) image[at] = byte;
        }
    }
    return n;
}

void fz_h5_bytes(const char *argument, const uint8_t *data, size_t size)
{
    static const char *const formats[] = {"h5ad", "10x-h5", "loom", "h5ad-old", "h5mu"};
    static unsigned char image[IMAGE_MAX];
    fz_bytes b = {data, data + size};
    (void)argument;
    fz_settings s = fz_take_settings(&b);
    const char *format = formats[fz_u8(&b) % (sizeof formats / sizeof *formats)];
    unsigned variant = fz_u8(&b), storage = fz_u8(&b);
    size_t n = sound_file(format, variant, storage, image);
    const char *path = fz_file_with(image, patch(&b, image, n));
    if (path) fz_read(path, NULL, &s);
}
