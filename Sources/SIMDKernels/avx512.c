// The kernels compiled for AVX-512 with VNNI.

#if defined(__x86_64__)

#include <immintrin.h>

#include "isa.h"
#include "Matmul/matmul_i8.h"
#include "Peaks/peak.h"

#define ATTENTION_QUERIES 8
#define MATMUL_F32_ROWS 8
#define LANES_SIDE_BY_SIDE 4

#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vnni"))), apply_to = function)

// Lanes that are left over take a mask.
#define LANES_MASKED
#include "lanes.h"

// a * 2^n, rounded once.
#define LANES_SCALE(a, n) ((f32x16)_mm512_scalef_ps((__m512)(a), (__m512)(n)))

typedef uint8_t codebook_line __attribute__((ext_vector_type(64)));
LANES_INLINE codebook_line codebook_lookup(codebook_line nibbles) {
  __m512i codebook = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)vl2_q4_codebook)), line;
  __builtin_memcpy(&line, &nibbles, sizeof line);
  line = _mm512_shuffle_epi8(codebook, line);
  __builtin_memcpy(&nibbles, &line, sizeof line);
  return nibbles;
}

// VPDPBUSD multiplies unsigned by signed bytes.
#define DOT_BIAS 128
#define DOT_QUERIES 4
#define DOT_LINES 2
#define DOT_SETTLE(sum) __asm__ volatile("" : "+v"(sum))
LANES_INLINE i32x16 dot4(i32x16 sum, i8x64 line, int32_t four) {
  return (i32x16)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)line, _mm512_set1_epi32(four));
}
LANES_INLINE i32x16 dot4_weights(i32x16 sum, i8x64 line, int32_t four) {
  return (i32x16)_mm512_dpbusd_epi32((__m512i)sum, _mm512_set1_epi32(four), (__m512i)line);
}

#include "Bodies/kernels.h"

static const matmul_i8_set q4_tiles = {
    .tiles = {vl2_matmul_q4_i8_8x16_avx512vnni, vl2_matmul_q4_i8_4x16_avx512vnni,
     vl2_matmul_q4_i8_2x16_avx512vnni, vl2_matmul_q4_i8_1x16_avx512vnni},
    .expand = vl2_expand_q4_avx512vnni,
    .pair = vl2_matmul_q4x8_i8_4x32_avx512vnni};
static const matmul_i8_set i8_tiles = {
    .tiles = {vl2_matmul_i8_i8_8x16_avx512vnni, vl2_matmul_i8_i8_4x16_avx512vnni,
     vl2_matmul_i8_i8_2x16_avx512vnni, vl2_matmul_i8_i8_1x16_avx512vnni}};
MATMUL_I8_FUNCTION(matmul_i8, q4_tiles, i8_tiles)

#pragma clang attribute pop

const vl2_kernels vl2_kernels_avx512vnni = {.name = "avx512vnni",
                                            .matmul_i8 = matmul_i8,
                                            .gated_i8 = matmul_i8_gated,
                                            .peak_i8 = vl2_peak_i8_avx512vnni,
                                            .peak_f32 = vl2_peak_f32_avx512,
                                            .attention_i8 = attention_i8,
                                            SHARED_KERNELS};

#endif
