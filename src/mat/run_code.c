#include "run_code.h"

#include <math.h>
#include <string.h>

/* Counts below this are numbers of few bytes; anything else is kept as it is in memory. */
static const float SMALL_END = 16777216.0f;

static int64_t put_number(uint32_t x, uint8_t *to)
{
    int64_t n = 0;
    for (; x >= 128; x >>= 7) to[n++] = (uint8_t)(x | 128);
    to[n++] = (uint8_t)x;
    return n;
}

/* Bytes of the number at from[0..n), 0 if it does not end there. */
static inline int64_t get_number(const uint8_t *from, int64_t n, uint32_t *x)
{
    *x = 0;
    for (int64_t k = 0; k < n && k < 5; k++) {
        *x |= (uint32_t)(from[k] & 127) << (7 * k);
        if (from[k] < 128) return k + 1;
    }
    return 0;
}

/* Small differences of either sign to small numbers, and back; modulo 2^32. */
static uint32_t fold(uint32_t difference)
{
    return difference << 1 ^ (difference >> 31 ? UINT32_MAX : 0);
}

static uint32_t unfold(uint32_t x)
{
    return x >> 1 ^ (x & 1 ? UINT32_MAX : 0);
}

static int64_t put_value(float value, uint8_t *to)
{
    uint32_t bits;
    if (value > 0 && value < SMALL_END && value == floorf(value))
        return put_number((uint32_t)value << 1, to);
    memcpy(&bits, &value, sizeof bits);
    to[0] = 1;
    memcpy(to + 1, &bits, sizeof bits);
    return 1 + (int64_t)sizeof bits;
}

static inline int64_t get_value(const uint8_t *from, int64_t n, float *value)
{
    uint32_t x;
    int64_t used = get_number(from, n, &x);
    if (used == 0) return 0;
    if (!(x & 1)) {
        *value = (float)(x >> 1);
        return used;
    }
    if (n < used + (int64_t)sizeof *value) return 0;
    memcpy(value, from + used, sizeof *value);
    return used + (int64_t)sizeof *value;
}

int64_t ql_entry_put(const ql_entry *before, const ql_entry *e, uint8_t *to)
{
    int64_t n = put_number((uint32_t)e->row - (uint32_t)before->row, to);
    n += put_number(fold((uint32_t)e->col - (uint32_t)before->col), to + n);
    return n + put_value(e->value, to + n);
}

int64_t ql_entry_get(const uint8_t *from, int64_t n, ql_entry *e)
{
    uint32_t gap, step;
    int64_t a = get_number(from, n, &gap);
    int64_t b = a ? get_number(from + a, n - a, &step) : 0;
    int64_t c = b ? get_value(from + a + b, n - a - b, &e->value) : 0;
    if (c == 0) return 0;
    e->row = (int32_t)((uint32_t)e->row + gap);
    e->col = (int32_t)((uint32_t)e->col + unfold(step));
    return a + b + c;
}
