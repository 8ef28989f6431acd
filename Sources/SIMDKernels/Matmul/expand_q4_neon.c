#if defined(__aarch64__)

#include "matmul_neon.h"

// The int8 lie as in an I8 block, 16 rows x 4 columns a line; the 16 scales once, then where sums begin.
void vl2_expand_q4_neon(const uint8_t *block, size_t columns, size_t first, size_t count, uint8_t *piece) {
  const int8x16_t codebook = vld1q_s8(vl2_q4_codebook);
  const uint8_t *lines = block + q4_lines(columns);
  uint8x16_t six[2];
  for (size_t g = 0; g < count; g++) {
    uint8_t *group = piece + g * expanded_group_bytes;
    if (g % 2 == 0) q4_scales(block + (first + g) / 4 * 48, g % 4, six);
#pragma unroll
    for (size_t q = 0; q < 4; q++) {
      int8x16_t values[4];
      q4_unpack(lines + (first + g) * 128 + q * 16, codebook, values);
#pragma unroll
      for (size_t j = 0; j < 4; j++) vst1q_s8((int8_t *)group + j * 64 + q * 16, values[j]);
      float32x4_t scale = scale_floats(six[g % 2], q, 32);
      vst1q_f32((float *)(void *)(group + 256 + q * 16), scale);
      vst1q_f32((float *)(void *)(group + 320 + q * 16), vmulq_n_f32(scale, -neon_begin));
    }
  }
  if (count % 2 == 1) memset(piece + count * expanded_group_bytes, 0, 384);
}

#endif
