#if defined(__aarch64__)

#include "matmul_neon.h"

// As vl2_expand_q4_neon; the second of two groups that share a scale has it too.
void vl2_expand_i8_neon(const uint8_t *block, size_t columns, size_t first, size_t count, uint8_t *piece) {
  const uint8_t *lines = block + i8_lines(columns);
  for (size_t g = 0; g < count; g++) {
    uint8_t *group = piece + g * expanded_group_bytes;
    uint8x16_t bytes = vld1q_u8(block + (first + g) / 2 * 16);
    memcpy(group, lines + (first + g) * 256, 256);
#pragma unroll
    for (size_t q = 0; q < 4; q++) {
      float32x4_t scale = scale_floats(bytes, q, 0);
      vst1q_f32((float *)(void *)(group + 256 + q * 16), scale);
      vst1q_f32((float *)(void *)(group + 320 + q * 16), vmulq_n_f32(scale, -neon_begin));
    }
  }
  if (count % 2 == 1) {
    memcpy(piece + count * expanded_group_bytes, piece + (count - 1) * expanded_group_bytes, expanded_group_bytes);
    memset(piece + count * expanded_group_bytes, 0, 256);
  }
}

#endif
