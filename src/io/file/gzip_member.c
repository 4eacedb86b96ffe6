#include "gzip_member.h"

#include <limits.h>
#include <zlib.h>
#ifdef QL_HAVE_LIBDEFLATE
#include <libdeflate.h>
#endif

uint32_t ql_get_u32(const void *bytes)
{
    const unsigned char *b = bytes;
    return (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

bool ql_is_gzip(const void *head, size_t n)
{
    const unsigned char *b = head;
    return n >= 2 && b[0] == 0x1f && b[1] == 0x8b;
}

/* Fixed part: magic, method 8, flags with FEXTRA alone, time, two bytes, length of the extra field;
 * then subfields: two letters, a length, data. */
size_t ql_bgzf_block_size(const void *head, size_t n)
{
    enum { FIXED = 12, FEXTRA = 4, DEFLATE = 8 };
    const unsigned char *b = head;
    if (n < QL_BGZF_HEAD || !ql_is_gzip(head, n) || b[2] != DEFLATE || b[3] != FEXTRA) return 0;
    size_t end = FIXED + ((size_t)b[10] | (size_t)b[11] << 8);
    if (end > n) end = n;
    for (size_t at = FIXED; at + 4 <= end;) {
        size_t len = (size_t)b[at + 2] | (size_t)b[at + 3] << 8;
        if (b[at] == 'B' && b[at + 1] == 'C' && len == 2 && at + 6 <= end)
            return 1 + ((size_t)b[at + 4] | (size_t)b[at + 5] << 8);
        at += 4 + len;
    }
    return 0;
}

static ql_gzip_result inflate_zlib(const void *in, size_t n, void *out, size_t cap, size_t *used,
                                   size_t *got)
{
    enum { WITH_GZIP_HEADER = 15 + 16 };
    z_stream z = {0};
    if (n > UINT_MAX || cap > UINT_MAX || inflateInit2(&z, WITH_GZIP_HEADER) != Z_OK)
        return QL_GZIP_BAD;
    z.next_in = (z_const Bytef *)in;
    z.avail_in = (uInt)n;
    z.next_out = out;
    z.avail_out = (uInt)cap;
    int code = inflate(&z, Z_FINISH);
    *used = n - z.avail_in;
    *got = cap - z.avail_out;
    bool full = code == Z_BUF_ERROR && z.avail_out == 0;
    (void)inflateEnd(&z);
    if (code == Z_STREAM_END) return QL_GZIP_OK;
    return full ? QL_GZIP_SMALL : QL_GZIP_BAD;
}

#ifdef QL_HAVE_LIBDEFLATE
static ql_gzip_result inflate_libdeflate(const void *in, size_t n, void *out, size_t cap,
                                         size_t *used, size_t *got)
{
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    if (!d) return QL_GZIP_BAD;
    enum libdeflate_result result = libdeflate_gzip_decompress_ex(d, in, n, out, cap, used, got);
    libdeflate_free_decompressor(d);
    if (result == LIBDEFLATE_INSUFFICIENT_SPACE) return QL_GZIP_SMALL;
    return result == LIBDEFLATE_SUCCESS ? QL_GZIP_OK : QL_GZIP_BAD;
}
#endif

const ql_gzip_inflater ql_gzip_inflaters[] = {
#ifdef QL_HAVE_LIBDEFLATE
    {"libdeflate", inflate_libdeflate, true},
#endif
    {"zlib", inflate_zlib, false},
    {NULL, NULL, false},
};
