// What the NEON micro-kernels share: everything but the integer products of one group of 16 columns, which
// matmul_smull.h and matmul_sdot.h define. A block is taken in parts of `quads` times 4 rows: all 16 rows at once
// for one activation row, where memory is the limit, and 8 for several, where registers are.

#ifndef MATMUL_NEON_H
#define MATMUL_NEON_H

#include <arm_neon.h>

#include "matmul_i8.h"

#pragma STDC FP_CONTRACT OFF

#define NEON_INLINE static inline __attribute__((always_inline))

// sum += (float)products * scale, each step rounded.
NEON_INLINE float32x4_t add_scaled_products(float32x4_t sum, int32x4_t products, float scale) {
  return vaddq_f32(sum, vmulq_n_f32(vcvtq_f32_s32(products), scale));
}

// 4 bfloat16 row scales times the sums.
NEON_INLINE void store_scaled(float *out, float32x4_t sum, const uint8_t *row_scales) {
  uint32x4_t wide = vmovl_u16(vreinterpret_u16_u8(vld1_u8(row_scales)));
  vst1q_f32(out, vmulq_f32(sum, vreinterpretq_f32_u32(vshlq_n_u32(wide, 16))));
}

// The unsigned bytes 4 * quad... of 16 as 4 int32.
NEON_INLINE int32x4_t widen_quad(uint8x16_t bytes, size_t quad) {
  uint16x8_t half = quad < 2 ? vmovl_u8(vget_low_u8(bytes)) : vmovl_high_u8(bytes);
  return vreinterpretq_s32_u32(quad % 2 == 0 ? vmovl_u16(vget_low_u16(half)) : vmovl_high_u16(half));
}

// The six-bit values of the four groups of 64 columns, one byte for each of 16 rows.
NEON_INLINE void q4_scales(const uint8_t *head, uint8x16_t values[4]) {
  const uint8x16_t six = vdupq_n_u8(63);
  uint8x16_t b0 = vld1q_u8(head), b1 = vld1q_u8(head + 16), b2 = vld1q_u8(head + 32);
  values[0] = vandq_u8(b0, six);
  values[1] = vandq_u8(b1, six);
  values[2] = vandq_u8(b2, six);
  values[3] = vsriq_n_u8(vsriq_n_u8(vshrq_n_u8(b2, 2), b1, 4), b0, 6);
}

// Integer products of 16 columns: sums[i * quads + q] for activation row i and rows 4 q...4 q + 3 of the part.
NEON_INLINE void q4_group(const uint8_t *lines, size_t quads, const uint8_t *const *x, size_t k, size_t rows,
                          int32x4_t *sums);
NEON_INLINE void i8_group(const uint8_t *lines, size_t quads, const uint8_t *const *x, size_t k, size_t rows,
                          int32x4_t *sums);

// Rows 4 * first..<4 * (first + quads) of a Q4 block.
NEON_INLINE void q4_i8_part(const uint8_t *block, size_t first, size_t quads, size_t columns,
                            const uint8_t *const *x, size_t rows, float (*out)[16]) {
  const uint8_t *lines = block + q4_lines(columns) + first * 16;
  float32x4_t sums[8];
#pragma unroll
  for (size_t i = 0; i < rows * quads; i++) sums[i] = vdupq_n_f32(0);
  size_t groups = (columns + 15) / 16;
  for (size_t g = 0; g < groups; g += 4) {
    uint8x16_t six[4];
    q4_scales(block + g * 12, six);
#pragma unroll
    for (size_t h = 0; h < 4; h += 2) {
      if (g + h >= groups) break;
      int32x4_t products[8], more[8];
      q4_group(lines + (g + h) * 128, quads, x, (g + h) * 16, rows, products);
#pragma unroll
      for (size_t q = 0; q < quads; q++) {
        int32x4_t scale = vsubq_s32(widen_quad(six[h], first + q), vdupq_n_s32(32));
#pragma unroll
        for (size_t i = 0; i < rows; i++) products[i * quads + q] = vmulq_s32(products[i * quads + q], scale);
      }
      if (g + h + 1 < groups) {
        q4_group(lines + (g + h + 1) * 128, quads, x, (g + h + 1) * 16, rows, more);
#pragma unroll
        for (size_t q = 0; q < quads; q++) {
          int32x4_t scale = vsubq_s32(widen_quad(six[h + 1], first + q), vdupq_n_s32(32));
#pragma unroll
          for (size_t i = 0; i < rows; i++) {
            products[i * quads + q] = vmlaq_s32(products[i * quads + q], more[i * quads + q], scale);
          }
        }
      }
#pragma unroll
      for (size_t i = 0; i < rows; i++) {
        float scale = load_f32(x[i] + quantized_scales(columns) + (g + h) * 2);
#pragma unroll
        for (size_t q = 0; q < quads; q++) {
          sums[i * quads + q] = add_scaled_products(sums[i * quads + q], products[i * quads + q], scale);
        }
      }
    }
  }
#pragma unroll
  for (size_t i = 0; i < rows; i++) {
#pragma unroll
    for (size_t q = 0; q < quads; q++) {
      const uint8_t *scales = block + q4_row_scales(columns) + (first + q) * 8;
      store_scaled(out[i] + (first + q) * 4, sums[i * quads + q], scales);
    }
  }
}

