#if defined(__aarch64__)

#include "matmul_neon.h"

// As vl2_expand_q4_i8mm; the second of two groups that share a scale has it too.
void vl2_expand_i8_i8mm(const uint8_t *block, size_t columns, size_t first, size_t count, uint8_t *piece) {
  const uint8_t *lines = block + i8_lines(columns);
  for (size_t g = 0; g < count; g++) {
    uint8_t *group = piece + g * expanded_group_bytes;
    uint8x16_t bytes = vld1q_u8(block + (first + g) / 2 * 16);
#pragma unroll
    for (size_t q = 0; q < 4; q++) {
      int8x16_t values[4];
      i8_load(lines + (first + g) * 256 + q * 16, values);
      store_pairs(group, q, values, scale_floats(bytes, q, 0));
    }
  }
  if (count % 2 == 1) {
    memcpy(piece + count * expanded_group_bytes, piece + (count - 1) * expanded_group_bytes, expanded_group_bytes);
    memset(piece + count * expanded_group_bytes, 0, 256);
  }
}

#endif
