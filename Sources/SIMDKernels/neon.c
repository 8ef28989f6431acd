// The kernels compiled for arm64, all of which has NEON; the instruction sets differ in matmul_i8.

#if defined(__aarch64__)

#include <arm_neon.h>

#include "Matmul/matmul_i8.h"
#include "isa.h"
#include "lanes.h"

#define ATTENTION_QUERIES 4
#define MATMUL_F32_ROWS 4

typedef uint8_t codebook_line __attribute__((ext_vector_type(64)));
LANES_INLINE codebook_line codebook_lookup(codebook_line nibbles) {
  const uint8x16_t codebook = vreinterpretq_u8_s8(vld1q_s8(vl2_q4_codebook));
  uint8x16_t parts[4];
  __builtin_memcpy(parts, &nibbles, sizeof parts);
  for (size_t i = 0; i < 4; i++) parts[i] = vqtbl1q_u8(codebook, parts[i]);
  __builtin_memcpy(&nibbles, parts, sizeof parts);
  return nibbles;
}

#include "Bodies/kernels.h"

static const matmul_i8_set q4_neon = {
    {NULL, vl2_matmul_q4_i8_4x16_neon, vl2_matmul_q4_i8_2x16_neon, vl2_matmul_q4_i8_1x16_neon}};
static const matmul_i8_set i8_neon = {
    {NULL, vl2_matmul_i8_i8_4x16_neon, vl2_matmul_i8_i8_2x16_neon, vl2_matmul_i8_i8_1x16_neon}};
MATMUL_I8_FUNCTION(matmul_i8_neon, q4_neon, i8_neon)

static const matmul_i8_set q4_dotprod = {
    {NULL, vl2_matmul_q4_i8_4x16_dotprod, vl2_matmul_q4_i8_2x16_dotprod, vl2_matmul_q4_i8_1x16_dotprod}};
static const matmul_i8_set i8_dotprod = {
    {NULL, vl2_matmul_i8_i8_4x16_dotprod, vl2_matmul_i8_i8_2x16_dotprod, vl2_matmul_i8_i8_1x16_dotprod}};
MATMUL_I8_FUNCTION(matmul_i8_dotprod, q4_dotprod, i8_dotprod)

const vl2_kernels vl2_kernels_neon = {.name = "neon", .matmul_i8 = matmul_i8_neon, SHARED_KERNELS};
const vl2_kernels vl2_kernels_dotprod = {.name = "dotprod", .matmul_i8 = matmul_i8_dotprod, SHARED_KERNELS};

#endif
