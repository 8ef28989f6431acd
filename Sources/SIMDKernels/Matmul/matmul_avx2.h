// What the AVX2 micro-kernels share: 8 of the 16 rows of a block at a time.

#ifndef MATMUL_AVX2_H
#define MATMUL_AVX2_H

#include <immintrin.h>

#include "matmul_i8.h"

#pragma STDC FP_CONTRACT OFF

#define TARGET_AVX2 __attribute__((target("avx2,fma")))
#define INLINE_AVX2 static inline __attribute__((always_inline)) TARGET_AVX2

// sum + weights * 4 activations. VPMADDUBSW multiplies unsigned by signed bytes: |weight| by the activation with
// the weight's sign. Two products stay within 2 * 128 * 127, so nothing saturates.
INLINE_AVX2 __m256i add_products(__m256i sum, __m256i size, __m256i weights, const uint8_t *values) {
  int32_t four;
  memcpy(&four, values, sizeof four);
  __m256i pairs = _mm256_maddubs_epi16(size, _mm256_sign_epi8(_mm256_set1_epi32(four), weights));
  return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

// sum + (float)products * scale, rounded once.
INLINE_AVX2 __m256 add_scaled_products(__m256 sum, __m256i products, const uint8_t *scale) {
  return _mm256_fmadd_ps(_mm256_cvtepi32_ps(products), _mm256_set1_ps(load_f32(scale)), sum);
}

// 8 bfloat16 row scales times the sums.
INLINE_AVX2 void store_scaled(float *out, __m256 sum, const uint8_t *row_scales) {
  __m256i wide = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)row_scales));
  __m256 scale = _mm256_castsi256_ps(_mm256_slli_epi32(wide, 16));
  _mm256_storeu_ps(out, _mm256_mul_ps(sum, scale));
}

#endif
