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
static inline vmask v_lt(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
static inline vmask v_le(vf a, vf b) { return _mm256_cmp_ps(a, b, _CMP_LE_OQ); }
static inline vmask v_and(vmask a, vmask b) { return _mm256_and_ps(a, b); }
static inline int v_any(vmask m) { return _mm256_movemask_ps(m) != 0; }
static inline vf v_select(vmask m, vf yes, vf no) { return _mm256_blendv_ps(no, yes, m); }
static inline vf v_round(vf a)
{
    return _mm256_round_ps(a, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}
static inline vf v_exp2i(vf n)
{
    __m256i k = _mm256_add_epi32(_mm256_cvttps_epi32(n), _mm256_set1_epi32(127));
    return _mm256_castsi256_ps(_mm256_slli_epi32(k, 23));
}
static inline void v_split(vf x, vf *m, vf *e)
{
    __m256i bits = _mm256_castps_si256(x);
    __m256i k = _mm256_srai_epi32(_mm256_sub_epi32(bits, _mm256_set1_epi32(0x3f3504f3)), 23);
    *m = _mm256_castsi256_ps(_mm256_sub_epi32(bits, _mm256_slli_epi32(k, 23)));
    *e = _mm256_cvtepi32_ps(k);
}

#endif
