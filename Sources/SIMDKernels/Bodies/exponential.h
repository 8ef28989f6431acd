// exp, and the activation functions made of it. Own polynomials, because those of the C library differ between
// machines.

#pragma once

#include "../lanes.h"

// e^x, within 2 units in the last place, subnormal results included; 0 below -104, infinity above 88.73.
// x = n ln 2 + r with |r| <= ln 2 / 2; ln 2 in two parts (Cody and Waite); the polynomial is that of Cephes' expf.
LANES_INLINE f32x16 lanes_exp(f32x16 x) {
  x = x > 89.0f ? lanes_splat(89.0f) : x;
  x = x < -105.0f ? lanes_splat(-105.0f) : x;
  f32x16 raised = lanes_fma(x, 1.44269504f, 12582912.0f), n = raised - 12582912.0f;    // lanes_round
  f32x16 r = lanes_fma(n, -0.693359375f, x);
  r = lanes_fma(n, 2.12194440e-4f, r);
  f32x16 p = 1.9875691500e-4f;
  p = lanes_fma(p, r, 1.3981999507e-3f);
  p = lanes_fma(p, r, 8.3334519073e-3f);
  p = lanes_fma(p, r, 4.1665795894e-2f);
  p = lanes_fma(p, r, 1.6666665459e-1f);
  p = lanes_fma(p, r, 5.0000001201e-1f);
  p = lanes_fma(p, r * r, r) + 1.0f;
#ifdef LANES_SCALE
  return LANES_SCALE(p, n);
#else
  // In two steps, because 2^n itself may be neither a normal number nor finite.
  i32x16 power = (i32x16)((u32x16)raised - 0x4B400000u);
  u32x16 half = (u32x16)(power >> 1), rest = (u32x16)power - half;
  return p * (f32x16)((half + 127) << 23) * (f32x16)((rest + 127) << 23);
#endif
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
  f32x16 sums = 0.0f;
  size_t i = 0;
  for (; i + 16 <= count; i += 16) {
    f32x16 e = lanes_exp(lanes_load(x + i) - largest);
    lanes_store(x + i, e);
    sums += e;
  }
  if (i < count) {
    f32x16 e = lanes_exp(lanes_load_some(x + i, count - i, -__builtin_inff()) - largest);
    lanes_store_some(x + i, count - i, e);
    sums += e;
  }
  return lanes_sum(sums);
}

LANES_INLINE float largest_of(const float *x, size_t count) {
  f32x16 largest = lanes_splat(-__builtin_inff());
  size_t i = 0;
  for (; i + 16 <= count; i += 16) largest = lanes_max(lanes_load(x + i), largest);
  if (i < count) largest = lanes_max(lanes_load_some(x + i, count - i, -__builtin_inff()), largest);
  return lanes_largest(largest);
}
