#if defined(__aarch64__)

#include "matmul_neon.h"

// For each of 8 pairs of rows 32 int8 and what goes with them, as store_pairs lays them out.
void vl2_expand_q4_i8mm(const uint8_t *block, size_t columns, size_t first, size_t count, uint8_t *piece) {
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
      store_pairs(group, q, values, scale_floats(six[g % 2], q, 32));
    }
  }
  if (count % 2 == 1) memset(piece + count * expanded_group_bytes, 0, expanded_group_bytes);
}

#endif
