/* Two vectors as one, for code included after this: every operation is done on both, one after the
 * other, so that two independent chains are in flight where one would leave the processor waiting.
 * A long chain (exp, log) fills the scheduler of an out-of-order core before the next iteration of
 * a loop gets in. The meaning of each operation is that of vec_scalar.h. */
#ifndef QUELL_VEC_PAIR_H
#define QUELL_VEC_PAIR_H

enum { PAIR_HALF = VL };
#undef VL
#define VL (2 * PAIR_HALF)

typedef struct {
    vf a, b;
} vf_pair;
typedef struct {
    vmask a, b;
} vmask_pair;
typedef struct {
    vi a, b;
} vi_pair;

#define PAIR_1(T, name, A)                                                                         \
    QL_INLINE T##_pair pair_##name(A##_pair x)                                                     \
    {                                                                                              \
        return (T##_pair){v_##name(x.a), v_##name(x.b)};                                           \
    }
#define PAIR_2(T, name, A, B)                                                                      \
    QL_INLINE T##_pair pair_##name(A##_pair x, B##_pair y)                                         \
    {                                                                                              \
        return (T##_pair){v_##name(x.a, y.a), v_##name(x.b, y.b)};                                 \
    }
#define PAIR_3(T, name, A, B, C)                                                                   \
    QL_INLINE T##_pair pair_##name(A##_pair x, B##_pair y, C##_pair z)                             \
    {                                                                                              \
        return (T##_pair){v_##name(x.a, y.a, z.a), v_##name(x.b, y.b, z.b)};                       \
    }

PAIR_1(vf, sqrt, vf)
PAIR_1(vf, abs, vf)
PAIR_1(vi, exponent, vf)
PAIR_1(vf, number, vi)
PAIR_1(vf, inverse_guess, vf)
PAIR_2(vf, add, vf, vf)
PAIR_2(vf, sub, vf, vf)
PAIR_2(vf, mul, vf, vf)
PAIR_2(vf, div, vf, vf)
PAIR_2(vf, max, vf, vf)
PAIR_2(vf, min, vf, vf)
PAIR_2(vf, scale, vf, vf)
PAIR_2(vf, unscale, vf, vi)
PAIR_2(vmask, eq, vf, vf)
PAIR_2(vmask, lt, vf, vf)
PAIR_2(vmask, le, vf, vf)
PAIR_2(vmask, and, vmask, vmask)
PAIR_3(vf, fma, vf, vf, vf)
PAIR_3(vf, select, vmask, vf, vf)

QL_INLINE vf_pair pair_set(ql_real x)
{
    return (vf_pair){v_set(x), v_set(x)};
}
QL_INLINE vf_pair pair_load(const ql_real *p)
{
    return (vf_pair){v_load(p), v_load(p + PAIR_HALF)};
}
QL_INLINE void pair_store(ql_real *p, vf_pair x)
{
    v_store(p, x.a);
    v_store(p + PAIR_HALF, x.b);
}
QL_INLINE vf_pair pair_gather(const ql_real *from, const int32_t *index)
{
    return (vf_pair){v_gather(from, index), v_gather(from, index + PAIR_HALF)};
}
QL_INLINE int pair_any(vmask_pair m)
{
    return v_any(m.a) || v_any(m.b);
}

#define vf              vf_pair
#define vmask           vmask_pair
#define vi              vi_pair
#define v_sqrt          pair_sqrt
#define v_abs           pair_abs
#define v_exponent      pair_exponent
#define v_number        pair_number
#define v_inverse_guess pair_inverse_guess
#define v_add           pair_add
#define v_sub           pair_sub
#define v_mul           pair_mul
#define v_div           pair_div
#define v_max           pair_max
#define v_min           pair_min
#define v_scale         pair_scale
#define v_unscale       pair_unscale
#define v_eq            pair_eq
#define v_lt            pair_lt
#define v_le            pair_le
#define v_and           pair_and
#define v_fma           pair_fma
#define v_select        pair_select
#define v_set           pair_set
#define v_load          pair_load
#define v_store         pair_store
#define v_gather        pair_gather
#define v_any           pair_any

#endif
