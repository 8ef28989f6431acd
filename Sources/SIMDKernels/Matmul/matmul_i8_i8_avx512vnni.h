// 8-bit weights times int8 rows with VPDPBUSD, which multiplies unsigned by signed bytes: weights are taken plus
// 128, and sums begin at -128 * the sum of the activations, which a quantised row holds.

#include "matmul_avx512vnni.h"

// Up to 32 columns from column k on, as `lines` lines of 4.
INLINE_AVX512VNNI void i8_group(const uint8_t *block, size_t columns, size_t k, size_t lines,
                                const uint8_t *const *x, size_t rows, __m512 *sums) {
  const __m512i sign = _mm512_set1_epi8(-128);
  const uint8_t *from = block + i8_lines(columns) + k * 16;
  size_t offsets = quantized_offsets(columns) + k / 4;
  if (rows == 1) matmul_i8_prefetch(from, 8);
  __m512i weights[8];
#pragma unroll
  for (size_t l = 0; l < lines; l++) {
    weights[l] = _mm512_xor_si512(_mm512_loadu_si512(from + l * 64), sign);
  }
  __m512i scale = _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)(block + k / 2)));
#pragma unroll
  for (size_t i = 0; i < rows; i++) {
    __m512i products = broadcast_u32(x[i] + offsets);
#pragma unroll
    for (size_t l = 0; l < 4; l++) {
      products = _mm512_dpbusd_epi32(products, weights[l], broadcast_u32(x[i] + k + l * 4));
    }
    if (lines == 8) {
      __m512i more = broadcast_u32(x[i] + offsets + 4);
#pragma unroll
      for (size_t l = 4; l < 8; l++) {
        more = _mm512_dpbusd_epi32(more, weights[l], broadcast_u32(x[i] + k + l * 4));
      }
      products = _mm512_add_epi32(products, more);
    }
    products = _mm512_mullo_epi32(products, scale);
    sums[i] = add_scaled_products(sums[i], products, x[i] + quantized_scales(columns) + k / 8);
  }
}

INLINE_AVX512VNNI void i8_i8_rows(const uint8_t *block, size_t columns, const uint8_t *const *x, size_t rows,
                                  float (*out)[16]) {
  const uint8_t *from[8];
  __m512 sums[8];
#pragma unroll
  for (size_t i = 0; i < rows; i++) {
    from[i] = x[i];
    sums[i] = _mm512_setzero_ps();
  }
  size_t padded = (columns + 15) / 16 * 16, k = 0;
  for (; k + 32 <= padded; k += 32) i8_group(block, columns, k, 8, from, rows, sums);
  if (k < padded) i8_group(block, columns, k, 4, from, rows, sums);
#pragma unroll
  for (size_t i = 0; i < rows; i++) store_scaled(out[i], sums[i], block + i8_row_scales(columns));
}
