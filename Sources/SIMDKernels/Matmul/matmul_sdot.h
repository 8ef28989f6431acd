// Products of 16 columns with SDOT, which adds 4 products to each lane: 4 rows x 4 columns times the 4 activations
// of one lane. Include it where the target attribute "dotprod" is pushed.

#include "matmul_neon.h"

typedef int8x16_t activations;
typedef int32x4_t integer_sums;

NEON_INLINE activations load_activations(const uint8_t *at) { return vld1q_s8((const int8_t *)at); }

NEON_INLINE integer_sums begin_sums(void) { return load_again_s32(neon_begins); }

NEON_INLINE integer_sums add_products(integer_sums sums, const int8x16_t weights[4], activations x) {
  sums = vdotq_laneq_s32(sums, weights[0], x, 0);
  sums = vdotq_laneq_s32(sums, weights[1], x, 1);
  sums = vdotq_laneq_s32(sums, weights[2], x, 2);
  return vdotq_laneq_s32(sums, weights[3], x, 3);
}

// 1.5 * 2^23 + the sums.
NEON_INLINE float32x4_t end_sums(integer_sums sums) { return vreinterpretq_f32_s32(sums); }

// What a group's sums are multiplied by, and the products.
typedef float32x4_t group_scales;
typedef float32x4_t scaled_sums;

NEON_INLINE group_scales q4_group_scales(uint8x16_t six, size_t quad) { return scale_floats(six, quad, 32); }
NEON_INLINE group_scales i8_group_scales(uint8x16_t bytes, size_t quad) { return scale_floats(bytes, quad, 0); }

NEON_INLINE float32x4_t sums_alone(integer_sums sums) { return vsubq_f32(end_sums(sums), vdupq_n_f32(neon_begin)); }

NEON_INLINE scaled_sums scale_sums(integer_sums sums, group_scales scales) {
  return vmulq_f32(sums_alone(sums), scales);
}

// Exact: both products and their sum are integers below 2^24.
NEON_INLINE scaled_sums scale_more(scaled_sums products, integer_sums sums, group_scales scales) {
  return vfmaq_f32(products, sums_alone(sums), scales);
}

NEON_INLINE float32x4_t scaled_floats(scaled_sums products) { return products; }

#include "matmul_neon_rows.h"
