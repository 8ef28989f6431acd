// exp, and the activation functions made of it. Own polynomials, because those of the C library differ between
// machines.

#pragma once

#include "../lanes.h"

// How many vectors go through an exponential side by side: one is a chain of 14 operations, of which a processor with a
// register for a vector has too few under way.
#ifndef LANES_SIDE_BY_SIDE
#define LANES_SIDE_BY_SIDE 1
#endif

// x[i] = e^x[i], within 2 units in the last place, subnormal results included; 0 below -104, infinity above 88.73.
// x = n ln 2 + r with |r| <= ln 2 / 2; ln 2 in two parts (Cody and Waite); the polynomial is that of Cephes' expf.
LANES_INLINE void lanes_exp_each(f32x16 *x, size_t count) {
  f32x16 raised[LANES_SIDE_BY_SIDE], n[LANES_SIDE_BY_SIDE], r[LANES_SIDE_BY_SIDE], p[LANES_SIDE_BY_SIDE];
#define LANES_EACH _Pragma("unroll") for (size_t i = 0; i < count; i++)
  LANES_EACH x[i] = x[i] > 89.0f ? lanes_splat(89.0f) : x[i];
  LANES_EACH x[i] = x[i] < -105.0f ? lanes_splat(-105.0f) : x[i];
  LANES_EACH raised[i] = lanes_fma(x[i], 1.44269504f, 12582912.0f);
  LANES_EACH n[i] = raised[i] - 12582912.0f;  // lanes_round
  LANES_EACH r[i] = lanes_fma(n[i], -0.693359375f, x[i]);
  LANES_EACH r[i] = lanes_fma(n[i], 2.12194440e-4f, r[i]);
  LANES_EACH p[i] = lanes_fma(1.9875691500e-4f, r[i], 1.3981999507e-3f);
  LANES_EACH p[i] = lanes_fma(p[i], r[i], 8.3334519073e-3f);
  LANES_EACH p[i] = lanes_fma(p[i], r[i], 4.1665795894e-2f);
  LANES_EACH p[i] = lanes_fma(p[i], r[i], 1.6666665459e-1f);
  LANES_EACH p[i] = lanes_fma(p[i], r[i], 5.0000001201e-1f);
  LANES_EACH p[i] = lanes_fma(p[i], r[i] * r[i], r[i]) + 1.0f;
#ifdef LANES_SCALE
  LANES_EACH x[i] = LANES_SCALE(p[i], n[i]);
#else
  // In two steps, because 2^n itself may be neither a normal number nor finite.
  LANES_EACH {
    i32x16 power = (i32x16)((u32x16)raised[i] - 0x4B400000u);
    u32x16 half = (u32x16)(power >> 1), rest = (u32x16)power - half;
    x[i] = p[i] * (f32x16)((half + 127) << 23) * (f32x16)((rest + 127) << 23);
  }
#endif
#undef LANES_EACH
}

LANES_INLINE f32x16 lanes_exp(f32x16 x) {
  lanes_exp_each(&x, 1);
  return x;
}

// 0.5 x (1 + tanh(u)) = x / (1 + e^(-2u)) loses nothing where tanh(u) is near -1.
LANES_INLINE f32x16 lanes_gelu_tanh(f32x16 x) {
  f32x16 twice = x * (1.5957691216f + 0.0713548163f * (x * x));
  return x / (1.0f + lanes_exp(-twice));
}

// 0.5 x erfc(-x / sqrt 2), with erfc(z) = t e^(-z^2 + P(t)) and t = 1 / (1 + z / 2) for z >= 0; P is the Chebyshev
// fit of Press et al., Numerical Recipes, "Special functions", with a relative error below 1.2e-7.
LANES_INLINE f32x16 lanes_gelu_erf(f32x16 x) {
  f32x16 size = lanes_abs(x);
  size = size > 16.0f ? lanes_splat(16.0f) : size;
  f32x16 t = 1.0f / (1.0f + 0.3535533906f * size);
  f32x16 p = 0.17087277f;
  p = p * t - 0.82215223f;
  p = p * t + 1.48851587f;
  p = p * t - 1.13520398f;
  p = p * t + 0.27886807f;
  p = p * t - 0.18628806f;
  p = p * t + 0.09678418f;
  p = p * t + 0.37409196f;
  p = p * t + 1.00002368f;
  p = p * t - 1.26551223f;
  // x^2 / 2 in two parts, the first of them exact.
  f32x16 coarse = (f32x16)((u32x16)size & 0xFFFFF000u);
  f32x16 fine = 0.5f * ((coarse - size) * (coarse + size));
  f32x16 tail = t * (lanes_exp(-0.5f * (coarse * coarse)) * lanes_exp(fine + p));
  return 0.5f * x * (x > 0.0f ? 2.0f - tail : tail);
}

LANES_INLINE f32x16 lanes_sigmoid(f32x16 x) { return 1.0f / (1.0f + lanes_exp(-x)); }

LANES_INLINE f32x16 lanes_silu(f32x16 x) { return x / (1.0f + lanes_exp(-x)); }

// x[i] = e^(x[i] - largest); returns their sum: 16 running sums in order, then over the lanes.
LANES_INLINE float exponentials(float *x, size_t count, float largest) {
  f32x16 sums = 0.0f, e[LANES_SIDE_BY_SIDE];
  size_t i = 0;
  for (; i + 16 * LANES_SIDE_BY_SIDE <= count; i += 16 * LANES_SIDE_BY_SIDE) {
#pragma unroll
    for (size_t j = 0; j < LANES_SIDE_BY_SIDE; j++) e[j] = lanes_load(x + i + j * 16) - largest;
    lanes_exp_each(e, LANES_SIDE_BY_SIDE);
#pragma unroll
    for (size_t j = 0; j < LANES_SIDE_BY_SIDE; j++) {
      lanes_store(x + i + j * 16, e[j]);
      sums += e[j];
    }
  }
  for (; i < count; i += 16) {
    size_t left = count - i < 16 ? count - i : 16;
    f32x16 some = left < 16 ? lanes_load_some(x + i, left, -__builtin_inff()) : lanes_load(x + i);
    some = lanes_exp(some - largest);
    if (left < 16) {
      lanes_store_some(x + i, left, some);
    } else {
      lanes_store(x + i, some);
    }
    sums += some;
  }
  return lanes_sum(sums);
}

LANES_INLINE float largest_of(const float *x, size_t count) {
  // Four at a time, since each waits for the one before it; no order changes which is the largest.
  f32x16 some[4] = {-__builtin_inff(), -__builtin_inff(), -__builtin_inff(), -__builtin_inff()};
  size_t i = 0;
  for (; i + 64 <= count; i += 64) {
#pragma unroll
    for (size_t j = 0; j < 4; j++) some[j] = lanes_max(lanes_load(x + i + j * 16), some[j]);
  }
  f32x16 largest = lanes_max(lanes_max(some[0], some[1]), lanes_max(some[2], some[3]));
  for (; i + 16 <= count; i += 16) largest = lanes_max(lanes_load(x + i), largest);
  if (i < count) largest = lanes_max(lanes_load_some(x + i, count - i, -__builtin_inff()), largest);
  return lanes_largest(largest);
}
