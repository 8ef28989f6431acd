// Resampling of RGB pictures; see resample.h. One body, compiled for what the compiler targets when it is
// told nothing (SSE2 or NEON) and again for AVX2.

#include <string.h>

#include "SIMDKernels.h"
#include "lanes.h"
#include "resample.h"

typedef int32_t i32x4 __attribute__((ext_vector_type(4)));
typedef int32_t i32x8 __attribute__((ext_vector_type(8)));
typedef uint8_t u8x4 __attribute__((ext_vector_type(4)));
typedef uint8_t u8x8 __attribute__((ext_vector_type(8)));

#define ROUNDING (1 << (VL2_RESAMPLE_BITS - 1))

LANES_INLINE i32x8 pixels8(const uint8_t *at) {
  u8x8 bytes;
  __builtin_memcpy(&bytes, at, sizeof bytes);
  return __builtin_convertvector(bytes, i32x8);
}

LANES_INLINE i32x4 pixels4(const uint8_t *at) {
  u8x4 bytes;
  __builtin_memcpy(&bytes, at, sizeof bytes);
  return __builtin_convertvector(bytes, i32x4);
}

LANES_INLINE i32x8 weights8(const int32_t *at) {
  i32x8 weights;
  __builtin_memcpy(&weights, at, sizeof weights);
  return weights;
}

LANES_INLINE i32x4 weights4(const int32_t *at) {
  i32x4 weights;
  __builtin_memcpy(&weights, at, sizeof weights);
  return weights;
}

LANES_INLINE uint8_t clip8(int32_t sum) {
  sum >>= VL2_RESAMPLE_BITS;
  return sum < 0 ? 0 : sum > 255 ? 255 : (uint8_t)sum;
}

// Sums of 24 lanes: lane i holds channel i % 3.
typedef struct {
  i32x8 a, b, c;
} rgb_sums;

LANES_INLINE void store_rgb(rgb_sums sums, uint8_t *out) {
  // Lanes 12...23 onto 0...11, then the four pixels that are left onto one.
  i32x4 s0 = sums.a.lo + sums.b.hi, s1 = sums.a.hi + sums.c.lo, s2 = sums.b.lo + sums.c.hi;
  i32x4 rgb = s0 + __builtin_shufflevector(s0, s1, 3, 4, 5, -1) +
              __builtin_shufflevector(s1, s2, 2, 3, 4, -1) + __builtin_shufflevector(s2, s2, 1, 2, 3, -1);
  for (size_t c = 0; c < 3; c++) out[c] = clip8(rgb[c] + ROUNDING);
}

// One output pixel of each of `rows` (1 or 2) rows.
LANES_INLINE void window_sums(const uint8_t *from, size_t stride, size_t rows, const int32_t *weights,
                              size_t values, uint8_t *out, size_t out_stride) {
  rgb_sums sums[2] = {{0}, {0}};
  size_t i = 0;
  for (; i + 24 <= values; i += 24) {
    i32x8 wa = weights8(weights + i), wb = weights8(weights + i + 8), wc = weights8(weights + i + 16);
    for (size_t r = 0; r < rows; r++) {
      const uint8_t *at = from + r * stride + i;
      sums[r].a += pixels8(at) * wa;
      sums[r].b += pixels8(at + 8) * wb;
      sums[r].c += pixels8(at + 16) * wc;
    }
  }
  if (i < values) {
    i32x8 wa = weights8(weights + i);
    i32x4 wb = weights4(weights + i + 8);
    for (size_t r = 0; r < rows; r++) {
      const uint8_t *at = from + r * stride + i;
      sums[r].a += pixels8(at) * wa;
      sums[r].b.lo += pixels4(at + 8) * wb;
    }
  }
  for (size_t r = 0; r < rows; r++) store_rgb(sums[r], out + r * out_stride);
}

// The same where a window ends behind the last readable byte.
static void last_window_sums(const uint8_t *from, size_t readable, const int32_t *weights, size_t values,
                             uint8_t *out) {
  int32_t sums[3] = {ROUNDING, ROUNDING, ROUNDING};
  for (size_t i = 0; i < values && i < readable; i++) sums[i % 3] += from[i] * weights[i];
  for (size_t c = 0; c < 3; c++) out[c] = clip8(sums[c]);
}

