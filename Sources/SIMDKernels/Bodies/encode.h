// Encoding 16 rows. Lanes are rows, so that no step needs a sum over lanes.
//
// `importance` is what the squared error of each column counts, or NULL where all count the same. It is a constant where
// these functions are inlined, so that what is written without importance does not change and costs nothing.

#pragma once

#include "../lanes.h"
#include "../layout.h"

// A row is searched after division by the power of two of its largest weight, so that products neither overflow
// nor vanish. Rows whose largest weight is below 2^-100 become zeros: their bfloat16 scale would be subnormal.
typedef struct {
  f32x16 down, up;  // a power of two and its inverse; 0 for a row that becomes zeros
  f32x16 largest;   // largest |weight| * down, in 1..<4, or 0
} row_range;

// tile[c][r] = weight of row r in column first + c; absent rows are 0.
LANES_INLINE void encode_load(const float *weights, size_t stride, size_t rows, size_t first, size_t count,
                              f32x16 tile[16]) {
  float buffer[16][16];
  __builtin_memset(buffer, 0, sizeof buffer);
  for (size_t r = 0; r < rows; r++) {
    const float *row = weights + r * stride + first;
    if (count == 16) {
      for (size_t c = 0; c < 16; c++) buffer[c][r] = row[c];
    } else {
      for (size_t c = 0; c < count; c++) buffer[c][r] = row[c];
    }
  }
  for (size_t c = 0; c < 16; c++) tile[c] = lanes_load(buffer[c]);
}

LANES_INLINE row_range encode_range(const float *weights, size_t stride, size_t rows, size_t columns) {
  float largest[16] = {0};
  for (size_t r = 0; r < rows; r++) {
    const float *row = weights + r * stride;
    f32x16 most = 0.0f;
    size_t k = 0;
    for (; k + 16 <= columns; k += 16) most = lanes_max(lanes_abs(lanes_load(row + k)), most);
    if (k < columns) most = lanes_max(lanes_abs(lanes_load_some(row + k, columns - k, 0)), most);
    largest[r] = lanes_largest(most);
  }
  f32x16 most = lanes_load(largest);
  u32x16 exponent = (u32x16)most >> 23;
  exponent = exponent > 253 ? (u32x16)253 : exponent;
  row_range range;
  i32x16 used = most >= 0x1p-100f;
  range.down = used ? (f32x16)((254 - exponent) << 23) : lanes_splat(0);
  range.up = used ? (f32x16)(exponent << 23) : lanes_splat(0);
  range.largest = used ? most * range.down : lanes_splat(0);
  return range;
}

// What is lost and what there was; both once more with each column counted by its importance.
typedef struct {
  f64x16 error, energy, weighted_error, weighted_energy;
} encode_sums;

// Add up in float64 what is lost and what there was of one column.
LANES_INLINE void encode_account(f32x16 weight, f32x16 decoded, const float *importance, encode_sums *sums) {
  f64x16 exact = __builtin_convertvector(weight, f64x16);
  f64x16 lost = exact - __builtin_convertvector(decoded, f64x16);
  sums->error += lost * lost;
  sums->energy += exact * exact;
  if (importance) {
    sums->weighted_error += (double)*importance * (lost * lost);
    sums->weighted_energy += (double)*importance * (exact * exact);
  }
}

// To bfloat16, halves to even; what rounds past the largest finite bfloat16 becomes that.
LANES_INLINE u32x16 encode_bf16(f32x16 value) {
  u32x16 bits = (u32x16)value;
  u32x16 magnitude = ((bits & 0x7FFFFFFFu) + 0x7FFFu + (bits >> 16 & 1)) >> 16;
  magnitude = magnitude > 0x7F7F ? (u32x16)0x7F7F : magnitude;
  return magnitude | (bits >> 31 << 15);
}

LANES_INLINE void encode_store_u16(uint8_t *at, u32x16 value) {
  u16x16 narrow = __builtin_convertvector(value, u16x16);
  __builtin_memcpy(at, &narrow, sizeof narrow);
}

