/* One lane: the plain form of every vector operation, and the meaning the other forms must match
 * bit for bit. Works for float and, in the float64 test build, for double. */
#ifndef QUELL_VEC_H
#define QUELL_VEC_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#include "quell/real.h"

#define VL        1
#define GEMM_ROWS 4
#define GEMM_VECS 4

/* one operation a line reads best */
/* clang-format off */
typedef ql_real vf;
typedef int vmask;

static inline vf v_load(const ql_real *p) { return *p; }
static inline void v_store(ql_real *p, vf x) { *p = x; }
static inline vf v_set(ql_real x) { return x; }
static inline vf v_add(vf a, vf b) { return a + b; }
static inline vf v_sub(vf a, vf b) { return a - b; }
static inline vf v_mul(vf a, vf b) { return a * b; }
static inline vf v_div(vf a, vf b) { return a / b; }
static inline vmask v_eq(vf a, vf b) { return a == b; }
static inline vmask v_lt(vf a, vf b) { return a < b; }
static inline vmask v_le(vf a, vf b) { return a <= b; }
static inline vmask v_and(vmask a, vmask b) { return a & b; }
static inline int v_any(vmask m) { return m; }
static inline vf v_select(vmask m, vf yes, vf no) { return m ? yes : no; }
/* The sum of QL_LANES virtual lanes, held in QL_LANES / VL vectors, in halves: lane l and l + 8,
 * then l + 4, ... */
static inline ql_real v_fold(const vf *lanes)
{
    vf a[8];
    for (int l = 0; l < 8; l++) a[l] = lanes[l] + lanes[l + 8];
    for (int l = 0; l < 4; l++) a[l] = a[l] + a[l + 4];
    return (a[0] + a[2]) + (a[1] + a[3]);
}
/* to[l] = from[index[l]] */
static inline vf v_gather(const ql_real *from, const int32_t *index) { return from[*index]; }
/* b where either is NaN */
static inline vf v_max(vf a, vf b) { return a > b ? a : b; }
static inline vf v_min(vf a, vf b) { return a < b ? a : b; }

typedef int32_t vi;
static inline vi vi_load(const int32_t *p) { return *p; }
static inline void vi_store(int32_t *p, vi x) { *p = x; }
static inline vi vi_set(int32_t x) { return x; }
static inline vi vi_add(vi a, vi b) { return a + b; }
static inline vi vi_sub(vi a, vi b) { return a - b; }
static inline vi vi_mul(vi a, vi b) { return a * b; }

#ifdef QL_REAL_IS_DOUBLE
static inline vf v_fma(vf a, vf b, vf c) { return fma(a, b, c); }
static inline vf v_sqrt(vf a) { return sqrt(a); }
static inline vf v_abs(vf a) { return fabs(a); }
#else
static inline vf v_fma(vf a, vf b, vf c) { return fmaf(a, b, c); }
static inline vf v_sqrt(vf a) { return sqrtf(a); }
static inline vf v_abs(vf a) { return fabsf(a); }

static inline vi v_bits(vf x)
{
    vi bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}
static inline vf v_from_bits(vi bits)
{
    vf x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* x 2^k, k being the low bits of `n` = k + EXP_MAGIC (vec_math.h); x and the result are normal */
static inline vf v_scale(vf x, vf n)
{
    return v_from_bits((vi)((uint32_t)v_bits(x) + ((uint32_t)v_bits(n) << 23)));
}

/* The exponent k for which x 2^-k is in [sqrt(1/2), sqrt(2)), as an integer k 2^23, for positive
 * normal x; the constant is the bit pattern of sqrt(1/2) */
static inline vi v_exponent(vf x)
{
    return (vi)(((uint32_t)v_bits(x) - 0x3f3504f3u) & 0xff800000u);
}
/* x 2^-k and k 2^23 as a number, for such an exponent */
static inline vf v_unscale(vf x, vi k)
{
    return v_from_bits((vi)((uint32_t)v_bits(x) - (uint32_t)k));
}
/* 1 / x to an eighth, for positive normal x whose inverse is normal */
static inline vf v_inverse_guess(vf x)
{
    return v_from_bits((vi)(0x7EF311C7u - (uint32_t)v_bits(x)));
}
static inline vf v_number(vi k) { return (float)k; }
#endif

#endif