LANES_INLINE void horizontal(const uint8_t *pixels, size_t readable, size_t stride, size_t rows,
                             const int32_t *weights, const uint32_t *starts, size_t window, size_t columns,
                             uint8_t *out, size_t out_stride) {
  size_t values = 3 * window, r = 0;
  while (r < rows) {
    size_t together = rows - r < 2 ? 1 : 2;
    const uint8_t *row = pixels + r * stride;
    size_t left = readable - (r + together - 1) * stride;
    uint8_t *to = out + r * out_stride;
    for (size_t c = 0; c < columns; c++) {
      size_t start = 3 * (size_t)starts[c];
      const int32_t *w = weights + c * values;
      if (start + values > left) {
        for (size_t k = 0; k < together; k++) {
          last_window_sums(row + k * stride + start, readable - (r + k) * stride - start, w, values,
                           to + k * out_stride + 3 * c);
        }
      } else if (together == 2) {
        window_sums(row + start, stride, 2, w, values, to + 3 * c, out_stride);
      } else {
        window_sums(row + start, stride, 1, w, values, to + 3 * c, out_stride);
      }
    }
    r += together;
  }
}

LANES_INLINE void store_clipped(i32x8 sums, uint8_t *out) {
  sums >>= VL2_RESAMPLE_BITS;
  sums = sums < 0 ? 0 : sums;
  sums = sums > 255 ? 255 : sums;
  u8x8 bytes = __builtin_convertvector(sums, u8x8);
  __builtin_memcpy(out, &bytes, sizeof bytes);
}

LANES_INLINE void vertical(const uint8_t *rows, size_t stride, size_t count, const int32_t *weights,
                           size_t bytes, uint8_t *out) {
  size_t i = 0;
  for (; i + 32 <= bytes; i += 32) {
    i32x8 a = ROUNDING, b = ROUNDING, c = ROUNDING, d = ROUNDING;
    for (size_t r = 0; r < count; r++) {
      const uint8_t *at = rows + r * stride + i;
      i32x8 weight = weights[r];
      a += pixels8(at) * weight;
      b += pixels8(at + 8) * weight;
      c += pixels8(at + 16) * weight;
      d += pixels8(at + 24) * weight;
    }
    store_clipped(a, out + i);
    store_clipped(b, out + i + 8);
    store_clipped(c, out + i + 16);
    store_clipped(d, out + i + 24);
  }
  for (; i < bytes; i++) {
    int32_t sum = ROUNDING;
    for (size_t r = 0; r < count; r++) sum += rows[r * stride + i] * weights[r];
    out[i] = clip8(sum);
  }
}

#if defined(__x86_64__)

__attribute__((target("avx2"))) static void horizontal_avx2(
    const uint8_t *pixels, size_t readable, size_t stride, size_t rows, const int32_t *weights,
    const uint32_t *starts, size_t window, size_t columns, uint8_t *out, size_t out_stride) {
  horizontal(pixels, readable, stride, rows, weights, starts, window, columns, out, out_stride);
}

__attribute__((target("avx2"))) static void vertical_avx2(const uint8_t *rows, size_t stride, size_t count,
                                                          const int32_t *weights, size_t bytes,
                                                          uint8_t *out) {
  vertical(rows, stride, count, weights, bytes, out);
}

// Every x86 set of kernels but the portable one has AVX2.
static int has_avx2(void) { return strcmp(vl2_kernels_active()->name, "portable") != 0; }

#endif

void vl2_resample_horizontal(const uint8_t *pixels, size_t readable, size_t stride, size_t rows,
                             const int32_t *weights, const uint32_t *starts, size_t window, size_t columns,
                             uint8_t *out, size_t out_stride) {
#if defined(__x86_64__)
  if (has_avx2()) {
    horizontal_avx2(pixels, readable, stride, rows, weights, starts, window, columns, out, out_stride);
    return;
  }
#endif
  horizontal(pixels, readable, stride, rows, weights, starts, window, columns, out, out_stride);
}

void vl2_resample_vertical(const uint8_t *rows, size_t stride, size_t count, const int32_t *weights,
                           size_t bytes, uint8_t *out) {
#if defined(__x86_64__)
  if (has_avx2()) {
    vertical_avx2(rows, stride, count, weights, bytes, out);
    return;
  }
#endif
  vertical(rows, stride, count, weights, bytes, out);
}
