// Products of 16 columns with SDOT, which adds 4 products to each lane: 4 rows x 4 columns times the 4 activations
// of one lane. Include it where the target attribute "dotprod" is pushed.

#include "matmul_neon.h"

typedef int8x16_t activations;
typedef int32x4_t integer_sums;

enum { sums_held = 8 };  // in registers, beside as many floats

// They are loaded again for other weights: loads are free beside what the vector pipes do.
#define ACTIVATIONS_STAY(rows) 0

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

// Six bits for each of 16 rows, 8 rows in an integer register: taking them apart there costs no vector pipe.
typedef struct {
  uint64_t rows[2];
} six_bits;

NEON_INLINE void q4_six_bits(const uint8_t *head, size_t group, six_bits values[2]) {
  const uint64_t each = 0x0101010101010101;
#pragma unroll
  for (size_t half = 0; half < 2; half++) {
    uint64_t b[3];
#pragma unroll
    for (size_t i = 0; i < 3; i++) memcpy(&b[i], head + i * 16 + half * 8, 8);
    if (group == 0) {
      values[0].rows[half] = b[0] & each * 63;
      values[1].rows[half] = b[1] & each * 63;
    } else {
      values[0].rows[half] = b[2] & each * 63;
      values[1].rows[half] = (b[0] >> 6 & each * 3) | (b[1] >> 4 & each * 12) | (b[2] >> 2 & each * 48);
    }
  }
}

NEON_INLINE group_scales q4_group_scales(six_bits six, size_t quad) {
  uint8x8_t rows = vcreate_u8(six.rows[quad / 2]);
  // The other half is never looked up.
  uint8x16_t wide = __builtin_shufflevector(rows, rows, 0, 1, 2, 3, 4, 5, 6, 7, -1, -1, -1, -1, -1, -1, -1, -1);
  return scale_floats(wide, quad % 2, 32);
}
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

// An expanded piece, as vl2_expand_q4_neon or vl2_expand_i8_neon writes it: 4 * quads rows from 4 * first on times `rows`
// activation rows. A group's scale is its own (Q4), or `shared` by two of them (I8).
NEON_INLINE void expanded_part(const uint8_t *piece, size_t groups, size_t first, size_t quads, const uint8_t *const *x,
                               const uint8_t *const *scales, size_t rows, float (*out)[16], int shared) {
  const uint8_t *from[4], *scales_from[4];
  float32x4_t sums[8];
#pragma unroll
  for (size_t i = 0; i < rows; i++) {
    from[i] = x[i];
    scales_from[i] = scales[i];
#pragma unroll
    for (size_t q = 0; q < quads; q++) sums[i * quads + q] = vld1q_f32(out[i] + (first + q) * 4);
  }
  for (size_t g = 0; g < groups; g += 2) {
#pragma unroll
    for (size_t q = 0; q < quads; q++) {
      integer_sums group_sums[4];
      float32x4_t products[4];
#pragma unroll
      for (size_t h = 0; h < 2; h++) {
        const uint8_t *group = piece + (g + h) * expanded_group_bytes + (first + q) * 16;
        const float *group_scales = (const float *)(const void *)(group + 256);
        int8x16_t weights[4];
        i8_load(group, weights);
#pragma unroll
        for (size_t i = 0; i < rows; i++) {
          activations values = load_activations(from[i] + (g + h) * 16);
          group_sums[i] = add_products(shared && h == 1 ? group_sums[i] : begin_sums(), weights, values);
          NEON_SETTLE(group_sums[i]);
        }
        if (shared && h == 0) continue;
        float32x4_t group_scale = vld1q_f32(group_scales);
#pragma unroll
        for (size_t i = 0; i < rows; i++) {
          float32x4_t scaled = vfmaq_f32(load_again_f32(group_scales + 16), end_sums(group_sums[i]), group_scale);
          products[i] = shared || h == 0 ? scaled : vaddq_f32(products[i], scaled);
        }
      }
#pragma unroll
      for (size_t i = 0; i < rows; i++) {
        float32x4_t *sum = &sums[i * quads + q];
        *sum = add_scaled_products(*sum, products[i], load_f32(scales_from[i] + g * 2));
        NEON_SETTLE(*sum);
      }
    }
  }
#pragma unroll
  for (size_t i = 0; i < rows; i++) {
#pragma unroll
    for (size_t q = 0; q < quads; q++) vst1q_f32(out[i] + (first + q) * 4, sums[i * quads + q]);
  }
}
