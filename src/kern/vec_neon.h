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
static inline vmask v_lt(vf a, vf b) { return vcltq_f32(a, b); }
static inline vmask v_le(vf a, vf b) { return vcleq_f32(a, b); }
static inline vmask v_and(vmask a, vmask b) { return vandq_u32(a, b); }
static inline int v_any(vmask m) { return vmaxvq_u32(m) != 0; }
static inline vf v_select(vmask m, vf yes, vf no) { return vbslq_f32(m, yes, no); }
/* compare and select, not vmaxq: that would return NaN where x86 returns the second operand */
static inline vf v_max(vf a, vf b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
static inline vf v_min(vf a, vf b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
static inline vf v_round(vf a) { return vrndnq_f32(a); }
static inline vf v_exp2i(vf n)
{
    int32x4_t k = vaddq_s32(vcvtq_s32_f32(n), vdupq_n_s32(127));
    return vreinterpretq_f32_s32(vshlq_n_s32(k, 23));
}
static inline void v_split(vf x, vf *m, vf *e)
{
    int32x4_t bits = vreinterpretq_s32_f32(x);
    int32x4_t k = vshrq_n_s32(vsubq_s32(bits, vdupq_n_s32(0x3f3504f3)), 23);
    *m = vreinterpretq_f32_s32(vsubq_s32(bits, vshlq_n_s32(k, 23)));
    *e = vcvtq_f32_s32(k);
}

#endif
