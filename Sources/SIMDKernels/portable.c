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

#include "Bodies/kernels.h"

size_t vl2_attention_scratch(size_t key_count) { return (key_count + 15) / 16 * 16 * 8; }

static const matmul_i8_set q4_tiles = {
    .tiles = {NULL, NULL, NULL, vl2_matmul_q4_i8_1x16_portable}};
static const matmul_i8_set i8_tiles = {
    .tiles = {NULL, NULL, NULL, vl2_matmul_i8_i8_1x16_portable}};
MATMUL_I8_FUNCTION(matmul_i8, q4_tiles, i8_tiles)

const vl2_kernels vl2_kernels_portable = {.name = "portable",
                                          .matmul_i8 = matmul_i8,
                                          .peak_i8 = vl2_peak_i8_portable,
                                          .peak_f32 = vl2_peak_f32_portable,
                                          SHARED_KERNELS};
