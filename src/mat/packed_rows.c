#include "packed_rows.h"

#include <stdbool.h>
#include <string.h>

enum { WIDEST = 32, VARINT = 10 };

int64_t ql_pack_bound(int64_t n)
{
    /* no list takes more than at full width */
    return VARINT + 2 * (1 + n * 4);
}

/* --- packing --- */

static uint8_t *put_varint(uint8_t *out, uint64_t v)
{
    for (; v >= 128; v >>= 7) *out++ = (uint8_t)(v | 128);
    *out++ = (uint8_t)v;
    return out;
}

static uint64_t mask_of(int width)
{
    return (UINT64_C(1) << width) - 1;
}

/* The narrowest width that holds a value and leaves all ones free. */
static int width_of(uint32_t v)
{
    return v == UINT32_MAX ? WIDEST : 32 - __builtin_clz(v + 1);
}

/* Width that takes the fewest bits; of[w]: number of values that need w bits. */
static int choose_width(const int64_t of[WIDEST + 1], int64_t n)
{
    int64_t added = 0, best = n * WIDEST;
    int width = WIDEST;
    for (int w = WIDEST - 1; w > 0; w--) {
        added += of[w + 1] * 8 * ((w + 1 + 6) / 7);
        if (n * w + added >= best) continue;
        best = n * w + added;
        width = w;
    }
    return width;
}

static uint8_t *put_bits(uint8_t *out, const uint32_t *v, int64_t n, int width)
{
    const uint64_t most = mask_of(width);
    uint64_t bits = 0;
    int held = 0;
    for (int64_t i = 0; i < n; i++) {
        bits |= (v[i] < most ? v[i] : most) << held;
        for (held += width; held >= 8; held -= 8, bits >>= 8) *out++ = (uint8_t)bits;
    }
    if (held > 0) *out++ = (uint8_t)bits;
    return out;
}

static uint8_t *put_list(uint8_t *out, const uint32_t *v, int64_t n)
{
    int64_t of[WIDEST + 1] = {0};
    uint32_t any = 0;
    for (int64_t i = 0; i < n; i++) {
        of[width_of(v[i])]++;
        any |= v[i];
    }
    int width = any ? choose_width(of, n) : 0;
    *out++ = (uint8_t)width;
    if (width == 0) return out;
    out = put_bits(out, v, n, width);
    for (int64_t i = 0; i < n && width < WIDEST; i++)
        if (v[i] >= mask_of(width)) out = put_varint(out, v[i] - mask_of(width));
    return out;
}

static bool all_whole(const float *count, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        if (!(count[i] >= 1 && count[i] < 2147483648.0f)) return false;
        if ((float)(uint32_t)count[i] != count[i]) return false;
    }
    return true;
}

int64_t ql_pack_row(const int32_t *gene, const float *count, int64_t n, uint32_t *scratch,
                    uint8_t *out)
{
    const bool whole = all_whole(count, n);
    uint8_t *at = put_varint(out, (uint64_t)n << 1 | !whole);
    int32_t next = 0;
    for (int64_t i = 0; i < n; i++) {
        scratch[i] = (uint32_t)(gene[i] - next);
        next = gene[i] + 1;
    }
    at = put_list(at, scratch, n);
    if (!whole) {
        memcpy(at, count, (size_t)n * sizeof *count);
        return at - out + n * (int64_t)sizeof *count;
    }
    for (int64_t i = 0; i < n; i++) scratch[i] = (uint32_t)count[i] - 1;
    return put_list(at, scratch, n) - out;
}

/* --- unpacking --- */

/* What is left to read. */
typedef struct {
    const uint8_t *at, *end;
} input;

static bool get_varint(input *in, uint64_t *v)
{
    *v = 0;
    for (int shift = 0; in->at < in->end && shift < 63; shift += 7) {
        uint8_t b = *in->at++;
        *v |= (uint64_t)(b & 127) << shift;
        if (b < 128) return true;
    }
    return false;
}

static uint64_t load64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    v = __builtin_bswap64(v);
#endif
    return v;
}

/* The same near the end, where there may not be eight bytes. */
static uint64_t load_some(const uint8_t *p, const uint8_t *end)
{
    uint64_t v = 0;
    for (int i = 0; i < 8 && p + i < end; i++) v |= (uint64_t)p[i] << (8 * i);
    return v;
}

/* Values go through memcpy: out is an array of int32_t or of float that holds their bits. */
static void put(void *out, int64_t i, uint32_t v)
{
    memcpy((char *)out + i * 4, &v, sizeof v);
}

static uint32_t get(const void *out, int64_t i)
{
    uint32_t v;
    memcpy(&v, (const char *)out + i * 4, sizeof v);
    return v;
}

static bool get_bits(input *in, int64_t n, int width, void *out)
{
    const int64_t left = in->end - in->at, size = (n * width + 7) / 8;
    const uint64_t mask = mask_of(width);
    if (size > left) return false;
    int64_t fast = left >= 8 ? (left - 8) * 8 / width : 0, i = 0;
    if (fast > n) fast = n;
    for (; i < fast; i++) {
        int64_t bit = i * width;
        put(out, i, (uint32_t)(load64(in->at + (bit >> 3)) >> (bit & 7) & mask));
    }
    for (; i < n; i++) {
        int64_t bit = i * width;
        put(out, i, (uint32_t)(load_some(in->at + (bit >> 3), in->end) >> (bit & 7) & mask));
    }
    in->at += size;
    return true;
}

static bool get_list(input *in, int64_t n, void *out)
{
    if (in->at == in->end) return false;
    const int width = *in->at++;
    if (width > WIDEST) return false;
    if (width == 0) {
        memset(out, 0, (size_t)n * 4);
        return true;
    }
    if (!get_bits(in, n, width, out)) return false;
    if (width == WIDEST) return true;
    const uint64_t most = mask_of(width);
    for (int64_t i = 0; i < n; i++) {
        uint64_t more;
        if (get(out, i) != most) continue;
        if (!get_varint(in, &more) || more > UINT32_MAX - most) return false;
        put(out, i, (uint32_t)(most + more));
    }
    return true;
}

static bool get_genes(input *in, int64_t n, int64_t n_cols, int32_t *gene)
{
    int64_t next = 0;
    if (!get_list(in, n, gene)) return false;
    for (int64_t i = 0; i < n; i++) {
        next += (int64_t)(uint32_t)gene[i] + 1;
        gene[i] = (int32_t)(next - 1);
    }
    return next <= n_cols;
}

static bool get_counts(input *in, int64_t n, bool whole, float *count)
{
    if (!whole) {
        if ((in->end - in->at) / 4 < n) return false;
        memcpy(count, in->at, (size_t)n * sizeof *count);
        in->at += n * (int64_t)sizeof *count;
        return true;
    }
    if (!get_list(in, n, count)) return false;
    for (int64_t i = 0; i < n; i++) count[i] = (float)((int64_t)get(count, i) + 1);
    return true;
}

int64_t ql_unpack_row(const uint8_t *bytes, int64_t size, int64_t room, int64_t n_cols,
                      int32_t *gene, float *count)
{
    input in = {bytes, bytes + size};
    uint64_t head;
    if (!get_varint(&in, &head) || head >> 1 > (uint64_t)room) return -1;
    int64_t n = (int64_t)(head >> 1);
    if (!get_genes(&in, n, n_cols, gene)) return -1;
    if (!get_counts(&in, n, (head & 1) == 0, count)) return -1;
    return in.at == in.end ? n : -1;
}