LANES_INLINE void encode_store_u8(uint8_t *at, u32x16 value) {
  u8x16 narrow = __builtin_convertvector(value, u8x16);
  __builtin_memcpy(at, &narrow, sizeof narrow);
}

// Inverse of a scale; 0 for 0, so that weights of a group without a scale count as 0.
LANES_INLINE f32x16 encode_inverse(f32x16 scale) {
  i32x16 none = scale == 0.0f;
  f32x16 inverse = 1.0f / (none ? lanes_splat(1) : scale);
  return none ? lanes_splat(0) : inverse;
}

// ------------------------------------------------------------------------------------------------- Q4

// The codebook's midpoints and entries; compared one after another, in registers.
#define Q4_STEPS(STEP)                                                                                        \
  STEP(0, -116.5f, -106) STEP(1, -94.5f, -83) STEP(2, -74.0f, -65) STEP(3, -57.0f, -49)                       \
  STEP(4, -41.5f, -34) STEP(5, -27.5f, -21) STEP(6, -15.0f, -9) STEP(7, -3.0f, 3) STEP(8, 8.5f, 14)           \
  STEP(9, 20.0f, 26) STEP(10, 32.0f, 38) STEP(11, 45.0f, 52) STEP(12, 59.5f, 67) STEP(13, 76.5f, 86)          \
  STEP(14, 99.0f, 112)

LANES_INLINE f32x16 q4_nearest(f32x16 x) {
  f32x16 entry = -127.0f;
#define STEP(index, midpoint, value) entry = x > midpoint ? lanes_splat(value) : entry;
  Q4_STEPS(STEP)
#undef STEP
  return entry;
}

LANES_INLINE u32x16 q4_nearest_index(f32x16 x) {
  u32x16 index = 0;
#define STEP(place, midpoint, value) index = x > midpoint ? (u32x16)(place + 1) : index;
  Q4_STEPS(STEP)
#undef STEP
  return index;
}
#undef Q4_STEPS

// With every weight at its nearest entry for a scale: sum of weight * entry, and of entry^2, times importance.
LANES_INLINE void q4_try(const f32x16 tile[16], const float *importance, size_t count, f32x16 inverse,
                         f32x16 *product, f32x16 *square) {
  f32x16 products = 0.0f, squares = 0.0f;
#pragma clang loop unroll_count(2)
  for (size_t c = 0; c < count; c++) {
    f32x16 entry = q4_nearest(tile[c] * inverse);
    f32x16 counted = importance ? entry * importance[c] : entry;
    products += tile[c] * counted;
    squares += entry * counted;
  }
  *product = products;
  *square = squares;
}

// The real scale of a group with the smallest squared error, of eight sizes and two signs, each followed by
// the least-squares scale for the entries that it picked.
LANES_INLINE f32x16 q4_search(const f32x16 tile[16], const float *importance, size_t count) {
  f32x16 largest = 0.0f;
  for (size_t c = 0; c < count; c++) largest = lanes_max(lanes_abs(tile[c]), largest);
  // A group this far below its row's largest weight gets the scale 0 whatever it holds.
  i32x16 used = largest > 0x1p-40f;
  f32x16 inverse = 1.0f / (used ? largest : lanes_splat(1));
  f32x16 best_gain = -1.0f, best = 0.0f;
  for (int trial = 0; trial < 16; trial++) {
    float size = 88.0f + 8.0f * (float)(trial / 2);
    f32x16 product, square;
    q4_try(tile, importance, count, inverse * (trial % 2 ? -size : size), &product, &square);
    f32x16 scale = product / square, gain = product * scale;
    i32x16 better = gain > best_gain;
    best_gain = better ? gain : best_gain;
    best = better ? scale : best;
  }
  return used ? best : lanes_splat(0);
}

