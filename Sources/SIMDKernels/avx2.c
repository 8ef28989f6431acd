// The kernels compiled for AVX2.

#if defined(__x86_64__)

#include <immintrin.h>

#include "isa.h"
#include "Matmul/matmul_i8.h"
#include "Peaks/peak.h"

#define ATTENTION_QUERIES 4
#define MATMUL_F32_ROWS 4

#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)

#include "lanes.h"

typedef uint8_t codebook_line __attribute__((ext_vector_type(64)));
LANES_INLINE codebook_line codebook_lookup(codebook_line nibbles) {
  __m256i codebook = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)vl2_q4_codebook)), half[2];
  __builtin_memcpy(half, &nibbles, sizeof half);
  half[0] = _mm256_shuffle_epi8(codebook, half[0]);
  half[1] = _mm256_shuffle_epi8(codebook, half[1]);
  __builtin_memcpy(&nibbles, half, sizeof half);
  return nibbles;
}

// VPMADDUBSW multiplies unsigned by signed bytes; two products of values in -127...127 fit in 16 bits.
#define DOT_BIAS 0
LANES_INLINE i32x16 dot4_both(i32x16 sum, i8x64 line, int32_t four, int weights) {
  __m256i all = _mm256_set1_epi32(four), half[2];
  __builtin_memcpy(half, &line, sizeof half);
#pragma unroll
  for (size_t i = 0; i < 2; i++) {
    __m256i pairs = weights ? _mm256_maddubs_epi16(all, half[i])
                            : _mm256_maddubs_epi16(_mm256_abs_epi8(half[i]), _mm256_sign_epi8(all, half[i]));
    half[i] = _mm256_madd_epi16(pairs, _mm256_set1_epi16(1));
  }
  i32x16 products;
  __builtin_memcpy(&products, half, sizeof products);
  return sum + products;
}
LANES_INLINE i32x16 dot4(i32x16 sum, i8x64 line, int32_t four) { return dot4_both(sum, line, four, 0); }
LANES_INLINE i32x16 dot4_weights(i32x16 sum, i8x64 line, int32_t four) { return dot4_both(sum, line, four, 1); }

#include "Bodies/kernels.h"

static const matmul_i8_set q4_tiles = {
    .tiles = {NULL, vl2_matmul_q4_i8_4x16_avx2, vl2_matmul_q4_i8_2x16_avx2, vl2_matmul_q4_i8_1x16_avx2}};
static const matmul_i8_set i8_tiles = {
    .tiles = {NULL, vl2_matmul_i8_i8_4x16_avx2, vl2_matmul_i8_i8_2x16_avx2, vl2_matmul_i8_i8_1x16_avx2}};
MATMUL_I8_FUNCTION(matmul_i8, q4_tiles, i8_tiles)

#pragma clang attribute pop

const vl2_kernels vl2_kernels_avx2 = {.name = "avx2",
                                      .matmul_i8 = matmul_i8,
                                      .gated_i8 = matmul_i8_gated,
                                      .peak_i8 = vl2_peak_i8_avx2,
                                      .peak_f32 = vl2_peak_f32_avx2,
                                      .attention_i8 = attention_i8,
                                      SHARED_KERNELS};

#endif
