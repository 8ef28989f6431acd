// What the NEON micro-kernels share: everything but the integer products of 16 columns with 4 rows and their scales, which
// matmul_smull.h, matmul_sdot.h and matmul_smmla.h define.
//
// Integer multiplications and conversions to float are slow where SDOT is fast: half a dozen cycles for what four of them
// compute. There sums begin at the bits of 1.5 * 2^23 and are read as floats: 1.5 * 2^23 + sum, as long as |sum| < 2^22,
// and 32 products of int8 stay below 2^19. A group scale is a small integer, so that scale * sum below 2^24 is the integer
// that the portable twin computes, and above it is rounded once as a conversion would.

#ifndef MATMUL_NEON_H
#define MATMUL_NEON_H

#include <arm_neon.h>

#include "matmul_i8.h"

#pragma STDC FP_CONTRACT OFF

#define NEON_INLINE static inline __attribute__((always_inline, unused))

static const float neon_begin = 12582912.0f;  // 1.5 * 2^23, 0x4B400000
static const int32_t neon_begins[4] = {0x4B400000, 0x4B400000, 0x4B400000, 0x4B400000};

// Loads that the compiler may not replace by copying a register: loading costs none of the pipes that compute.
NEON_INLINE int32x4_t load_again_s32(const int32_t *at) { return *(const volatile int32x4_t *)(const void *)at; }
NEON_INLINE float32x4_t load_again_f32(const float *at) { return *(const volatile float32x4_t *)(const void *)at; }

// Has the compiler compute `vector` here and load later what comes after: its registers are few, and left alone it puts
// off sums and loads early until it must store what it holds, which costs a vector pipe.
#define NEON_SETTLE(vector) __asm__ volatile("" : "+w"(vector)::"memory")

// sum + products * scale, rounded once.
NEON_INLINE float32x4_t add_scaled_products(float32x4_t sum, float32x4_t products, float scale) {
  return vfmaq_n_f32(sum, products, scale);
}

// 4 bfloat16 row scales times the sums.
NEON_INLINE void store_scaled(float *out, float32x4_t sum, const uint8_t *row_scales) {
  uint32x4_t wide = vmovl_u16(vreinterpret_u16_u8(vld1_u8(row_scales)));
  vst1q_f32(out, vmulq_f32(sum, vreinterpretq_f32_u32(vshlq_n_u32(wide, 16))));
}

// Bytes 4 * quad... of 16 as floats, minus `bias`: a byte is put into the mantissa of 2^23.
NEON_INLINE float32x4_t scale_floats(uint8x16_t bytes, size_t quad, float bias) {
  static const uint8_t places[4][16] = {
      {0, 255, 255, 255, 1, 255, 255, 255, 2, 255, 255, 255, 3, 255, 255, 255},
      {4, 255, 255, 255, 5, 255, 255, 255, 6, 255, 255, 255, 7, 255, 255, 255},
      {8, 255, 255, 255, 9, 255, 255, 255, 10, 255, 255, 255, 11, 255, 255, 255},
      {12, 255, 255, 255, 13, 255, 255, 255, 14, 255, 255, 255, 15, 255, 255, 255}};
  static const int32_t exponents[4] = {0x4B000000, 0x4B000000, 0x4B000000, 0x4B000000};
  uint8x16_t wide = vqtbx1q_u8(vreinterpretq_u8_s32(load_again_s32(exponents)), bytes, vld1q_u8(places[quad]));
  return vsubq_f32(vreinterpretq_f32_u8(wide), vdupq_n_f32(8388608.0f + bias));
}

// The six-bit values of groups 0 and 1, or 2 and 3, of 64 columns, one byte for each of 16 rows.
NEON_INLINE void q4_scales(const uint8_t *head, size_t group, uint8x16_t values[2]) {
  const uint8x16_t six = vdupq_n_u8(63);
  uint8x16_t b0 = vld1q_u8(head), b1 = vld1q_u8(head + 16);
  if (group == 0) {
    values[0] = vandq_u8(b0, six);
    values[1] = vandq_u8(b1, six);
  } else {
    uint8x16_t b2 = vld1q_u8(head + 32);
    values[0] = vandq_u8(b2, six);
    values[1] = vsriq_n_u8(vsriq_n_u8(vshrq_n_u8(b2, 2), b1, 4), b0, 6);
  }
}

// 16 columns of 4 rows of a Q4 block as int8: values[j] holds columns 4 * j... of each row.
NEON_INLINE void q4_unpack(const uint8_t *lines, int8x16_t codebook, int8x16_t values[4]) {
  const uint8x16_t low = vdupq_n_u8(15);
  uint8x16_t first = vld1q_u8(lines), second = vld1q_u8(lines + 64);
  values[0] = vqtbl1q_s8(codebook, vandq_u8(first, low));
  values[1] = vqtbl1q_s8(codebook, vshrq_n_u8(first, 4));
  values[2] = vqtbl1q_s8(codebook, vandq_u8(second, low));
  values[3] = vqtbl1q_s8(codebook, vshrq_n_u8(second, 4));
}

// The same of an I8 block.
NEON_INLINE void i8_load(const uint8_t *lines, int8x16_t values[4]) {
#pragma unroll
  for (size_t j = 0; j < 4; j++) values[j] = vld1q_s8((const int8_t *)lines + j * 64);
}

// 16 columns of rows 4 * quad... of an expanded group for i8mm, which holds for each of 8 pairs of rows 32 int8, columns
// 0 to 7 of both rows, then 8 to 15; after all of them the scales of each pair twice, which are the lanes of a product
// with two activation rows; then, likewise, where the sums of products * scale begin.
NEON_INLINE void store_pairs(uint8_t *group, size_t quad, const int8x16_t values[4], float32x4_t scale) {
#pragma unroll
  for (size_t h = 0; h < 2; h++) {
    int32x4_t low = vreinterpretq_s32_s8(values[h * 2]), high = vreinterpretq_s32_s8(values[h * 2 + 1]);
    vst1q_s8((int8_t *)group + quad * 64 + h * 16, vreinterpretq_s8_s32(vzip1q_s32(low, high)));
    vst1q_s8((int8_t *)group + quad * 64 + 32 + h * 16, vreinterpretq_s8_s32(vzip2q_s32(low, high)));
  }
  float32x4_t begin = vmulq_n_f32(scale, -neon_begin);
  float *scales = (float *)(void *)(group + 256) + quad * 8;
  vst1q_f32(scales, vcombine_f32(vget_low_f32(scale), vget_low_f32(scale)));
  vst1q_f32(scales + 4, vcombine_f32(vget_high_f32(scale), vget_high_f32(scale)));
  vst1q_f32(scales + 32, vcombine_f32(vget_low_f32(begin), vget_low_f32(begin)));
  vst1q_f32(scales + 36, vcombine_f32(vget_high_f32(begin), vget_high_f32(begin)));
}

#endif
