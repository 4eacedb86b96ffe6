/* Four float lanes on 64-bit Arm. The meaning of each operation is that of vec_scalar.h. */
#ifndef QUELL_VEC_H
#define QUELL_VEC_H

#include <arm_neon.h>

#include "quell/real.h"

#define VL        4
#define GEMM_ROWS 6
#define GEMM_VECS 4

/* one operation a line reads best */
/* clang-format off */
typedef float32x4_t vf;
typedef uint32x4_t vmask;
typedef int32x4_t vi;

static inline vf v_load(const float *p) { return vld1q_f32(p); }
static inline void v_store(float *p, vf x) { vst1q_f32(p, x); }
static inline vf v_set(float x) { return vdupq_n_f32(x); }
static inline vf v_add(vf a, vf b) { return vaddq_f32(a, b); }
static inline vf v_sub(vf a, vf b) { return vsubq_f32(a, b); }
static inline vf v_mul(vf a, vf b) { return vmulq_f32(a, b); }
static inline vf v_div(vf a, vf b) { return vdivq_f32(a, b); }
static inline vf v_fma(vf a, vf b, vf c) { return vfmaq_f32(c, a, b); }
static inline vf v_sqrt(vf a) { return vsqrtq_f32(a); }
static inline vf v_abs(vf a) { return vabsq_f32(a); }
static inline vmask v_eq(vf a, vf b) { return vceqq_f32(a, b); }
static inline vmask v_lt(vf a, vf b) { return vcltq_f32(a, b); }
static inline vmask v_le(vf a, vf b) { return vcleq_f32(a, b); }
static inline vmask v_and(vmask a, vmask b) { return vandq_u32(a, b); }
static inline int v_any(vmask m) { return vmaxvq_u32(m) != 0; }
static inline vf v_select(vmask m, vf yes, vf no) { return vbslq_f32(m, yes, no); }
/* compare and select, not vmaxq: that would return NaN where x86 returns the second operand */
static inline vf v_max(vf a, vf b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
static inline vf v_min(vf a, vf b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
static inline float v_fold(const vf *lanes)
{
    vf a = vaddq_f32(vaddq_f32(lanes[0], lanes[2]), vaddq_f32(lanes[1], lanes[3]));
    float32x2_t b = vadd_f32(vget_low_f32(a), vget_high_f32(a));
    return vget_lane_f32(b, 0) + vget_lane_f32(b, 1);
}
static inline vf v_gather(const float *from, const int32_t *index)
{
    float x[4] = {from[index[0]], from[index[1]], from[index[2]], from[index[3]]};
    return vld1q_f32(x);
}
static inline vi vi_load(const int32_t *p) { return vld1q_s32(p); }
static inline void vi_store(int32_t *p, vi x) { vst1q_s32(p, x); }
static inline vi vi_set(int32_t x) { return vdupq_n_s32(x); }
static inline vi vi_add(vi a, vi b) { return vaddq_s32(a, b); }
static inline vi vi_sub(vi a, vi b) { return vsubq_s32(a, b); }
static inline vi vi_mul(vi a, vi b) { return vmulq_s32(a, b); }
static inline vf v_scale(vf x, vf n)
{
    int32x4_t k = vshlq_n_s32(vreinterpretq_s32_f32(n), 23);
    return vreinterpretq_f32_s32(vaddq_s32(vreinterpretq_s32_f32(x), k));
}
static inline vi v_exponent(vf x)
{
    int32x4_t bits = vsubq_s32(vreinterpretq_s32_f32(x), vdupq_n_s32(0x3f3504f3));
    return vandq_s32(bits, vdupq_n_s32((int32_t)0xff800000));
}
static inline vf v_unscale(vf x, vi k)
{
    return vreinterpretq_f32_s32(vsubq_s32(vreinterpretq_s32_f32(x), k));
}
static inline vf v_inverse_guess(vf x)
{
    return vreinterpretq_f32_s32(vsubq_s32(vdupq_n_s32(0x7EF311C7), vreinterpretq_s32_f32(x)));
}
static inline vf v_number(vi k) { return vcvtq_f32_s32(k); }

#endif
