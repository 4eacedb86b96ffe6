#include "lzf.h"

#include <hdf5.h>
#include <stdlib.h>
#include <string.h>

/* A copy from `offset` bytes back; source and destination may overlap, byte by byte is the meaning.
 */
static void copy_back(unsigned char *out, size_t at, size_t offset, size_t len)
{
    const unsigned char *from = out + at - offset;
    for (size_t i = 0; i < len; i++) out[at + i] = from[i];
}

size_t ql_lzf_decode(const unsigned char *in, size_t n, unsigned char *out, size_t cap)
{
    size_t i = 0, o = 0;
    while (i < n) {
        size_t c = in[i++];
        if (c < 32) {
            size_t len = c + 1;
            if (len > n - i || len > cap - o) return 0;
            memcpy(out + o, in + i, len);
            i += len;
            o += len;
            continue;
        }
        size_t len = c >> 5;
        if (len == 7) {
            if (i == n) return 0;
            len += in[i++];
        }
        if (i == n) return 0;
        size_t between = (c & 31) << 8 | in[i++]; /* bytes to the one that is copied first */
        len += 2;
        if (between >= o || len > cap - o) return 0;
        copy_back(out, o, between + 1, len);
        o += len;
    }
    return o;
}

/* H5Z_func_t; blocks belong to HDF5, which frees them with free(). Client value 2 is the chunk's
 * size; without it the size is found by growing. */
static size_t lzf_filter(unsigned flags, size_t n_values, const unsigned values[], size_t n,
                         size_t *buf_size, void **buf)
{
    if (!(flags & H5Z_FLAG_REVERSE)) return 0;
    size_t cap = n_values > 2 && values[2] ? values[2] : n * 8 + 64;
    const size_t limit = n * 300 + 64;
    for (; cap / 2 <= limit; cap *= 2) {
        unsigned char *out = malloc(cap);
        if (!out) return 0;
        size_t got = ql_lzf_decode(*buf, n, out, cap);
        if (got) {
            free(*buf);
            *buf = out;
            *buf_size = cap;
            return got;
        }
        free(out);
        if (n_values > 2 && values[2]) return 0;
    }
    return 0;
}

void ql_lzf_register(void)
{
    static const H5Z_class2_t filter = {.version = H5Z_CLASS_T_VERS,
                                        .id = QL_LZF_FILTER,
                                        .encoder_present = 0,
                                        .decoder_present = 1,
                                        .name = "lzf",
                                        .filter = lzf_filter};
    if (H5Zfilter_avail(QL_LZF_FILTER) <= 0) (void)H5Zregister(&filter);
}
