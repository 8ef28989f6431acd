// The micro-kernels in terms of what matmul_smull.h or matmul_sdot.h defines; they include this file. A kernel takes
// 4 * quads rows of a block at a time, from 4 * first on: as many as leave all sums in registers.

// Groups g and g + 1 (only g unless `both`) of 64 columns of a Q4 block from column k on, whose scales are at head.
// lines is where the first quad's weights are.
NEON_INLINE void q4_pair(const uint8_t *head, const uint8_t *lines, size_t g, int both, size_t first, size_t quads,
                         const uint8_t *const *x, size_t k, size_t columns, size_t rows, float32x4_t *sums) {
  const int8x16_t codebook = vld1q_s8(vl2_q4_codebook);
  six_bits six[2];
  q4_six_bits(head, g, six);
  activations values[2][4];
#pragma unroll
  for (size_t i = 0; i < rows && ACTIVATIONS_STAY(rows); i++) {
    values[0][i] = load_activations(x[i] + k + g * 16);
    if (both) values[1][i] = load_activations(x[i] + k + g * 16 + 16);
  }
#pragma unroll
  for (size_t q = 0; q < quads; q++) {
    scaled_sums products[4];
#pragma unroll
    for (size_t h = 0; h < 2; h++) {
      if (h == 1 && !both) break;
      int8x16_t weights[4];
      integer_sums group[4];
      q4_unpack(lines + (g + h) * 128 + q * 16, codebook, weights);
#pragma unroll
      for (size_t i = 0; i < rows; i++) {
        activations x_values = ACTIVATIONS_STAY(rows) ? values[h][i] : load_activations(x[i] + k + (g + h) * 16);
        group[i] = add_products(begin_sums(), weights, x_values);
      }
      group_scales scales = q4_group_scales(six[h], first + q);
#pragma unroll
      for (size_t i = 0; i < rows; i++) {
        products[i] = h == 0 ? scale_sums(group[i], scales) : scale_more(products[i], group[i], scales);
        NEON_SETTLE(products[i]);
      }
    }
#pragma unroll
    for (size_t i = 0; i < rows; i++) {
      float scale = load_f32(x[i] + quantized_scales(columns) + k / 8 + g * 2);
      float32x4_t *sum = &sums[i * quads + q];
      *sum = add_scaled_products(*sum, scaled_floats(products[i]), scale);
      NEON_SETTLE(*sum);
    }
  }
}

NEON_INLINE void q4_i8_part(const uint8_t *block, size_t columns, size_t first, size_t quads,
                            const uint8_t *const *x, size_t rows, float (*out)[16]) {
  const uint8_t *lines = block + q4_lines(columns) + first * 16;
  const uint8_t *from[4];
  float32x4_t sums[8];
#pragma unroll
  for (size_t i = 0; i < rows; i++) from[i] = x[i];
#pragma unroll
  for (size_t s = 0; s < rows * quads; s++) sums[s] = vdupq_n_f32(0);
  size_t groups = (columns + 15) / 16, g = 0;
  for (; groups - g >= 4; g += 4) {
    q4_pair(block + g * 12, lines + g * 128, 0, 1, first, quads, from, g * 16, columns, rows, sums);
    q4_pair(block + g * 12, lines + g * 128, 2, 1, first, quads, from, g * 16, columns, rows, sums);
  }
  if (groups - g == 1) {
    q4_pair(block + g * 12, lines + g * 128, 0, 0, first, quads, from, g * 16, columns, rows, sums);
  } else if (groups > g) {
    q4_pair(block + g * 12, lines + g * 128, 0, 1, first, quads, from, g * 16, columns, rows, sums);
    if (groups - g == 3) {
      q4_pair(block + g * 12, lines + g * 128, 2, 0, first, quads, from, g * 16, columns, rows, sums);
    }
  }
#pragma unroll
  for (size_t s = 0; s < rows * quads; s++) {
    size_t quad = first + s % quads;
    store_scaled(out[s / quads] + quad * 4, sums[s], block + q4_row_scales(columns) + quad * 8);
  }
}

// Columns k to 32 beyond of an I8 block, or 16 beyond unless `both`.
NEON_INLINE void i8_pair(const uint8_t *block, size_t k, int both, size_t first, size_t quads,
                         const uint8_t *const *x, size_t columns, size_t rows, float32x4_t *sums) {
  const uint8_t *lines = block + i8_lines(columns) + k * 16 + first * 16;
  uint8x16_t bytes = vld1q_u8(block + k / 2);
  activations values[2][4];
#pragma unroll
  for (size_t i = 0; i < rows && ACTIVATIONS_STAY(rows); i++) {
    values[0][i] = load_activations(x[i] + k);
    if (both) values[1][i] = load_activations(x[i] + k + 16);
  }
#pragma unroll
  for (size_t q = 0; q < quads; q++) {
    integer_sums products[4];
#pragma unroll
    for (size_t h = 0; h < 2; h++) {
      if (h == 1 && !both) break;
      int8x16_t weights[4];
      i8_load(lines + q * 16 + h * 256, weights);
#pragma unroll
      for (size_t i = 0; i < rows; i++) {
        activations x_values = ACTIVATIONS_STAY(rows) ? values[h][i] : load_activations(x[i] + k + h * 16);
        products[i] = add_products(h == 0 ? begin_sums() : products[i], weights, x_values);
      }
    }
    group_scales scales = i8_group_scales(bytes, first + q);
#pragma unroll
    for (size_t i = 0; i < rows; i++) {
      float scale = load_f32(x[i] + quantized_scales(columns) + k / 8);
      float32x4_t *sum = &sums[i * quads + q];
      *sum = add_scaled_products(*sum, scaled_floats(scale_sums(products[i], scales)), scale);
      NEON_SETTLE(*sum);
    }
  }
}

NEON_INLINE void i8_i8_part(const uint8_t *block, size_t columns, size_t first, size_t quads,
                            const uint8_t *const *x, size_t rows, float (*out)[16]) {
  const uint8_t *from[4];
  float32x4_t sums[8];
#pragma unroll
  for (size_t i = 0; i < rows; i++) from[i] = x[i];
#pragma unroll
  for (size_t s = 0; s < rows * quads; s++) sums[s] = vdupq_n_f32(0);
  size_t padded = (columns + 15) / 16 * 16, k = 0;
  for (; padded - k >= 32; k += 32) i8_pair(block, k, 1, first, quads, from, columns, rows, sums);
  if (k < padded) i8_pair(block, k, 0, first, quads, from, columns, rows, sums);
#pragma unroll
  for (size_t s = 0; s < rows * quads; s++) {
    size_t quad = first + s % quads;
    store_scaled(out[s / quads] + quad * 4, sums[s], block + i8_row_scales(columns) + quad * 8);
  }
}
