// Vectors of 16 lanes, which the compiler maps to whatever the instruction set at hand has: one register of
// AVX-512, two of AVX2, four of NEON or SSE2. Everything here gives the same bits on all of them.
//
// Include it inside the region in which the instruction set's target attribute is pushed, so that these
// functions can be inlined and vectors never cross a real call.

#ifndef LANES_H
#define LANES_H

#include <stddef.h>
#include <stdint.h>

#pragma STDC FP_CONTRACT OFF
// All functions below are inlined, so how a wide vector would be passed does not matter.
#pragma clang diagnostic ignored "-Wpsabi"

#define LANES_INLINE static inline __attribute__((always_inline, unused))

typedef float f32x16 __attribute__((ext_vector_type(16)));
typedef float f32x8 __attribute__((ext_vector_type(8)));
typedef float f32x4 __attribute__((ext_vector_type(4)));
typedef double f64x16 __attribute__((ext_vector_type(16)));
typedef int32_t i32x16 __attribute__((ext_vector_type(16)));
typedef uint32_t u32x16 __attribute__((ext_vector_type(16)));
typedef uint16_t u16x16 __attribute__((ext_vector_type(16)));
typedef uint8_t u8x16 __attribute__((ext_vector_type(16)));
typedef int8_t i8x16 __attribute__((ext_vector_type(16)));
typedef int8_t i8x64 __attribute__((ext_vector_type(64)));

LANES_INLINE f32x16 lanes_splat(float value) { return (f32x16)value; }

LANES_INLINE f32x16 lanes_load(const float *at) {
  f32x16 value;
  __builtin_memcpy(&value, at, sizeof value);
  return value;
}

LANES_INLINE void lanes_store(float *at, f32x16 value) { __builtin_memcpy(at, &value, sizeof value); }

#ifdef LANES_MASKED
// The first `count` (below 16) values, then `fill`.
LANES_INLINE f32x16 lanes_load_some(const float *at, size_t count, float fill) {
  return (f32x16)_mm512_mask_loadu_ps(_mm512_set1_ps(fill), (__mmask16)((1u << count) - 1), at);
}

LANES_INLINE void lanes_store_some(float *at, size_t count, f32x16 value) {
  _mm512_mask_storeu_ps(at, (__mmask16)((1u << count) - 1), (__m512)value);
}
#else
LANES_INLINE f32x16 lanes_load_some(const float *at, size_t count, float fill) {
  float all[16];
  for (size_t i = 0; i < 16; i++) all[i] = fill;
  for (size_t i = 0; i < count; i++) all[i] = at[i];
  return lanes_load(all);
}

LANES_INLINE void lanes_store_some(float *at, size_t count, f32x16 value) {
  float all[16];
  lanes_store(all, value);
  for (size_t i = 0; i < count; i++) at[i] = all[i];
}
#endif

// The larger one; b where either is not a number.
LANES_INLINE f32x16 lanes_max(f32x16 a, f32x16 b) { return a > b ? a : b; }
LANES_INLINE f32x16 lanes_min(f32x16 a, f32x16 b) { return a < b ? a : b; }
LANES_INLINE f32x16 lanes_abs(f32x16 a) { return (f32x16)((u32x16)a & 0x7FFFFFFFu); }

// a * b + c, rounded once.
LANES_INLINE f32x16 lanes_fma(f32x16 a, f32x16 b, f32x16 c) { return __builtin_elementwise_fma(a, b, c); }

// The nearest integer, halves to even, for |a| < 2^22: adding 1.5 * 2^23 leaves no bits for a fraction.
LANES_INLINE f32x16 lanes_round(f32x16 a) { return (a + 12582912.0f) - 12582912.0f; }

// The same as int32. Not-a-number gives some integer.
LANES_INLINE i32x16 lanes_round_int(f32x16 a) {
  return (i32x16)((u32x16)(a + 12582912.0f) - 0x4B400000u);
}

// Lane i meets lane i + 8, then i + 4, i + 2, i + 1.
LANES_INLINE float lanes_sum(f32x16 a) {
  f32x8 b = a.lo + a.hi;
  f32x4 c = b.lo + b.hi;
  return (c[0] + c[2]) + (c[1] + c[3]);
}

LANES_INLINE float lanes_largest(f32x16 a) {
  f32x8 b = a.lo > a.hi ? a.lo : a.hi;
  f32x4 c = b.lo > b.hi ? b.lo : b.hi;
  float even = c[0] > c[2] ? c[0] : c[2], odd = c[1] > c[3] ? c[1] : c[3];
  return even > odd ? even : odd;
}

// Of two vectors, lanes in pairs of halves, quarters, eighths and sixteenths: the first of each pair, or the second.
#define LANES_FIRST_8(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23)
#define LANES_SECOND_8(a, b) __builtin_shufflevector(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31)
#define LANES_FIRST_4(a, b) __builtin_shufflevector(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27)
#define LANES_SECOND_4(a, b) __builtin_shufflevector(a, b, 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31)
#define LANES_FIRST_2(a, b) __builtin_shufflevector(a, b, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29)
#define LANES_SECOND_2(a, b) __builtin_shufflevector(a, b, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31)
#define LANES_FIRST_1(a, b) __builtin_shufflevector(a, b, 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30)
#define LANES_SECOND_1(a, b) __builtin_shufflevector(a, b, 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31)

// name(a): lane i is what `both` makes of the lanes of a[i], 16 vectors, in the order of lanes_sum. Sixteen at once take a
// third of the operations of one after the other.
#define LANES_OF_EACH(name, type, both)                                                                                 \
  LANES_INLINE type name(type *a) {                                                                                     \
    _Pragma("unroll") for (size_t i = 0; i < 8; i++) {                                                                  \
      a[i] = both(LANES_FIRST_8(a[i], a[i + 8]), LANES_SECOND_8(a[i], a[i + 8]));                                       \
    }                                                                                                                   \
    _Pragma("unroll") for (size_t i = 0; i < 4; i++) {                                                                  \
      a[i] = both(LANES_FIRST_4(a[i], a[i + 4]), LANES_SECOND_4(a[i], a[i + 4]));                                       \
    }                                                                                                                   \
    _Pragma("unroll") for (size_t i = 0; i < 2; i++) {                                                                  \
      a[i] = both(LANES_FIRST_2(a[i], a[i + 2]), LANES_SECOND_2(a[i], a[i + 2]));                                       \
    }                                                                                                                   \
    return both(LANES_FIRST_1(a[0], a[1]), LANES_SECOND_1(a[0], a[1]));                                                 \
  }
#define LANES_ADD(a, b) ((a) + (b))
LANES_OF_EACH(lanes_largest_of_each, f32x16, lanes_max)
LANES_OF_EACH(lanes_sum_of_each, f32x16, LANES_ADD)
LANES_OF_EACH(lanes_sum_of_each_int, i32x16, LANES_ADD)

LANES_INLINE double lanes_sum_f64(f64x16 a) {
  double sum = 0;
  for (size_t i = 0; i < 16; i++) sum += a[i];
  return sum;
}

#endif
