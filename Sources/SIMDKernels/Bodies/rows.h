// Norms, softmax, activations and sums over rows.

#pragma once

#include "../lanes.h"
#include "exponential.h"

LANES_INLINE float sum_of_squares(const float *x, size_t count, float less) {
  f32x16 sums = 0.0f;
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    f32x16 v = lanes_load(x + i) - less;
    sums += v * v;
  }
  if (i < count) {
    f32x16 v = lanes_load_some(x + i, count - i, less) - less;
    sums += v * v;
  }
  return lanes_sum(sums);
}

LANES_INLINE float sum_of(const float *x, size_t count) {
  f32x16 sums = 0.0f;
  size_t i = 0;
  for (; i + 16 <= count; i += 16) sums += lanes_load(x + i);
  if (i < count) sums += lanes_load_some(x + i, count - i, 0);
  return lanes_sum(sums);
}

// Values that are not finite count as 0, as they do where rows become int8. A product of two float32 is exact in float64.
static void add_squares(const float *x, size_t stride, const uint32_t *index, size_t count, size_t columns,
                        double *sums) {
  for (size_t r = 0; r < count; r++) {
    const float *row = x + (index ? index[r] : r) * stride;
    size_t i = 0;
    for (; i + 16 <= columns; i += 16) {
      f32x16 v = lanes_load(row + i);
      f64x16 wide = __builtin_convertvector(v - v == 0.0f ? v : lanes_splat(0), f64x16), sum;
      __builtin_memcpy(&sum, sums + i, sizeof sum);
      sum += wide * wide;
      __builtin_memcpy(sums + i, &sum, sizeof sum);
    }
    for (; i < columns; i++) {
      double wide = row[i] - row[i] == 0.0f ? row[i] : 0.0f;
      sums[i] += wide * wide;
    }
  }
}

static void rms_norm(const float *x, size_t stride, size_t rows, size_t columns, const float *weight,
                     float epsilon, float *out, size_t out_stride) {
  for (size_t r = 0; r < rows; r++) {
    const float *row = x + r * stride;
    float *to = out + r * out_stride;
    float mean = sum_of_squares(row, columns, 0) / (float)columns;
    float factor = 1.0f / __builtin_sqrtf(mean + epsilon);
    for (size_t i = 0; i < columns; i++) to[i] = weight[i] * (row[i] * factor);
  }
}

static void layer_norm(const float *x, size_t stride, size_t rows, size_t columns, const float *weight,
                       const float *bias, float epsilon, float *out, size_t out_stride) {
  for (size_t r = 0; r < rows; r++) {
    const float *row = x + r * stride;
    float *to = out + r * out_stride;
    float mean = sum_of(row, columns) / (float)columns;
    float variance = sum_of_squares(row, columns, mean) / (float)columns;
    float factor = 1.0f / __builtin_sqrtf(variance + epsilon);
    for (size_t i = 0; i < columns; i++) to[i] = (row[i] - mean) * factor * weight[i] + bias[i];
  }
}

static void softmax(float *x, size_t count) {
  float sum = exponentials(x, count, largest_of(x, count));
  float factor = 1.0f / sum;
  for (size_t i = 0; i < count; i++) x[i] *= factor;
}

static void sigmoid(float *x, size_t count) {
  size_t i = 0;
  for (; i + 16 <= count; i += 16) lanes_store(x + i, lanes_sigmoid(lanes_load(x + i)));
  if (i < count) lanes_store_some(x + i, count - i, lanes_sigmoid(lanes_load_some(x + i, count - i, 0)));
}

static void gelu_tanh(float *x, size_t count) {
  size_t i = 0;
  for (; i + 16 <= count; i += 16) lanes_store(x + i, lanes_gelu_tanh(lanes_load(x + i)));
  if (i < count) lanes_store_some(x + i, count - i, lanes_gelu_tanh(lanes_load_some(x + i, count - i, 0)));
}

static void gelu_erf(float *x, size_t count) {
  size_t i = 0;
  for (; i + 16 <= count; i += 16) lanes_store(x + i, lanes_gelu_erf(lanes_load(x + i)));
  if (i < count) lanes_store_some(x + i, count - i, lanes_gelu_erf(lanes_load_some(x + i, count - i, 0)));
}

static void silu_multiply(const float *gate, const float *up, float *out, size_t count) {
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    lanes_store(out + i, lanes_silu(lanes_load(gate + i)) * lanes_load(up + i));
  }
  if (i < count) {
    f32x16 some = lanes_silu(lanes_load_some(gate + i, count - i, 0));
    lanes_store_some(out + i, count - i, some * lanes_load_some(up + i, count - i, 0));
  }
}

static void add(float *x, const float *y, size_t count) {
  for (size_t i = 0; i < count; i++) x[i] += y[i];
}

static void add_scaled(float *x, const float *y, float scale, size_t count) {
  for (size_t i = 0; i < count; i++) x[i] += scale * y[i];
}

static void rope_halves(float *x, size_t heads, size_t dim, const float *cosine, const float *sine) {
  size_t half = dim / 2;
  for (size_t h = 0; h < heads; h++) {
    float *low = x + h * dim, *high = low + half;
    for (size_t i = 0; i < half; i++) {
      float a = low[i], b = high[i];
      low[i] = a * cosine[i] - b * sine[i];
      high[i] = b * cosine[i] + a * sine[i];
    }
  }
}

static void rope_pairs(float *x, size_t heads, size_t stride, size_t dim, const float *cosine, const float *sine) {
  for (size_t h = 0; h < heads; h++) {
    float *head = x + h * stride;
    for (size_t i = 0; i < dim / 2; i++) {
      float a = head[2 * i], b = head[2 * i + 1];
      head[2 * i] = a * cosine[i] - b * sine[i];
      head[2 * i + 1] = b * cosine[i] + a * sine[i];
    }
  }
}

static size_t argmax(const float *x, size_t count) {
  float largest = largest_of(x, count);
  for (size_t i = 0; i < count; i++) {
    if (x[i] == largest) return i;
  }
  return 0;
}