// Rows 4 * first..<4 * (first + quads) of an I8 block.
NEON_INLINE void i8_i8_part(const uint8_t *block, size_t first, size_t quads, size_t columns,
                            const uint8_t *const *x, size_t rows, float (*out)[16]) {
  const uint8_t *lines = block + i8_lines(columns) + first * 16;
  float32x4_t sums[8];
#pragma unroll
  for (size_t i = 0; i < rows * quads; i++) sums[i] = vdupq_n_f32(0);
  size_t padded = (columns + 15) / 16 * 16;
  for (size_t k = 0; k < padded; k += 32) {
    uint8x16_t bytes = vld1q_u8(block + k / 2);
    int32x4_t products[8], more[8];
    i8_group(lines + k * 16, quads, x, k, rows, products);
    if (k + 16 < padded) {
      i8_group(lines + k * 16 + 256, quads, x, k + 16, rows, more);
#pragma unroll
      for (size_t i = 0; i < rows * quads; i++) products[i] = vaddq_s32(products[i], more[i]);
    }
#pragma unroll
    for (size_t q = 0; q < quads; q++) {
      int32x4_t scale = widen_quad(bytes, first + q);
#pragma unroll
      for (size_t i = 0; i < rows; i++) {
        size_t place = i * quads + q;
        float row_scale = load_f32(x[i] + quantized_scales(columns) + k / 8);
        sums[place] = add_scaled_products(sums[place], vmulq_s32(products[place], scale), row_scale);
      }
    }
  }
#pragma unroll
  for (size_t i = 0; i < rows; i++) {
#pragma unroll
    for (size_t q = 0; q < quads; q++) {
      const uint8_t *scales = block + i8_row_scales(columns) + (first + q) * 8;
      store_scaled(out[i] + (first + q) * 4, sums[i * quads + q], scales);
    }
  }
}

NEON_INLINE void q4_i8_rows(const uint8_t *block, size_t columns, const uint8_t *const *x, size_t rows,
                            float (*out)[16]) {
  const uint8_t *from[4];
#pragma unroll
  for (size_t i = 0; i < rows; i++) from[i] = x[i];
  if (rows == 1) {
    q4_i8_part(block, 0, 4, columns, from, rows, out);
  } else {
    q4_i8_part(block, 0, 2, columns, from, rows, out);
    q4_i8_part(block, 2, 2, columns, from, rows, out);
  }
}

NEON_INLINE void i8_i8_rows(const uint8_t *block, size_t columns, const uint8_t *const *x, size_t rows,
                            float (*out)[16]) {
  const uint8_t *from[4];
#pragma unroll
  for (size_t i = 0; i < rows; i++) from[i] = x[i];
  if (rows == 1) {
    i8_i8_part(block, 0, 4, columns, from, rows, out);
  } else {
    i8_i8_part(block, 0, 2, columns, from, rows, out);
    i8_i8_part(block, 2, 2, columns, from, rows, out);
  }
}

#endif
