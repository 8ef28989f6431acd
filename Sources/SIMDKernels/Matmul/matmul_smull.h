// Products of 16 columns for every arm64 processor: SMULL and SMLAL to 16 bits, SADALP to 32. Two products stay
// within 2 * 128 * 127, so nothing overflows.

#include "matmul_neon.h"

typedef struct {
  int8x16_t four[4];  // columns 4 * j... in every lane
} activations;

// Whether they stay in registers while weights change, which saves four loads each time.
#define ACTIVATIONS_STAY(rows) ((rows) == 1)

typedef struct {
  int32x4_t low, high;  // rows 0 and 1, rows 2 and 3; two partial sums each
} integer_sums;

enum { sums_held = 4 };  // in registers, beside as many floats

NEON_INLINE activations load_activations(const uint8_t *at) {
  activations x;
#pragma unroll
  for (size_t j = 0; j < 4; j++) {
    x.four[j] = vreinterpretq_s8_s32(vld1q_dup_s32((const int32_t *)(const void *)(at + j * 4)));
    // A compiler that knew both halves to be equal would move the weights' high halves for SMULL rather than use SMULL2.
    __asm__("" : "+w"(x.four[j]));
  }
  return x;
}

NEON_INLINE integer_sums begin_sums(void) {
  static const int32_t begins[4] = {0x4B400000, 0, 0x4B400000, 0};
  return (integer_sums){load_again_s32(begins), load_again_s32(begins)};
}

NEON_INLINE integer_sums add_products(integer_sums sums, const int8x16_t weights[4], activations x) {
#pragma unroll
  for (size_t j = 0; j < 4; j += 2) {
    int8x16_t a = weights[j], b = weights[j + 1], c = x.four[j], d = x.four[j + 1];
    int16x8_t low = vmlal_s8(vmull_s8(vget_low_s8(a), vget_low_s8(c)), vget_low_s8(b), vget_low_s8(d));
    int16x8_t high = vmlal_high_s8(vmull_high_s8(a, c), b, d);
    sums.low = vpadalq_s16(sums.low, low);
    sums.high = vpadalq_s16(sums.high, high);
  }
  return sums;
}

// 1.5 * 2^23 + the sums.
NEON_INLINE float32x4_t end_sums(integer_sums sums) {
  return vreinterpretq_f32_s32(vpaddq_s32(sums.low, sums.high));
}

// What a group's sums are multiplied by, and the products. Here floats are as slow as integers, and looking bytes up is
// slower than widening them.
typedef uint8x16_t six_bits;
typedef int32x4_t group_scales;
typedef int32x4_t scaled_sums;

NEON_INLINE void q4_six_bits(const uint8_t *head, size_t group, six_bits values[2]) { q4_scales(head, group, values); }

NEON_INLINE group_scales i8_group_scales(uint8x16_t bytes, size_t quad) {
  uint16x8_t half = quad < 2 ? vmovl_u8(vget_low_u8(bytes)) : vmovl_high_u8(bytes);
  return vreinterpretq_s32_u32(quad % 2 == 0 ? vmovl_u16(vget_low_u16(half)) : vmovl_high_u16(half));
}

NEON_INLINE group_scales q4_group_scales(uint8x16_t six, size_t quad) {
  return vsubq_s32(i8_group_scales(six, quad), vdupq_n_s32(32));
}

NEON_INLINE int32x4_t sums_alone(integer_sums sums) {
  return vsubq_s32(vreinterpretq_s32_f32(end_sums(sums)), vdupq_n_s32(0x4B400000));
}

NEON_INLINE scaled_sums scale_sums(integer_sums sums, group_scales scales) {
  return vmulq_s32(sums_alone(sums), scales);
}

NEON_INLINE scaled_sums scale_more(scaled_sums products, integer_sums sums, group_scales scales) {
  return vmlaq_s32(products, sums_alone(sums), scales);
}

NEON_INLINE float32x4_t scaled_floats(scaled_sums products) { return vcvtq_f32_s32(products); }

#include "matmul_neon_rows.h"

// An expanded piece of a Q4 block, as vl2_expand_q4_neon writes it: 4 * quads rows from 4 * first on times `rows`
// activation rows.
NEON_INLINE void q4x8_i8_part(const uint8_t *piece, size_t groups, size_t first, size_t quads, const uint8_t *const *x,
                              const uint8_t *const *scales, size_t rows, float (*out)[16]) {
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
    activations values[2][4];
#pragma unroll
    for (size_t i = 0; i < rows; i++) {
      values[0][i] = load_activations(from[i] + g * 16);
      values[1][i] = load_activations(from[i] + g * 16 + 16);
    }
#pragma unroll
    for (size_t q = 0; q < quads; q++) {
      float32x4_t products[4];
#pragma unroll
      for (size_t h = 0; h < 2; h++) {
        const uint8_t *group = piece + (g + h) * expanded_group_bytes + (first + q) * 16;
        const float *group_scales = (const float *)(const void *)(group + 256);
        int8x16_t weights[4];
        i8_load(group, weights);
        float32x4_t group_scale = vld1q_f32(group_scales);
#pragma unroll
        for (size_t i = 0; i < rows; i++) {
          float32x4_t sum = end_sums(add_products(begin_sums(), weights, values[h][i]));
          sum = vfmaq_f32(load_again_f32(group_scales + 16), sum, group_scale);
          products[i] = h == 0 ? sum : vaddq_f32(products[i], sum);
        }
        NEON_SETTLE(products[rows - 1]);
      }
#pragma unroll
      for (size_t i = 0; i < rows; i++) {
        float scale = load_f32(scales_from[i] + g * 2);
        sums[i * quads + q] = add_scaled_products(sums[i * quads + q], products[i], scale);
      }
    }
  }
#pragma unroll
  for (size_t i = 0; i < rows; i++) {
#pragma unroll
    for (size_t q = 0; q < quads; q++) vst1q_f32(out[i] + (first + q) * 4, sums[i * quads + q]);
  }
}
