/* Which filters and extents are known here, and undoing the filters. */
#include "chunk_pipeline.h"

#include <string.h>

#ifdef QL_HAVE_LIBDEFLATE
#include <libdeflate.h>
#else
#include <zlib.h>
#endif

#include "lzf.h"

enum {
    CHUNK_MAX = 64 << 20, /* larger chunks are left to libhdf5 */
    MANY_CHUNKS = 1024,   /* finding each by its number takes the square of their number */
    SLACK = 64            /* a filter may see a few bytes more than a chunk (checksums) */
};

/* ---- undoing ---- */

#ifdef QL_HAVE_LIBDEFLATE
static size_t inflate_bytes(const unsigned char *in, size_t n, unsigned char *out, size_t cap)
{
    size_t got = 0;
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    if (!d) return 0;
    if (libdeflate_zlib_decompress(d, in, n, out, cap, &got) != LIBDEFLATE_SUCCESS) got = 0;
    libdeflate_free_decompressor(d);
    return got;
}
#else
static size_t inflate_bytes(const unsigned char *in, size_t n, unsigned char *out, size_t cap)
{
    uLongf got = (uLongf)cap;
    return uncompress(out, &got, in, (uLong)n) == Z_OK ? (size_t)got : 0;
}
#endif

/* Byte b of element i lies at b * count + i; bytes behind the last whole element are not moved. */
static size_t unshuffle(const unsigned char *in, size_t n, size_t size, unsigned char *out)
{
    size_t count = n / size;
    for (size_t b = 0; b < size; b++) {
        const unsigned char *plane = in + b * count;
        for (size_t i = 0; i < count; i++) out[i * size + b] = plane[i];
    }
    memcpy(out + count * size, in + count * size, n - count * size);
    return n;
}

/* Undo one filter; returns the bytes made, 0 when the data are damaged. */
static size_t undo_step(const ql_pipeline *p, H5Z_filter_t step, const unsigned char *in, size_t n,
                        unsigned char *out, size_t cap)
{
    switch (step) {
    case H5Z_FILTER_DEFLATE:
        return inflate_bytes(in, n, out, cap);
    case QL_LZF_FILTER:
        return ql_lzf_decode(in, n, out, cap);
    case H5Z_FILTER_SHUFFLE:
        return n > cap ? 0 : unshuffle(in, n, p->size, out);
    default:
        return 0;
    }
}

/* Is filter i the last one to be undone? */
static bool is_last(const ql_stored_chunk *s, int i)
{
    return (~s->skipped & ((1U << i) - 1)) == 0;
}

size_t ql_pipeline_work_bytes(const ql_pipeline *p)
{
    return 2 * (p->bytes + SLACK);
}

const unsigned char *ql_pipeline_decode(const ql_pipeline *p, const ql_stored_chunk *s,
                                        unsigned char *work, unsigned char *home)
{
    const unsigned char *now = s->bytes;
    unsigned char *area[2] = {work, work + p->bytes + SLACK};
    size_t n = s->n;
    int turn = 0;
    for (int i = p->n_steps - 1; i >= 0; i--) {
        if (s->skipped >> i & 1) continue;
        if (p->step[i] == H5Z_FILTER_FLETCHER32) {
            if (n < 4) return NULL;
            n -= 4; /* deflate has a checksum of its own */
            continue;
        }
        bool to_home = home && is_last(s, i);
        unsigned char *to = to_home ? home : area[turn];
        n = undo_step(p, p->step[i], now, n, to, to_home ? p->bytes : p->bytes + SLACK);
        if (n == 0) return NULL;
        now = to;
        turn = 1 - turn;
    }
    return n == p->bytes ? now : NULL;
}

const unsigned char *ql_pipeline_fill(const ql_pipeline *p, unsigned char *out)
{
    for (int64_t i = 0; i < p->rows * p->cols; i++)
        memcpy(out + (size_t)i * p->size, p->fill, p->size);
    return out;
}

/* ---- what is known of a dataset ---- */

/* A bit of its own for each filter that is undone here, 0 for others. */
enum { SHUFFLE = 1, DEFLATE = 2, LZF = 4, FLETCHER = 8 };
static unsigned bit_of(H5Z_filter_t filter)
{
    switch (filter) {
    case H5Z_FILTER_SHUFFLE:
        return SHUFFLE;
    case H5Z_FILTER_DEFLATE:
        return DEFLATE;
    case QL_LZF_FILTER:
        return LZF;
    case H5Z_FILTER_FLETCHER32:
        return FLETCHER;
    default:
        return 0;
    }
}

/* Filters we undo ourselves, at most one of a kind. fletcher32 is dropped where deflate has checked
 * the data already; elsewhere (lone_checksum) it is left to libhdf5. */
static bool get_filters(hid_t dcpl, bool lone_checksum, ql_pipeline *p)
{
    unsigned seen = 0;
    p->n_steps = H5Pget_nfilters(dcpl);
    if (p->n_steps < 0 || p->n_steps > QL_PIPELINE_STEPS) return false;
    for (int i = 0; i < p->n_steps; i++) {
        unsigned flags = 0, info = 0;
        size_t n_values = 0;
        p->step[i] = H5Pget_filter2(dcpl, (unsigned)i, &flags, &n_values, NULL, 0, NULL, &info);
        const unsigned bit = bit_of(p->step[i]);
        if (bit == 0 || (seen & bit)) return false;
        if (bit == FLETCHER && !(seen & DEFLATE) && !lone_checksum) return false;
        seen |= bit;
    }
    return !((seen & DEFLATE) && (seen & LZF));
}

