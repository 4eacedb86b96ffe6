#include "numbers.h"

#include <math.h>
#include <string.h>

static const struct {
    size_t size;
    const char *text;
} num_table[] = {
#define X(name, type, text) {sizeof(type), text},
    QL_NUM_MAP(X)
#undef X
};

size_t ql_num_size(ql_num num)
{
    return num_table[num].size;
}

const char *ql_num_text(ql_num num)
{
    return num_table[num].text;
}

bool ql_num_integer(size_t size, bool is_signed, ql_num *out)
{
    static const struct {
        size_t size;
        ql_num s, u;
    } kinds[] = {{1, QL_NUM_I8, QL_NUM_U8},
                 {2, QL_NUM_I16, QL_NUM_U16},
                 {4, QL_NUM_I32, QL_NUM_U32},
                 {8, QL_NUM_I64, QL_NUM_U64}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (kinds[i].size != size) continue;
        *out = is_signed ? kinds[i].s : kinds[i].u;
        return true;
    }
    return false;
}

float ql_f32_of_f64(double x)
{
    float y = (float)x;
    if ((double)y == x || !(fabs(x) < 8388608.0) || x == rint(x)) return y;
    if (y != rintf(y)) return y;
    return nextafterf(y, x > (double)y ? INFINITY : -INFINITY);
}

#define TO_F32(x)       ((float)(x))
#define TO_I64(x)       ((int64_t)(x))
#define FLOAT_TO_I64(x) ((x) > -9.2e18 && (x) < 9.2e18 ? (int64_t)(x) : INT64_C(-1))
#define U64_TO_I64(x)   ((x) > (uint64_t)INT64_MAX ? INT64_C(-1) : (int64_t)(x))

/* memcpy reads any alignment and compiles to a plain load. */
#define CONVERTER(fn, from, to, convert)                                                           \
    static void fn(const void *src, int64_t n, to *out)                                            \
    {                                                                                              \
        const unsigned char *p = src;                                                              \
        for (int64_t i = 0; i < n; i++) {                                                          \
            from x;                                                                                \
            memcpy(&x, p + (size_t)i * sizeof x, sizeof x);                                        \
            out[i] = convert(x);                                                                   \
        }                                                                                          \
    }

CONVERTER(f32_i8, int8_t, float, TO_F32)
CONVERTER(f32_u8, uint8_t, float, TO_F32)
CONVERTER(f32_i16, int16_t, float, TO_F32)
CONVERTER(f32_u16, uint16_t, float, TO_F32)
CONVERTER(f32_i32, int32_t, float, TO_F32)
CONVERTER(f32_u32, uint32_t, float, TO_F32)
CONVERTER(f32_i64, int64_t, float, TO_F32)
CONVERTER(f32_u64, uint64_t, float, TO_F32)
CONVERTER(f32_f32, float, float, TO_F32)
CONVERTER(f32_f64, double, float, ql_f32_of_f64)

CONVERTER(i64_i8, int8_t, int64_t, TO_I64)
CONVERTER(i64_u8, uint8_t, int64_t, TO_I64)
CONVERTER(i64_i16, int16_t, int64_t, TO_I64)
CONVERTER(i64_u16, uint16_t, int64_t, TO_I64)
CONVERTER(i64_i32, int32_t, int64_t, TO_I64)
CONVERTER(i64_u32, uint32_t, int64_t, TO_I64)
CONVERTER(i64_i64, int64_t, int64_t, TO_I64)
CONVERTER(i64_u64, uint64_t, int64_t, U64_TO_I64)
CONVERTER(i64_f32, float, int64_t, FLOAT_TO_I64)
CONVERTER(i64_f64, double, int64_t, FLOAT_TO_I64)

void ql_num_to_f32(ql_num num, const void *src, int64_t n, float *out)
{
    static void (*const convert[])(const void *, int64_t, float *) = {
        f32_i8, f32_u8, f32_i16, f32_u16, f32_i32, f32_u32, f32_i64, f32_u64, f32_f32, f32_f64};
    convert[num](src, n, out);
}

void ql_num_to_i64(ql_num num, const void *src, int64_t n, int64_t *out)
{
    static void (*const convert[])(const void *, int64_t, int64_t *) = {
        i64_i8, i64_u8, i64_i16, i64_u16, i64_i32, i64_u32, i64_i64, i64_u64, i64_f32, i64_f64};
    convert[num](src, n, out);
}
