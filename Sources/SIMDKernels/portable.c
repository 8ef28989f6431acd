// The kernels in C alone, for whatever the compiler targets when it is told nothing: SSE2 or NEON.

#include "isa.h"
#include "lanes.h"
#include "Matmul/matmul_i8.h"
#include "Peaks/peak.h"

#if defined(__aarch64__)
#define ATTENTION_QUERIES 4
#define MATMUL_F32_ROWS 4
#else
#define ATTENTION_QUERIES 2
#define MATMUL_F32_ROWS 2
#endif

typedef uint8_t codebook_line __attribute__((ext_vector_type(64)));
LANES_INLINE codebook_line codebook_lookup(codebook_line nibbles) {
  uint8_t bytes[64];
  __builtin_memcpy(bytes, &nibbles, sizeof bytes);
  for (size_t i = 0; i < 64; i++) bytes[i] = (uint8_t)vl2_q4_codebook[bytes[i]];
  __builtin_memcpy(&nibbles, bytes, sizeof bytes);
  return nibbles;
}

#define DOT_BIAS 0
LANES_INLINE i32x16 dot4(i32x16 sum, i8x64 line, int32_t four) {
  u32x16 words;
  __builtin_memcpy(&words, &line, sizeof words);
  sum += ((i32x16)(words << 24) >> 24) * (int8_t)four;
  sum += ((i32x16)(words << 16) >> 24) * (int8_t)(four >> 8);
  sum += ((i32x16)(words << 8) >> 24) * (int8_t)(four >> 16);
  return sum + ((i32x16)words >> 24) * (four >> 24);
}
LANES_INLINE i32x16 dot4_weights(i32x16 sum, i8x64 line, int32_t four) { return dot4(sum, line, four); }

#include "Bodies/kernels.h"

size_t vl2_attention_scratch(size_t key_count) { return (key_count + 15) / 16 * 16 * 8; }

size_t vl2_key_value_block_bytes(size_t key_dim, size_t value_dim) {
  return value_scales(key_dim, value_dim) + 128;
}

size_t vl2_attention_i8_scratch(size_t key_count, size_t key_dim) {
  return (key_count + 31) / 32 * 32 * 41 + (key_dim + 31) / 32 * 32 * 10;
}

static const matmul_i8_set q4_tiles = {
    .tiles = {NULL, NULL, NULL, vl2_matmul_q4_i8_1x16_portable}};
static const matmul_i8_set i8_tiles = {
    .tiles = {NULL, NULL, NULL, vl2_matmul_i8_i8_1x16_portable}};
MATMUL_I8_FUNCTION(matmul_i8, q4_tiles, i8_tiles)

const vl2_kernels vl2_kernels_portable = {.name = "portable",
                                          .matmul_i8 = matmul_i8,
                                          .gated_i8 = matmul_i8_gated,
                                          .peak_i8 = vl2_peak_i8_portable,
                                          .peak_f32 = vl2_peak_f32_portable,
                                          .attention_i8 = attention_i8,
                                          SHARED_KERNELS};
