// 4-bit weights times int8 rows with VPDPBUSD, which multiplies unsigned by signed bytes: weights are the codebook
// plus 128, and sums begin at -128 * the sum of the activations, which a quantised row holds.

#include "matmul_avx512vnni.h"

// The integer sums of one group of 16 columns: weights[4] are 4 columns each.
INLINE_AVX512VNNI __m512i q4_group(const __m512i weights[4], const uint8_t *values, const uint8_t *offset) {
  __m512i sum = broadcast_u32(offset);
  sum = _mm512_dpbusd_epi32(sum, weights[0], broadcast_u32(values));
  sum = _mm512_dpbusd_epi32(sum, weights[1], broadcast_u32(values + 4));
  sum = _mm512_dpbusd_epi32(sum, weights[2], broadcast_u32(values + 8));
  return _mm512_dpbusd_epi32(sum, weights[3], broadcast_u32(values + 12));
}

INLINE_AVX512VNNI void q4_unpack(const uint8_t *lines, __m512i codebook, __m512i weights[4]) {
  const __m512i low = _mm512_set1_epi8(15);
  for (int l = 0; l < 2; l++) {
    __m512i line = _mm512_loadu_si512(lines + l * 64);
    weights[l * 2] = _mm512_shuffle_epi8(codebook, _mm512_and_si512(line, low));
    weights[l * 2 + 1] = _mm512_shuffle_epi8(codebook, _mm512_and_si512(_mm512_srli_epi16(line, 4), low));
  }
}

// The scales of 4 groups from their 48 bytes.
INLINE_AVX512VNNI void q4_scales(const uint8_t *bytes, __m512i scales[4]) {
  const __m512i six = _mm512_set1_epi32(63), middle = _mm512_set1_epi32(32);
  const __m128i *head = (const __m128i *)bytes;
  __m512i b0 = _mm512_cvtepu8_epi32(_mm_loadu_si128(head));
  __m512i b1 = _mm512_cvtepu8_epi32(_mm_loadu_si128(head + 1));
  __m512i b2 = _mm512_cvtepu8_epi32(_mm_loadu_si128(head + 2));
  __m512i high = _mm512_or_si512(_mm512_srli_epi32(b0, 6), _mm512_slli_epi32(_mm512_srli_epi32(b1, 6), 2));
  high = _mm512_or_si512(high, _mm512_slli_epi32(_mm512_srli_epi32(b2, 6), 4));
  scales[0] = _mm512_sub_epi32(_mm512_and_si512(b0, six), middle);
  scales[1] = _mm512_sub_epi32(_mm512_and_si512(b1, six), middle);
  scales[2] = _mm512_sub_epi32(_mm512_and_si512(b2, six), middle);
  scales[3] = _mm512_sub_epi32(high, middle);
}

// Up to 32 columns from group g on.
INLINE_AVX512VNNI void q4_pair(const uint8_t *lines, size_t g, int both, __m512i codebook, __m512i scale0,
                               __m512i scale1, const uint8_t *const *x, size_t columns, size_t rows,
                               __m512 *sums) {
  if (rows == 1) matmul_i8_prefetch(lines + g * 128, 4);
  __m512i weights0[4], weights1[4];
  q4_unpack(lines + g * 128, codebook, weights0);
  if (both) q4_unpack(lines + g * 128 + 128, codebook, weights1);
  size_t scales = quantized_scales(columns) + g * 2, offsets = quantized_offsets(columns) + g * 4;
#pragma unroll
  for (size_t i = 0; i < rows; i++) {
    __m512i products = _mm512_mullo_epi32(scale0, q4_group(weights0, x[i] + g * 16, x[i] + offsets));
    if (both) {
      __m512i more = q4_group(weights1, x[i] + g * 16 + 16, x[i] + offsets + 4);
      products = _mm512_add_epi32(products, _mm512_mullo_epi32(scale1, more));
    }
    sums[i] = add_scaled_products(sums[i], products, x[i] + scales);
  }
}

INLINE_AVX512VNNI void q4_i8_rows(const uint8_t *block, size_t columns, const uint8_t *const *x, size_t rows,
                                  float (*out)[16]) {
  const uint8_t *lines = block + q4_lines(columns);
  __m512i codebook = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)vl2_q4_codebook));
  codebook = _mm512_xor_si512(codebook, _mm512_set1_epi8(-128));
  const uint8_t *from[8];
  __m512 sums[8];
#pragma unroll
  for (size_t i = 0; i < rows; i++) {
    from[i] = x[i];
    sums[i] = _mm512_setzero_ps();
  }
  size_t groups = (columns + 15) / 16;
  for (size_t g = 0; g < groups; g += 4) {
    __m512i s[4];
    q4_scales(block + g * 12, s);
    if (groups - g >= 4) {
      q4_pair(lines, g, 1, codebook, s[0], s[1], from, columns, rows, sums);
      q4_pair(lines, g + 2, 1, codebook, s[2], s[3], from, columns, rows, sums);
    } else if (groups - g == 1) {
      q4_pair(lines, g, 0, codebook, s[0], s[1], from, columns, rows, sums);
    } else {
      q4_pair(lines, g, 1, codebook, s[0], s[1], from, columns, rows, sums);
      if (groups - g == 3) q4_pair(lines, g + 2, 0, codebook, s[2], s[3], from, columns, rows, sums);
    }
  }
#pragma unroll
  for (size_t i = 0; i < rows; i++) store_scaled(out[i], sums[i], block + q4_row_scales(columns));
}
