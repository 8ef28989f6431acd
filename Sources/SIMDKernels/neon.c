// The kernels compiled for arm64, all of which has NEON; the instruction sets differ in matmul_i8 and attention_i8.

#if defined(__aarch64__)

#include <arm_neon.h>

#include "Matmul/matmul_i8.h"
#include "Peaks/peak.h"
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

#define DOT_BIAS 0
#define DOT_GROUPS_NEON
#include "Matmul/matmul_smull.h"
#include "Bodies/kernels.h"

// SMULL keeps its sums in registers with one activation row only; the block is then in the first-level cache.
static const matmul_i8_set q4_neon = {
    .tiles = {NULL, NULL, vl2_matmul_q4_i8_2x16_neon, vl2_matmul_q4_i8_1x16_neon},
    .expand = vl2_expand_q4_neon,
    .expanded = vl2_matmul_q4x8_i8_4x16_neon};
static const matmul_i8_set i8_neon = {.tiles = {NULL, NULL, NULL, vl2_matmul_i8_i8_1x16_neon}};
MATMUL_I8_FUNCTION(matmul_i8_neon, q4_neon, i8_neon)

static const matmul_i8_set q4_dotprod = {
    .tiles = {NULL, vl2_matmul_q4_i8_4x16_dotprod, vl2_matmul_q4_i8_2x16_dotprod, vl2_matmul_q4_i8_1x16_dotprod},
    .expand = vl2_expand_q4_neon,
    .expanded = vl2_matmul_q4x8_i8_4x16_dotprod};
static const matmul_i8_set i8_dotprod = {
    .tiles = {NULL, vl2_matmul_i8_i8_4x16_dotprod, vl2_matmul_i8_i8_2x16_dotprod, vl2_matmul_i8_i8_1x16_dotprod},
    .expand = vl2_expand_i8_neon,
    .expanded = vl2_matmul_i8x8_i8_4x16_dotprod};
MATMUL_I8_FUNCTION(matmul_i8_dotprod, q4_dotprod, i8_dotprod)

// SMMLA multiplies two activation rows at a time: half of it would be lost on one row, where SDOT, which every such
// processor has, loses nothing; and the few rows that are not worth expanding a block for would each pay for the order
// in which it wants the weights.
static const matmul_i8_set q4_i8mm = {
    .tiles = {NULL, vl2_matmul_q4_i8_4x16_dotprod, vl2_matmul_q4_i8_2x16_dotprod, vl2_matmul_q4_i8_1x16_dotprod},
    .expand = vl2_expand_q4_i8mm,
    .expanded = vl2_matmul_q4x8_i8_4x16_i8mm};
static const matmul_i8_set i8_i8mm = {
    .tiles = {NULL, vl2_matmul_i8_i8_4x16_dotprod, vl2_matmul_i8_i8_2x16_dotprod, vl2_matmul_i8_i8_1x16_dotprod},
    .expand = vl2_expand_i8_i8mm,
    .expanded = vl2_matmul_i8x8_i8_4x16_i8mm};
MATMUL_I8_FUNCTION(matmul_i8_i8mm, q4_i8mm, i8_i8mm)

const vl2_kernels vl2_kernels_neon = {.name = "neon",
                                      .matmul_i8 = matmul_i8_neon,
                                      .gated_i8 = matmul_i8_neon_gated,
                                      .peak_i8 = vl2_peak_i8_neon,
                                      .peak_f32 = vl2_peak_f32_neon,
                                      .attention_i8 = attention_i8,
                                      SHARED_KERNELS};
const vl2_kernels vl2_kernels_dotprod = {.name = "dotprod",
                                         .matmul_i8 = matmul_i8_dotprod,
                                         .gated_i8 = matmul_i8_dotprod_gated,
                                         .peak_i8 = vl2_peak_i8_dotprod,
                                         .peak_f32 = vl2_peak_f32_neon,
                                         .attention_i8 = vl2_attention_i8_dotprod,
                                         SHARED_KERNELS};
const vl2_kernels vl2_kernels_i8mm = {.name = "i8mm",
                                      .matmul_i8 = matmul_i8_i8mm,
                                      .gated_i8 = matmul_i8_i8mm_gated,
                                      .peak_i8 = vl2_peak_i8_i8mm,
                                      .peak_f32 = vl2_peak_f32_neon,
                                      .attention_i8 = vl2_attention_i8_dotprod,
                                      SHARED_KERNELS};

#endif
