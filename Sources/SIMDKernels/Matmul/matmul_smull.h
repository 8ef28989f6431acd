// Products of 16 columns for every arm64 processor: SMULL and SMLAL to 16 bits, SADALP to 32. Two products stay
// within 2 * 128 * 127, so nothing overflows.

#include "matmul_neon.h"

typedef struct {
  int32x4_t low, high;  // rows 0 and 1, rows 2 and 3; two partial sums each
} halves;

// sum + 4 columns `a` times four[0] + 4 columns `b` times four[1].
NEON_INLINE halves smull_pair(halves sum, int8x16_t a, int8x16_t b, const uint8_t *values) {
  int8x16_t x = vreinterpretq_s8_s32(vld1q_dup_s32((const int32_t *)(const void *)values));
  int8x16_t y = vreinterpretq_s8_s32(vld1q_dup_s32((const int32_t *)(const void *)(values + 4)));
  int16x8_t low = vmlal_s8(vmull_s8(vget_low_s8(a), vget_low_s8(x)), vget_low_s8(b), vget_low_s8(y));
  int16x8_t high = vmlal_high_s8(vmull_high_s8(a, x), b, y);
  sum.low = vpadalq_s16(sum.low, low);
  sum.high = vpadalq_s16(sum.high, high);
  return sum;
}

NEON_INLINE void q4_group(const uint8_t *lines, size_t quads, const uint8_t *const *x, size_t k, size_t rows,
                          int32x4_t *sums) {
  const int8x16_t codebook = vld1q_s8(vl2_q4_codebook);
#pragma unroll
  for (size_t q = 0; q < quads; q++) {
    halves partial[4];
#pragma unroll
    for (size_t i = 0; i < rows; i++) partial[i] = (halves){vdupq_n_s32(0), vdupq_n_s32(0)};
#pragma unroll
    for (size_t l = 0; l < 2; l++) {
      uint8x16_t line = vld1q_u8(lines + l * 64 + q * 16);
      int8x16_t low = vqtbl1q_s8(codebook, vandq_u8(line, vdupq_n_u8(15)));
      int8x16_t high = vqtbl1q_s8(codebook, vshrq_n_u8(line, 4));
#pragma unroll
      for (size_t i = 0; i < rows; i++) partial[i] = smull_pair(partial[i], low, high, x[i] + k + l * 8);
    }
#pragma unroll
    for (size_t i = 0; i < rows; i++) sums[i * quads + q] = vpaddq_s32(partial[i].low, partial[i].high);
  }
}

NEON_INLINE void i8_group(const uint8_t *lines, size_t quads, const uint8_t *const *x, size_t k, size_t rows,
                          int32x4_t *sums) {
#pragma unroll
  for (size_t q = 0; q < quads; q++) {
    halves partial[4];
#pragma unroll
    for (size_t i = 0; i < rows; i++) partial[i] = (halves){vdupq_n_s32(0), vdupq_n_s32(0)};
#pragma unroll
    for (size_t l = 0; l < 4; l += 2) {
      int8x16_t first = vreinterpretq_s8_u8(vld1q_u8(lines + l * 64 + q * 16));
      int8x16_t second = vreinterpretq_s8_u8(vld1q_u8(lines + l * 64 + 64 + q * 16));
#pragma unroll
      for (size_t i = 0; i < rows; i++) partial[i] = smull_pair(partial[i], first, second, x[i] + k + l * 4);
    }
#pragma unroll
    for (size_t i = 0; i < rows; i++) sums[i * quads + q] = vpaddq_s32(partial[i].low, partial[i].high);
  }
}