// The integer scale with the smallest squared error, of the nearest one to `scale` and its neighbours.
LANES_INLINE f32x16 q4_settle(const f32x16 tile[16], const float *importance, size_t count, f32x16 scale,
                              f32x16 row_scale, f32x16 row_inverse) {
  f32x16 middle = lanes_round(scale * row_inverse);
  f32x16 best_cost = lanes_splat(__builtin_inff()), best = 0.0f;
  for (int step = -1; step <= 1; step++) {
    f32x16 integer = lanes_max(lanes_min(middle + (float)step, lanes_splat(31)), lanes_splat(-31));
    f32x16 real = integer * row_scale, product, square;
    q4_try(tile, importance, count, encode_inverse(real), &product, &square);
    f32x16 cost = real * (real * square - 2.0f * product);
    i32x16 better = cost < best_cost;
    best_cost = better ? cost : best_cost;
    best = better ? integer : best;
  }
  return best;
}

LANES_INLINE size_t encode_count(size_t columns, size_t first) {
  return columns - first < 16 ? columns - first : 16;
}

LANES_INLINE void encode_q4_by(const float *importance, const float *weights, size_t stride, size_t rows,
                               size_t columns, uint8_t *block, encode_sums *sums) {
  size_t groups = (columns + 15) / 16;
  uint8_t *lines = block + q4_lines(columns);
  row_range range = encode_range(weights, stride, rows, columns);
  f32x16 tile[16], largest = 0.0f;
#define IMPORTANCE(column) (importance ? importance + (column) : NULL)

  // The real scales wait in the lines of their groups, which are written last.
  for (size_t g = 0; g < groups; g++) {
    size_t count = encode_count(columns, g * 16);
    encode_load(weights, stride, rows, g * 16, count, tile);
    for (size_t c = 0; c < 16; c++) tile[c] *= range.down;
    const float *counts = IMPORTANCE(g * 16);
    f32x16 scale = count == 16 ? q4_search(tile, counts, 16) : q4_search(tile, counts, count);
    largest = lanes_max(lanes_abs(scale), largest);
    __builtin_memcpy(lines + g * 128, &scale, sizeof scale);
  }

  // 0x1.0Ap-10 is the largest bfloat16 whose product with 31 * 127 and any `up` is finite.
  f32x16 row_scale = (f32x16)(encode_bf16(largest / 31.0f) << 16);
  row_scale = lanes_min(row_scale, lanes_splat(0x1.0Ap-10f));
  f32x16 row_inverse = encode_inverse(row_scale), real_row_scale = row_scale * range.up;
  encode_store_u16(block + q4_row_scales(columns), (u32x16)real_row_scale >> 16);

  u32x16 six_bits[4] = {32, 32, 32, 32};
  for (size_t g = 0; g < groups; g++) {
    size_t count = encode_count(columns, g * 16);
    encode_load(weights, stride, rows, g * 16, count, tile);
    for (size_t c = 0; c < 16; c++) tile[c] *= range.down;
    f32x16 scale;
    __builtin_memcpy(&scale, lines + g * 128, sizeof scale);
    const float *counts = IMPORTANCE(g * 16);
    f32x16 integer = count == 16 ? q4_settle(tile, counts, 16, scale, row_scale, row_inverse)
                                 : q4_settle(tile, counts, count, scale, row_scale, row_inverse);
    f32x16 inverse = encode_inverse(integer * row_scale);

    for (size_t l = 0; l < 2; l++) {
      u32x16 line = 0;
      for (size_t j = 0; j < 8; j++) {
        line |= q4_nearest_index(tile[l * 8 + j] * inverse) << (uint32_t)(j % 4 * 8 + j / 4 * 4);
      }
      __builtin_memcpy(lines + g * 128 + l * 64, &line, sizeof line);
    }

    encode_load(weights, stride, rows, g * 16, count, tile);
    for (size_t c = 0; c < count; c++) {
      f32x16 entry = q4_nearest(tile[c] * range.down * inverse);
      encode_account(tile[c], real_row_scale * (integer * entry), IMPORTANCE(g * 16 + c), sums);
    }

    six_bits[g % 4] = (u32x16)__builtin_convertvector(integer + 32.0f, i32x16);
    if (g % 4 == 3 || g + 1 == groups) {
      for (uint32_t b = 0; b < 3; b++) {
        encode_store_u8(block + g / 4 * 48 + b * 16, six_bits[b] | (six_bits[3] >> (2 * b) & 3) << 6);
      }
      for (size_t b = 0; b < 4; b++) six_bits[b] = 32;
    }
  }
}

