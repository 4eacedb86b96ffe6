/* Eight float lanes on AVX2 with FMA. The meaning of each operation is that of vec_scalar.h. */
#ifndef QUELL_VEC_H
#define QUELL_VEC_H

#include <immintrin.h>

#include "quell/real.h"

#define VL        8
#define GEMM_ROWS 6
#define GEMM_VECS 2

/* one operation a line reads best */
/* clang-format off */
typedef __m256 vf;
typedef __m256 vmask;
typedef __m256i vi;

static inline vf v_load(const float *p) { return _mm256_loadu_ps(p); }
static inline void v_store(float *p, vf x) { _mm256_storeu_ps(p, x); }
static inline vf v_set(float x) { return _mm256_set1_ps(x); }
static inline vf v_add(vf a, vf b) { return _mm256_add_ps(a, b); }
static inline vf v_sub(vf a, vf b) { return _mm256_sub_ps(a, b); }
static inline vf v_mul(vf a, vf b) { return _mm256_mul_ps(a, b); }
static inline vf v_div(vf a, vf b) { return _mm256_div_ps(a, b); }
static inline vf v_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
static inline vf v_sqrt(vf a) { return _mm256_sqrt_ps(a); }
static inline vf v_abs(vf a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
static inline vf v_max(vf a, vf b) { return _mm256_max_ps(a, b); }
static inline vf v_min(vf a, vf b) { return _mm256_min_ps(a, b); }
static inline vmask v_eq(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_EQ_OQ); }
static inline vmask v_lt(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
static inline vmask v_le(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_LE_OQ); }
static inline vmask v_and(vmask a, vmask b) { return _mm256_and_ps(a, b); }
static inline int v_any(vmask m) { return _mm256_movemask_ps(m) != 0; }
static inline vf v_select(vmask m, vf yes, vf no) { return _mm256_blendv_ps(no, yes, m); }
static inline float v_fold4(__m128 a)
{
    a = _mm_add_ps(a, _mm_movehl_ps(a, a));
    return _mm_cvtss_f32(_mm_add_ss(a, _mm_shuffle_ps(a, a, 1)));
}
static inline float v_fold(const vf *lanes)
{
    vf a = _mm256_add_ps(lanes[0], lanes[1]);
    return v_fold4(_mm_add_ps(_mm256_castps256_ps128(a), _mm256_extractf128_ps(a, 1)));
}
/* single loads: the instruction is slower on many processors */
static inline vf v_gather(const float *from, const int32_t *index)
{
    return _mm256_setr_ps(from[index[0]], from[index[1]], from[index[2]], from[index[3]],
                          from[index[4]], from[index[5]], from[index[6]], from[index[7]]);
}
static inline vi vi_load(const int32_t *p) { return _mm256_loadu_si256((const __m256i *)(const void *)p); }
static inline void vi_store(int32_t *p, vi x) { _mm256_storeu_si256((__m256i *)(void *)p, x); }
static inline vi vi_set(int32_t x) { return _mm256_set1_epi32(x); }
static inline vi vi_add(vi a, vi b) { return _mm256_add_epi32(a, b); }
static inline vi vi_sub(vi a, vi b) { return _mm256_sub_epi32(a, b); }
static inline vi vi_mul(vi a, vi b) { return _mm256_mullo_epi32(a, b); }
static inline vf v_scale(vf x, vf n)
{
    __m256i k = _mm256_slli_epi32(_mm256_castps_si256(n), 23);
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(x), k));
}
static inline vi v_exponent(vf x)
{
    __m256i bits = _mm256_sub_epi32(_mm256_castps_si256(x), _mm256_set1_epi32(0x3f3504f3));
    return _mm256_and_si256(bits, _mm256_set1_epi32((int)0xff800000));
}
static inline vf v_unscale(vf x, vi k)
{
    return _mm256_castsi256_ps(_mm256_sub_epi32(_mm256_castps_si256(x), k));
}
static inline vf v_inverse_guess(vf x)
{
    return _mm256_castsi256_ps(_mm256_sub_epi32(_mm256_set1_epi32(0x7EF311C7), _mm256_castps_si256(x)));
}
static inline vf v_number(vi k) { return _mm256_cvtepi32_ps(k); }

#endif
