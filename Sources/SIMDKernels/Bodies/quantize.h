// Float32 rows to int8 rows with scales.

#pragma once

#include "../lanes.h"
#include "../layout.h"

typedef struct {
  f32x16 low, high;
} f32x32;

LANES_INLINE f32x16 quantize_finite(f32x16 x) {
  i32x16 finite = lanes_abs(x) <= 0x1.FFFFFEp127f;
  return finite ? x : lanes_splat(0);
}

// 32 values from `first` on, zeros behind the last one.
LANES_INLINE f32x32 quantize_load_raw(const float *x, size_t columns, size_t first) {
  f32x32 values;
  size_t left = columns - first;
  if (left >= 32) {
    values.low = lanes_load(x + first);
    values.high = lanes_load(x + first + 16);
  } else {
    values.low = left >= 16 ? lanes_load(x + first) : lanes_load_some(x + first, left, 0);
    values.high = left > 16 ? lanes_load_some(x + first + 16, left - 16, 0) : lanes_splat(0);
  }
  return values;
}

LANES_INLINE f32x32 quantize_load(const float *x, size_t columns, size_t first) {
  f32x32 values = quantize_load_raw(x, columns, first);
  values.low = quantize_finite(values.low);
  values.high = quantize_finite(values.high);
  return values;
}

LANES_INLINE f32x16 quantize_larger(f32x32 values, f32x16 so_far) {
  return lanes_max(lanes_abs(values.low), lanes_max(lanes_abs(values.high), so_far));
}

// Scales of 16 groups from the largest value of each, and what values are multiplied by.
typedef struct {
  f32x16 scales, inverses;
} quantize_scales;

LANES_INLINE quantize_scales quantize_scales_of(f32x16 largest) {
  i32x16 used = largest >= 0x1p-100f;
  return (quantize_scales){used ? largest / 127.0f : lanes_splat(0), used ? 127.0f / largest : lanes_splat(0)};
}

// Returns the codes, which it stores as bytes.
LANES_INLINE i32x16 quantize_store(f32x16 values, float inverse, int8_t *out) {
  i32x16 codes = lanes_round_int(values * inverse);
  i8x16 narrow = __builtin_convertvector(codes, i8x16);
  __builtin_memcpy(out, &narrow, sizeof narrow);
  return codes;
}

static void quantize_rows(const float *x, size_t stride, size_t rows, size_t columns, size_t group,
                          uint8_t *out, size_t out_step) {
  size_t padded = quantized_columns(columns), bytes = vl2_quantized_row_bytes(columns);
  size_t used = quantized_offsets(columns) + padded / 16 * 4;
  for (size_t r = 0; r < rows; r++) {
    const float *row = x + r * stride;
    uint8_t *to = out + r * out_step;
    float row_largest = 0;
    if (group == 0) {
      f32x16 largest = 0.0f;
      for (size_t k = 0; k < columns; k += 32) largest = quantize_larger(quantize_load(row, columns, k), largest);
      row_largest = lanes_largest(largest);
    }
    // 16 groups at a time: one division and one tree of sums do for all of them.
    for (size_t first = 0; first < padded; first += 512) {
      size_t end = padded - first < 512 ? padded : first + 512, count = (end - first) / 32;
      f32x16 all = lanes_splat(row_largest);
      if (group != 0) {
        f32x16 largest[16];
        for (size_t g = 0; g < 16; g++) {
          largest[g] = g < count ? quantize_larger(quantize_load(row, columns, first + g * 32), lanes_splat(0)) : 0.0f;
        }
        all = lanes_largest_of_each(largest);
      }
      float scales[16], inverses[16];
      quantize_scales both = quantize_scales_of(all);
      lanes_store(scales, both.scales);
      lanes_store(inverses, both.inverses);
      memcpy(to + quantized_scales(columns) + first / 8, scales, count * 4);
      i32x16 codes[2][16];
      for (size_t g = 0; g < 16; g++) {
        codes[g / 8][g % 8 * 2] = codes[g / 8][g % 8 * 2 + 1] = 0;
        if (g >= count) continue;
        f32x32 values = quantize_load(row, columns, first + g * 32);
        int8_t *out = (int8_t *)to + first + g * 32;
        codes[g / 8][g % 8 * 2] = quantize_store(values.low, inverses[g], out);
        codes[g / 8][g % 8 * 2 + 1] = quantize_store(values.high, inverses[g], out + 16);
      }
      int32_t offsets[32];
      for (size_t h = 0; h < 2; h++) {
        i32x16 sums = -128 * lanes_sum_of_each_int(codes[h]);
        memcpy(offsets + h * 16, &sums, sizeof sums);
      }
      memcpy(to + quantized_offsets(columns) + first / 4, offsets, count * 8);
    }
    memset(to + used, 0, bytes - used);
  }
}
