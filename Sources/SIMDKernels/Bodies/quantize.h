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

LANES_INLINE f32x32 quantize_load(const float *x, size_t columns, size_t first) {
  f32x32 values;
  size_t left = columns - first;
  if (left >= 32) {
    values.low = lanes_load(x + first);
    values.high = lanes_load(x + first + 16);
  } else {
    values.low = left >= 16 ? lanes_load(x + first) : lanes_load_some(x + first, left, 0);
    values.high = left > 16 ? lanes_load_some(x + first + 16, left - 16, 0) : lanes_splat(0);
  }
  values.low = quantize_finite(values.low);
  values.high = quantize_finite(values.high);
  return values;
}

LANES_INLINE f32x16 quantize_larger(f32x32 values, f32x16 so_far) {
  return lanes_max(lanes_abs(values.low), lanes_max(lanes_abs(values.high), so_far));
}

LANES_INLINE void quantize_store(f32x16 values, float inverse, int8_t *out, uint8_t *offset) {
  i32x16 codes = lanes_round_int(values * inverse);
  i8x16 narrow = __builtin_convertvector(codes, i8x16);
  __builtin_memcpy(out, &narrow, sizeof narrow);
  int32_t begin = -128 * __builtin_reduce_add(codes);
  memcpy(offset, &begin, sizeof begin);
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
    // 16 groups at a time, so that one division does for all of them.
    for (size_t first = 0; first < padded; first += 512) {
      size_t end = padded - first < 512 ? padded : first + 512;
      float largest[16] = {0}, inverse[16];
      for (size_t k = first; k < end; k += 32) {
        largest[(k - first) / 32] =
            group == 0 ? row_largest
                       : lanes_largest(quantize_larger(quantize_load(row, columns, k), lanes_splat(0)));
      }
      f32x16 all = lanes_load(largest);
      i32x16 used_group = all >= 0x1p-100f;
      lanes_store(inverse, used_group ? 127.0f / all : lanes_splat(0));
      lanes_store(largest, used_group ? all / 127.0f : lanes_splat(0));
      memcpy(to + quantized_scales(columns) + first / 8, largest, (end - first) / 8);
      for (size_t k = first; k < end; k += 32) {
        f32x32 values = quantize_load(row, columns, k);
        uint8_t *offsets = to + quantized_offsets(columns) + k / 4;
        quantize_store(values.low, inverse[(k - first) / 32], (int8_t *)to + k, offsets);
        quantize_store(values.high, inverse[(k - first) / 32], (int8_t *)to + k + 16, offsets + 4);
      }
    }
    memset(to + used, 0, bytes - used);
  }
}
