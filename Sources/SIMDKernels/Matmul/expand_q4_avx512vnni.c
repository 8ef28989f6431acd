#if defined(__x86_64__)

#include "matmul_q4_i8_avx512vnni.h"

// 4 lines of 64 bytes, the codebook's entries plus 128, and the scales as float32.
TARGET_AVX512VNNI void vl2_expand_q4_avx512vnni(const uint8_t *block, size_t columns, size_t first, size_t count,
                                                uint8_t *piece) {
  const uint8_t *lines = block + q4_lines(columns) + first * 128, *heads = block + first * 12;
  __m512i codebook = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)vl2_q4_codebook));
  codebook = _mm512_xor_si512(codebook, _mm512_set1_epi8(-128));
  for (size_t g = 0; g < count; g += 4) {
    __m512i scales[4];
    q4_scales(heads + g * 12, scales);
    for (size_t j = 0; j < 4 && g + j < count; j++) {
      uint8_t *to = piece + (g + j) * expanded_group_bytes;
      __m512i weights[4];
      q4_unpack(lines + (g + j) * 128, codebook, weights);
      for (size_t l = 0; l < 4; l++) _mm512_store_si512(to + l * 64, weights[l]);
      _mm512_store_ps(to + 256, _mm512_cvtepi32_ps(scales[j]));
    }
  }
  if (count % 2) memset(piece + count * expanded_group_bytes, 0, expanded_group_bytes);
}

#endif
