/* Number types met in files, and their conversion to the two types kept in memory. Private to
 * src/io. */
#ifndef QUELL_IO_NUMBERS_H
#define QUELL_IO_NUMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* X(name, C type, text) */
#define QL_NUM_MAP(X)                                                                              \
    X(I8, int8_t, "int8")                                                                          \
    X(U8, uint8_t, "uint8")                                                                        \
    X(I16, int16_t, "int16")                                                                       \
    X(U16, uint16_t, "uint16")                                                                     \
    X(I32, int32_t, "int32")                                                                       \
    X(U32, uint32_t, "uint32")                                                                     \
    X(I64, int64_t, "int64")                                                                       \
    X(U64, uint64_t, "uint64")                                                                     \
    X(F32, float, "float32")                                                                       \
    X(F64, double, "float64")

typedef enum {
#define X(name, type, text) QL_NUM_##name,
    QL_NUM_MAP(X)
#undef X
} ql_num;

size_t ql_num_size(ql_num num);
const char *ql_num_text(ql_num num);

static inline bool ql_num_is_float(ql_num num)
{
    return num >= QL_NUM_F32;
}

/* Integer type of `size` bytes; false when there is none. */
bool ql_num_integer(size_t size, bool is_signed, ql_num *out);

/* float32 of a double; a fraction too small for float32 is kept as the next value towards it. */
float ql_f32_of_f64(double x);

/* n packed values (any alignment) to out. A float64 that is not whole stays so as float32: a count
 * check on the result sees what was in the file. */
void ql_num_to_f32(ql_num num, const void *src, int64_t n, float *out);

/* The same to int64; uint64 above the range becomes -1. Floats are cut; callers refuse them. */
void ql_num_to_i64(ql_num num, const void *src, int64_t n, int64_t *out);

#endif