static void encode_q4(const float *weights, size_t stride, size_t rows, size_t columns, uint8_t *block,
                      encode_sums *sums) {
  encode_q4_by(NULL, weights, stride, rows, columns, block, sums);
}

static void encode_q4_weighted(const float *importance, const float *weights, size_t stride, size_t rows,
                               size_t columns, uint8_t *block, encode_sums *sums) {
  encode_q4_by(importance, weights, stride, rows, columns, block, sums);
}

// ------------------------------------------------------------------------------------------------- I8

// The code of a weight for the inverse of a scale.
LANES_INLINE f32x16 i8_code(f32x16 weight, f32x16 inverse) {
  return lanes_max(lanes_min(lanes_round(weight * inverse), lanes_splat(127)), lanes_splat(-127));
}

// The integer scale with the smallest squared error, of `scale`, which no weight passes, and the three below it,
// with which the largest weights are cut off.
LANES_INLINE f32x16 i8_settle(const f32x16 tile[2][16], const size_t counts[2], size_t parts,
                              const float *importance, f32x16 down, f32x16 scale, f32x16 row_scale) {
  f32x16 best_cost = lanes_splat(__builtin_inff()), best = scale;
  for (int step = 0; step < 4; step++) {
    f32x16 integer = lanes_max(scale - (float)step, lanes_min(scale, lanes_splat(1)));
    f32x16 real = integer * row_scale, inverse = encode_inverse(real), cost = 0.0f;
    for (size_t p = 0; p < parts; p++) {
      for (size_t c = 0; c < counts[p]; c++) {
        f32x16 weight = tile[p][c] * down, lost = weight - real * i8_code(weight, inverse);
        cost += lost * lost * importance[p * 16 + c];
      }
    }
    i32x16 better = cost < best_cost;
    best_cost = better ? cost : best_cost;
    best = better ? integer : best;
  }
  return best;
}

LANES_INLINE void encode_i8_by(const float *importance, const float *weights, size_t stride, size_t rows,
                               size_t columns, uint8_t *block, encode_sums *sums) {
  uint8_t *lines = block + i8_lines(columns);
  row_range range = encode_range(weights, stride, rows, columns);

  // Rounded up, so that no group needs a scale above 255; 0x1.02p-13 is the largest whose product with 255 * 127
  // and any `up` is finite.
  f32x16 exact = range.largest / 32385.0f;
  f32x16 row_scale = (f32x16)(((u32x16)exact + 0xFFFFu) & 0xFFFF0000u);
  row_scale = lanes_min(row_scale, lanes_splat(0x1.02p-13f));
  f32x16 row_inverse = encode_inverse(row_scale), real_row_scale = row_scale * range.up;
  encode_store_u16(block + i8_row_scales(columns), (u32x16)real_row_scale >> 16);

  for (size_t first = 0; first < columns; first += 32) {
    f32x16 tile[2][16], largest = 0.0f;
    size_t parts = columns - first > 16 ? 2 : 1, counts[2];
    for (size_t p = 0; p < parts; p++) {
      counts[p] = encode_count(columns, first + p * 16);
      encode_load(weights, stride, rows, first + p * 16, counts[p], tile[p]);
      for (size_t c = 0; c < 16; c++) largest = lanes_max(lanes_abs(tile[p][c] * range.down), largest);
    }
    // Rounded up, so that no code passes 127.
    f32x16 wanted = largest * row_inverse * (1.0f / 127.0f);
    f32x16 scale = lanes_round(wanted);
    scale = scale < wanted ? scale + 1.0f : scale;
    scale = lanes_min(scale, lanes_splat(255));
    if (importance) {
      scale = i8_settle(tile, counts, parts, importance + first, range.down, scale, row_scale);
    }
    encode_store_u8(block + first / 32 * 16, (u32x16)__builtin_convertvector(scale, i32x16));
    f32x16 inverse = encode_inverse(scale * row_scale);
    for (size_t p = 0; p < parts; p++) {
      for (size_t l = 0; l < 4; l++) {
        u32x16 line = 0;
        for (size_t j = 0; j < 4; j++) {
          f32x16 weight = tile[p][l * 4 + j];
          f32x16 code = i8_code(weight * range.down, inverse);
          line |= ((u32x16)__builtin_convertvector(code, i32x16) & 255) << (uint32_t)(j * 8);
          if (l * 4 + j < counts[p]) {
            encode_account(weight, real_row_scale * (scale * code), IMPORTANCE(first + p * 16 + l * 4 + j), sums);
          }
        }
        __builtin_memcpy(lines + (first / 16 + p) * 256 + l * 64, &line, sizeof line);
      }
    }
  }
}