/* Extent of a chunk that is small enough to be decoded here. */
static bool get_chunk(const ql_h5r_array *a, hid_t dcpl, ql_pipeline *p)
{
    hsize_t chunk[2] = {0, 1};
    if (H5Pget_layout(dcpl) != H5D_CHUNKED || H5Pget_chunk(dcpl, a->rank, chunk) != a->rank)
        return false;
    const hsize_t most = CHUNK_MAX / p->size;
    if (chunk[0] == 0 || chunk[1] == 0 || chunk[0] > most || chunk[1] > most / chunk[0])
        return false;
    p->rows = (int64_t)chunk[0];
    p->cols = (int64_t)chunk[1];
    p->width = a->rank == 2 ? a->dim[1] : 1;
    p->bytes = (size_t)(p->rows * p->cols) * p->size;
    return true;
}

bool ql_pipeline_sizes_hold(const ql_h5r_array *a, const ql_pipeline *p)
{
    hsize_t n = 0, offset[2], bytes = p->bytes;
    hid_t space = H5Dget_space(a->id);
    haddr_t address;
    unsigned mask;
    bool ok = space >= 0 && H5Dget_num_chunks(a->id, space, &n) >= 0 &&
              n * p->bytes == H5Dget_storage_size(a->id);
    for (hsize_t i = 0; ok && i < n && n <= MANY_CHUNKS; i++)
        ok = H5Dget_chunk_info(a->id, space, i, offset, &mask, &address, &bytes) >= 0 &&
             bytes == p->bytes;
    ql_h5r_close(space);
    return ok;
}

static bool few_chunks(const ql_h5r_array *a, const ql_pipeline *p)
{
    return H5Dget_storage_size(a->id) / p->bytes <= MANY_CHUNKS;
}

/* Raw elements are 0 where nothing was written. */
static bool get_fill(const ql_h5r_array *a, hid_t dcpl, ql_pipeline *p)
{
    H5D_fill_value_t state;
    if (!a->raw_size) return H5Pget_fill_value(dcpl, a->mem_type, p->fill) >= 0;
    return p->size <= sizeof p->fill && H5Pfill_value_defined(dcpl, &state) >= 0 &&
           state != H5D_FILL_VALUE_USER_DEFINED;
}

bool ql_pipeline_of(const ql_h5r_array *a, ql_pipeline *p)
{
    if ((!a->as_stored && !a->raw_size) || a->rank < 1) return false;
    *p = (ql_pipeline){.size = a->raw_size ? a->raw_size : ql_num_size(a->num)};
    hid_t dcpl = H5Dget_create_plist(a->id);
    bool ok =
        dcpl >= 0 && get_chunk(a, dcpl, p) && get_filters(dcpl, false, p) && get_fill(a, dcpl, p);
    if (ok && p->n_steps == 0) ok = few_chunks(a, p) && ql_pipeline_sizes_hold(a, p);
    (void)H5Eclear2(H5E_DEFAULT);
    ql_h5r_close(dcpl);
    return ok;
}

/* Bytes that elements of a type take more in the file than in memory. */
static int64_t grows_by(hid_t type, int64_t reference)
{
    int64_t more = 0;
    if (H5Tis_variable_str(type) > 0 || H5Tget_class(type) == H5T_VLEN)
        return reference - (int64_t)H5Tget_size(type);
    if (H5Tget_class(type) != H5T_COMPOUND) return 0;
    for (int i = 0; i < H5Tget_nmembers(type); i++) {
        hid_t member = H5Tget_member_type(type, (unsigned)i);
        more += member < 0 ? 0 : grows_by(member, reference);
        ql_h5r_close(member);
    }
    return more;
}

/* Bytes of an element in the file. A value of variable length is there as a length, an address in
 * the heap and a number. */
static size_t stored_size(const ql_h5r_array *a)
{
    size_t address = 8, length = 8;
    hid_t type = H5Dget_type(a->id), file = H5Iget_file_id(a->id), fcpl = H5Fget_create_plist(file);
    if (fcpl >= 0) (void)H5Pget_sizes(fcpl, &address, &length);
    int64_t size = type < 0 ? 0 : (int64_t)H5Tget_size(type);
    if (type >= 0) size += grows_by(type, 4 + (int64_t)address + 4);
    ql_h5r_close(fcpl);
    ql_h5r_close(file);
    ql_h5r_close(type);
    return size > 0 ? (size_t)size : 0;
}

bool ql_pipeline_to_check(const ql_h5r_array *a, ql_pipeline *p)
{
    *p = (ql_pipeline){.size = stored_size(a)};
    if (a->rank < 1 || a->n == 0 || p->size == 0) return false;
    hid_t dcpl = H5Dget_create_plist(a->id);
    bool known = dcpl >= 0 && get_chunk(a, dcpl, p) && get_filters(dcpl, true, p);
    (void)H5Eclear2(H5E_DEFAULT);
    ql_h5r_close(dcpl);
    return known;
}
