// 8-bit weights times int8 rows with AVX2.

#include "matmul_avx2.h"

// Up to 32 columns from column k on, as `lines` lines of 4, of rows 8 * part..<8 * part + 8 of the block.
INLINE_AVX2 void i8_group(const uint8_t *block, size_t part, size_t columns, size_t k, size_t lines,
                          const uint8_t *const *x, size_t rows, __m256 *sums) {
  const uint8_t *from = block + i8_lines(columns) + k * 16 + part * 32;
  if (rows == 1 && part == 0) matmul_i8_prefetch(from, 8);
  __m256i products[4];
#pragma unroll
  for (size_t i = 0; i < rows; i++) products[i] = _mm256_setzero_si256();
#pragma unroll
  for (size_t l = 0; l < lines; l++) {
    __m256i weights = _mm256_loadu_si256((const __m256i *)(from + l * 64)), size = _mm256_abs_epi8(weights);
#pragma unroll
    for (size_t i = 0; i < rows; i++) {
      products[i] = add_products(products[i], size, weights, x[i] + k + l * 4);
    }
  }
  const __m128i *bytes = (const __m128i *)(block + k / 2 + part * 8);
  __m256i scale = _mm256_cvtepu8_epi32(_mm_loadl_epi64(bytes));
#pragma unroll
  for (size_t i = 0; i < rows; i++) {
    const uint8_t *row_scale = x[i] + quantized_scales(columns) + k / 8;
    sums[i] = add_scaled_products(sums[i], _mm256_mullo_epi32(products[i], scale), row_scale);
  }
}

INLINE_AVX2 void i8_i8_rows(const uint8_t *block, size_t columns, const uint8_t *const *x, size_t rows,
                            float (*out)[16]) {
  const uint8_t *from[4];
#pragma unroll
  for (size_t i = 0; i < rows; i++) from[i] = x[i];
  size_t padded = (columns + 15) / 16 * 16;
  for (size_t part = 0; part < 2; part++) {
    __m256 sums[4];
#pragma unroll
    for (size_t i = 0; i < rows; i++) sums[i] = _mm256_setzero_ps();
    size_t k = 0;
    for (; k + 32 <= padded; k += 32) i8_group(block, part, columns, k, 8, from, rows, sums);
    if (k < padded) i8_group(block, part, columns, k, 4, from, rows, sums);
#pragma unroll
    for (size_t i = 0; i < rows; i++) {
      store_scaled(out[i] + part * 8, sums[i], block + i8_row_scales(columns) + part * 16);
    }
  }
}
