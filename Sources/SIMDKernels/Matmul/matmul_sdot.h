// Products of 16 columns with SDOT, which adds 4 products to each lane: 4 rows x 4 columns times the 4 activations
// of one lane. Include it where the target attribute "dotprod" is pushed.

#include "matmul_neon.h"

NEON_INLINE void q4_group(const uint8_t *lines, size_t quads, const uint8_t *const *x, size_t k, size_t rows,
                          int32x4_t *sums) {
  const int8x16_t codebook = vld1q_s8(vl2_q4_codebook);
  const uint8x16_t low = vdupq_n_u8(15);
  int8x16_t values[4];
#pragma unroll
  for (size_t i = 0; i < rows; i++) values[i] = vld1q_s8((const int8_t *)x[i] + k);
#pragma unroll
  for (size_t q = 0; q < quads; q++) {
    uint8x16_t first = vld1q_u8(lines + q * 16), second = vld1q_u8(lines + q * 16 + 64);
    int8x16_t a = vqtbl1q_s8(codebook, vandq_u8(first, low)), b = vqtbl1q_s8(codebook, vshrq_n_u8(first, 4));
    int8x16_t c = vqtbl1q_s8(codebook, vandq_u8(second, low)), d = vqtbl1q_s8(codebook, vshrq_n_u8(second, 4));
#pragma unroll
    for (size_t i = 0; i < rows; i++) {
      int32x4_t sum = vdotq_laneq_s32(vdupq_n_s32(0), a, values[i], 0);
      sum = vdotq_laneq_s32(sum, b, values[i], 1);
      sum = vdotq_laneq_s32(sum, c, values[i], 2);
      sums[i * quads + q] = vdotq_laneq_s32(sum, d, values[i], 3);
    }
  }
}

NEON_INLINE void i8_group(const uint8_t *lines, size_t quads, const uint8_t *const *x, size_t k, size_t rows,
                          int32x4_t *sums) {
  int8x16_t values[4];
#pragma unroll
  for (size_t i = 0; i < rows; i++) values[i] = vld1q_s8((const int8_t *)x[i] + k);
#pragma unroll
  for (size_t q = 0; q < quads; q++) {
    const int8_t *at = (const int8_t *)lines + q * 16;
    int8x16_t a = vld1q_s8(at), b = vld1q_s8(at + 64), c = vld1q_s8(at + 128), d = vld1q_s8(at + 192);
#pragma unroll
    for (size_t i = 0; i < rows; i++) {
      int32x4_t sum = vdotq_laneq_s32(vdupq_n_s32(0), a, values[i], 0);
      sum = vdotq_laneq_s32(sum, b, values[i], 1);
      sum = vdotq_laneq_s32(sum, c, values[i], 2);
      sums[i * quads + q] = vdotq_laneq_s32(sum, d, values[i], 3);
    }
  }
}