static void encode_i8(const float *weights, size_t stride, size_t rows, size_t columns, uint8_t *block,
                      encode_sums *sums) {
  encode_i8_by(NULL, weights, stride, rows, columns, block, sums);
}

static void encode_i8_weighted(const float *importance, const float *weights, size_t stride, size_t rows,
                               size_t columns, uint8_t *block, encode_sums *sums) {
  encode_i8_by(importance, weights, stride, rows, columns, block, sums);
}

// ------------------------------------------------------------------------------------ floating-point codes

static void encode_floats(uint32_t code, const float *importance, const float *weights, size_t stride, size_t rows,
                          size_t columns, uint8_t *block, encode_sums *sums) {
  f32x16 tile[16];
  for (size_t first = 0; first < columns; first += 16) {
    size_t count = encode_count(columns, first);
    encode_load(weights, stride, rows, first, count, tile);
    for (size_t c = 0; c < count; c++) {
      f32x16 decoded = tile[c];
      if (code == VL2_CODE_F32) {
        lanes_store((float *)(void *)(block + (first + c) * 64), tile[c]);
      } else {
        u32x16 half = encode_bf16(tile[c]);
        encode_store_u16(block + (first + c) * 32, half);
        decoded = (f32x16)(half << 16);
      }
      encode_account(tile[c], decoded, IMPORTANCE(first + c), sums);
    }
  }
}
#undef IMPORTANCE

static double encode_block(uint32_t code, const float *weights, size_t stride, size_t rows, size_t columns,
                           uint8_t *block, double *energy) {
  encode_sums sums = {0};
  __builtin_memset(block, 0, vl2_block_bytes(code, columns));
  switch (code) {
    case VL2_CODE_I8: encode_i8(weights, stride, rows, columns, block, &sums); break;
    case VL2_CODE_Q4: encode_q4(weights, stride, rows, columns, block, &sums); break;
    default: encode_floats(code, NULL, weights, stride, rows, columns, block, &sums); break;
  }
  *energy += lanes_sum_f64(sums.energy);
  return lanes_sum_f64(sums.error);
}

static void encode_weighted(uint32_t code, const float *weights, size_t stride, size_t rows, size_t columns,
                            const float *importance, uint8_t *block, vl2_code_error *error) {
  encode_sums sums = {0};
  __builtin_memset(block, 0, vl2_block_bytes(code, columns));
  switch (code) {
    case VL2_CODE_I8: encode_i8_weighted(importance, weights, stride, rows, columns, block, &sums); break;
    case VL2_CODE_Q4: encode_q4_weighted(importance, weights, stride, rows, columns, block, &sums); break;
    default: encode_floats(code, importance, weights, stride, rows, columns, block, &sums); break;
  }
  error->error += lanes_sum_f64(sums.error);
  error->energy += lanes_sum_f64(sums.energy);
  error->weighted_error += lanes_sum_f64(sums.weighted_error);
  error->weighted_energy += lanes_sum_f64(sums.weighted_energy);
}
