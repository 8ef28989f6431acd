// 4-bit weights times int8 rows with AVX2.

#include "matmul_avx2.h"

// One group of 16 columns: products[i] += scale * sums.
INLINE_AVX2 void q4_group(const uint8_t *lines, __m256i codebook, __m256i scale, const uint8_t *const *x,
                          size_t k, size_t rows, __m256i *products) {
  const __m256i low = _mm256_set1_epi8(15);
  __m256i sums[4];
#pragma unroll
  for (size_t i = 0; i < rows; i++) sums[i] = _mm256_setzero_si256();
#pragma unroll
  for (size_t l = 0; l < 2; l++) {
    __m256i line = _mm256_loadu_si256((const __m256i *)(lines + l * 64));
#pragma unroll
    for (size_t half = 0; half < 2; half++) {
      __m256i nibbles = _mm256_and_si256(half ? _mm256_srli_epi16(line, 4) : line, low);
      __m256i weights = _mm256_shuffle_epi8(codebook, nibbles), size = _mm256_abs_epi8(weights);
#pragma unroll
      for (size_t i = 0; i < rows; i++) {
        sums[i] = add_products(sums[i], size, weights, x[i] + k + l * 8 + half * 4);
      }
    }
  }
#pragma unroll
  for (size_t i = 0; i < rows; i++) {
    products[i] = _mm256_add_epi32(products[i], _mm256_mullo_epi32(scale, sums[i]));
  }
}

// Rows 8 * part..<8 * part + 8 of the block.
INLINE_AVX2 void q4_i8_part(const uint8_t *block, size_t part, size_t columns, const uint8_t *const *x,
                            size_t rows, float (*out)[16]) {
  const uint8_t *lines = block + q4_lines(columns) + part * 32;
  const __m256i codebook = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)vl2_q4_codebook));
  const __m256i six = _mm256_set1_epi32(63), middle = _mm256_set1_epi32(32);
  __m256 sums[4];
#pragma unroll
  for (size_t i = 0; i < rows; i++) sums[i] = _mm256_setzero_ps();
  size_t groups = (columns + 15) / 16;
  for (size_t g = 0; g < groups; g += 4) {
    const uint8_t *head = block + g * 12 + part * 8;
    __m256i b0 = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)head));
    __m256i b1 = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(head + 16)));
    __m256i b2 = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)(head + 32)));
    __m256i high = _mm256_or_si256(_mm256_srli_epi32(b0, 6), _mm256_slli_epi32(_mm256_srli_epi32(b1, 6), 2));
    high = _mm256_or_si256(high, _mm256_slli_epi32(_mm256_srli_epi32(b2, 6), 4));
    __m256i scales[4] = {
        _mm256_sub_epi32(_mm256_and_si256(b0, six), middle), _mm256_sub_epi32(_mm256_and_si256(b1, six), middle),
        _mm256_sub_epi32(_mm256_and_si256(b2, six), middle), _mm256_sub_epi32(high, middle)};
#pragma unroll
    for (size_t h = 0; h < 4; h += 2) {
      if (g + h >= groups) break;
      if (rows == 1 && part == 0) matmul_i8_prefetch(lines + (g + h) * 128, 4);
      __m256i products[4];
#pragma unroll
      for (size_t i = 0; i < rows; i++) products[i] = _mm256_setzero_si256();
      q4_group(lines + (g + h) * 128, codebook, scales[h], x, (g + h) * 16, rows, products);
      if (g + h + 1 < groups) {
        q4_group(lines + (g + h + 1) * 128, codebook, scales[h + 1], x, (g + h + 1) * 16, rows, products);
      }
#pragma unroll
      for (size_t i = 0; i < rows; i++) {
        const uint8_t *scale = x[i] + quantized_scales(columns) + (g + h) * 2;
        sums[i] = add_scaled_products(sums[i], products[i], scale);
      }
    }
  }
#pragma unroll
  for (size_t i = 0; i < rows; i++) {
    store_scaled(out[i] + part * 8, sums[i], block + q4_row_scales(columns) + part * 16);
  }
}

INLINE_AVX2 void q4_i8_rows(const uint8_t *block, size_t columns, const uint8_t *const *x, size_t rows,
                            float (*out)[16]) {
  const uint8_t *from[4];
#pragma unroll
  for (size_t i = 0; i < rows; i++) from[i] = x[i];
  for (size_t part = 0; part < 2; part++) q4_i8_part(block, part, columns, from, rows, out);
}
