#if defined(__aarch64__)

#include <arm_neon.h>

#include "peak.h"

__attribute__((target("dotprod"))) uint64_t vl2_peak_i8_dotprod(size_t rounds) {
  int8x16_t a = vdupq_n_s8(3), b = vdupq_n_s8(5);
  PEAK_KEEP_ARM(a);
  PEAK_KEEP_ARM(b);
  PEAK_LOOP(16, int32x4_t, vdupq_n_s32(0), vdotq_s32(sum[s], a, b), PEAK_KEEP_ARM, 16);
}

#endif
