// Products of 8 columns of 2 activation rows with 2 weight rows by SMMLA. Include it where the target attribute "i8mm"
// is pushed. One or two activation rows are left to SDOT, which computes as many useful products an instruction.

#include "matmul_neon.h"

// 16 columns of two activation rows: columns 0 to 7 of both, and 8 to 15.
typedef struct {
  int8x16_t halves[2];
} activation_pair;

NEON_INLINE activation_pair load_activation_pair(const uint8_t *first, const uint8_t *second) {
  int64x2_t a = vreinterpretq_s64_s8(vld1q_s8((const int8_t *)first));
  int64x2_t b = vreinterpretq_s64_s8(vld1q_s8((const int8_t *)second));
  return (activation_pair){{vreinterpretq_s8_s64(vzip1q_s64(a, b)), vreinterpretq_s8_s64(vzip2q_s64(a, b))}};
}

// Their scales in the lanes of the products: first row, first row, second row, second row.
NEON_INLINE float32x4_t load_scale_pair(const uint8_t *first, const uint8_t *second) {
  return vcombine_f32(vdup_n_f32(load_f32(first)), vdup_n_f32(load_f32(second)));
}

// Lanes: first activation row with the first and second weight row, second activation row likewise.
NEON_INLINE int32x4_t add_pair_products(int32x4_t sums, activation_pair x, const int8x16_t weights[2]) {
  return vmmlaq_s32(vmmlaq_s32(sums, x.halves[0], weights[0]), x.halves[1], weights[1]);
}

// Sums of two pairs of weight rows with one pair of activation rows, as 4 rows for each.
NEON_INLINE void split_pairs(float32x4_t a, float32x4_t b, float32x4_t *first, float32x4_t *second) {
  float64x2_t x = vreinterpretq_f64_f32(a), y = vreinterpretq_f64_f32(b);
  *first = vreinterpretq_f32_f64(vzip1q_f64(x, y));
  *second = vreinterpretq_f32_f64(vzip2q_f64(x, y));
}

// An expanded piece times two activation rows: the sums of more would not stay in registers. A group's scale is its own
// (Q4), or `shared` by two of them (I8).
NEON_INLINE void expanded_pair(const uint8_t *piece, size_t groups, const uint8_t *x0, const uint8_t *x1,
                              const uint8_t *scales0, const uint8_t *scales1, float *out0, float *out1,
                               int shared) {
  float32x4_t sums[8];
#pragma unroll
  for (size_t p = 0; p < 8; p += 2) {
    split_pairs(vld1q_f32(out0 + p * 2), vld1q_f32(out1 + p * 2), &sums[p], &sums[p + 1]);
  }
  for (size_t g = 0; g < groups; g += 2) {
    float32x4_t x_scales = load_scale_pair(scales0 + g * 2, scales1 + g * 2);
    activation_pair x[2] = {load_activation_pair(x0 + g * 16, x1 + g * 16),
                            load_activation_pair(x0 + g * 16 + 16, x1 + g * 16 + 16)};
#pragma unroll
    for (size_t p = 0; p < 8; p++) {
      float32x4_t products;
      int32x4_t sum;
#pragma unroll
      for (size_t h = 0; h < 2; h++) {
        const uint8_t *group = piece + (g + h) * expanded_group_bytes;
        const float *group_scales = (const float *)(const void *)(group + 256) + p * 4;
        int8x16_t weights[2] = {vld1q_s8((const int8_t *)group + p * 32),
                                vld1q_s8((const int8_t *)group + p * 32 + 16)};
        sum = add_pair_products(shared && h == 1 ? sum : load_again_s32(neon_begins), x[h], weights);
        if (shared && h == 0) continue;
        float32x4_t scaled =
            vfmaq_f32(vld1q_f32(group_scales + 32), vreinterpretq_f32_s32(sum), vld1q_f32(group_scales));
        products = shared || h == 0 ? scaled : vaddq_f32(products, scaled);
      }
      sums[p] = vfmaq_f32(sums[p], products, x_scales);
      NEON_SETTLE(sums[p]);
    }
  }
#pragma unroll
  for (size_t p = 0; p < 8; p += 2) {
    float32x4_t first, second;
    split_pairs(sums[p], sums[p + 1], &first, &second);
    vst1q_f32(out0 + p * 2, first);
    vst1q_f32(out1 + p * 2, second);
  }
}

NEON_INLINE void expanded_rows_i8mm(const uint8_t *piece, size_t groups, const uint8_t *const *x,
                                    const uint8_t *const *scales, float (*out)[16], int shared) {
  expanded_pair(piece, groups, x[0], x[1], scales[0], scales[1], out[0], out[1], shared);
  expanded_pair(piece, groups, x[2], x[3], scales[2], scales[3], out[2], out[3], shared);
}
