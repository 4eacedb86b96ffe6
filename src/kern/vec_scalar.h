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
static inline vmask v_lt(vf a, vf b) { return a < b; }
static inline vmask v_le(vf a, vf b) { return a <= b; }
static inline vmask v_and(vmask a, vmask b) { return a & b; }
static inline int v_any(vmask m) { return m; }
static inline vf v_select(vmask m, vf yes, vf no) { return m ? yes : no; }
/* b where either is NaN */
static inline vf v_max(vf a, vf b) { return a > b ? a : b; }
static inline vf v_min(vf a, vf b) { return a < b ? a : b; }

#ifdef QL_REAL_IS_DOUBLE
static inline vf v_fma(vf a, vf b, vf c) { return fma(a, b, c); }
static inline vf v_sqrt(vf a) { return sqrt(a); }
static inline vf v_abs(vf a) { return fabs(a); }
static inline vf v_round(vf a) { return nearbyint(a); }
#else
static inline vf v_fma(vf a, vf b, vf c) { return fmaf(a, b, c); }
static inline vf v_sqrt(vf a) { return sqrtf(a); }
static inline vf v_abs(vf a) { return fabsf(a); }
static inline vf v_round(vf a) { return nearbyintf(a); }

/* 2^n for whole n in [-126, 127]; anything for others and for NaN */
static inline vf v_exp2i(vf n)
{
    uint32_t bits = n == n ? (uint32_t)((int32_t)n + 127) << 23 : 0;
    float out;
    memcpy(&out, &bits, sizeof out);
    return out;
}

/* x = m 2^e with m in [sqrt(1/2), sqrt(2)), for positive normal x; the constant is the bit pattern of
 * sqrt(1/2) */
static inline void v_split(vf x, vf *m, vf *e)
{
    int32_t bits, k;
    memcpy(&bits, &x, sizeof bits);
    k = (bits - 0x3f3504f3) >> 23;
    bits -= k * (1 << 23);
    memcpy(m, &bits, sizeof bits);
    *e = (float)k;
}
#endif

#endif
