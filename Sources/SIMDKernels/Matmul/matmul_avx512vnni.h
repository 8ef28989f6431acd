// What the AVX-512 VNNI micro-kernels share.

#ifndef MATMUL_AVX512VNNI_H
#define MATMUL_AVX512VNNI_H

#include <immintrin.h>

#include "matmul_i8.h"

#pragma STDC FP_CONTRACT OFF

#define TARGET_AVX512VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni")))
#define INLINE_AVX512VNNI static inline __attribute__((always_inline)) TARGET_AVX512VNNI

INLINE_AVX512VNNI __m512i broadcast_u32(const uint8_t *at) {
  int32_t value;
  memcpy(&value, at, sizeof value);
  return _mm512_set1_epi32(value);
}

// sum + (float)products * scale, rounded once.
INLINE_AVX512VNNI __m512 add_scaled_products(__m512 sum, __m512i products, const uint8_t *scale) {
  return _mm512_fmadd_ps(_mm512_cvtepi32_ps(products), _mm512_set1_ps(load_f32(scale)), sum);
}

// Bfloat16 row scales times the sums.
INLINE_AVX512VNNI void store_scaled(float *out, __m512 sum, const uint8_t *row_scales) {
  __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)row_scales));
  __m512 scale = _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
  _mm512_storeu_ps(out, _mm512_mul_ps(sum, scale));
}

#endif
