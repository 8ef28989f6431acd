#if defined(__aarch64__)

#include <arm_neon.h>

#include "peak.h"

// SMULL and SMLAL to 16 bits, SADALP to 32, which another pipe does: what multiplies is the limit.
uint64_t vl2_peak_i8_neon(size_t rounds) {
  int8x16_t a = vdupq_n_s8(3), b = vdupq_n_s8(5);
  PEAK_KEEP_ARM(a);
  PEAK_KEEP_ARM(b);
#define STEP \
  vpadalq_s16(sum[s], vmlal_high_s8(vmull_s8(vget_low_s8(veorq_s8(a, vreinterpretq_s8_s32(sum[s]))), vget_low_s8(b)), a, b))
  PEAK_LOOP(12, int32x4_t, vdupq_n_s32(0), STEP, PEAK_KEEP_ARM, 16);
#undef STEP
}

uint64_t vl2_peak_f32_neon(size_t rounds) {
  float32x4_t a = vdupq_n_f32(0.5f), b = vdupq_n_f32(0.25f);
  PEAK_KEEP_ARM(a);
  PEAK_KEEP_ARM(b);
  PEAK_LOOP(16, float32x4_t, vdupq_n_f32(0), vfmaq_f32(sum[s], a, b), PEAK_KEEP_ARM, 4);
}

#endif
