// Packed weights times float32 rows: one sum per output, in column order, each product and each sum rounded.
// Lanes are the 16 rows of a block.

#pragma once

#include "../lanes.h"
#include "../layout.h"

#ifndef MATMUL_F32_ROWS
#error "MATMUL_F32_ROWS"
#endif

// Blocks that a single row takes together, and columns decoded at a time for them: chains of sums are latency.
enum { f32_blocks = 4, f32_piece = 64 };

typedef uint8_t u8x64 __attribute__((ext_vector_type(64)));

LANES_INLINE f32x16 f32_row_scale(const uint8_t *at) {
  u16x16 halves;
  __builtin_memcpy(&halves, at, sizeof halves);
  return (f32x16)(__builtin_convertvector(halves, u32x16) << 16);
}

LANES_INLINE u32x16 f32_bytes(const uint8_t *at) {
  u8x16 bytes;
  __builtin_memcpy(&bytes, at, sizeof bytes);
  return __builtin_convertvector(bytes, u32x16);
}

// Byte `place` of each lane as a signed number.
LANES_INLINE f32x16 f32_signed_byte(u8x64 line, uint32_t place) {
  return __builtin_convertvector((i32x16)((u32x16)line << (24 - 8 * place)) >> 24, f32x16);
}

// The scales of group g of a block, without those of its rows.
LANES_INLINE f32x16 f32_q4_scale(const uint8_t *block, size_t g) {
  const uint8_t *head = block + g / 4 * 48;
  u32x16 b0 = f32_bytes(head), b1 = f32_bytes(head + 16), b2 = f32_bytes(head + 32), six;
  switch (g % 4) {
    case 0: six = b0 & 63; break;
    case 1: six = b1 & 63; break;
    case 2: six = b2 & 63; break;
    default: six = b0 >> 6 | b1 >> 6 << 2 | b2 >> 6 << 4; break;
  }
  return __builtin_convertvector((i32x16)(six - 32), f32x16);
}

// Columns 4 * part... of group g, `lines` the block's.
LANES_INLINE u8x64 f32_q4_codes(const uint8_t *lines, size_t g, size_t part) {
  u8x64 line;
  __builtin_memcpy(&line, lines + g * 128 + part / 2 * 64, sizeof line);
  return codebook_lookup(part % 2 ? line >> 4 : line & 15);
}

LANES_INLINE void f32_decode_q4(const uint8_t *block, size_t columns, size_t first, size_t count, float *out) {
  f32x16 row_scale = f32_row_scale(block + q4_row_scales(columns));
  const uint8_t *lines = block + q4_lines(columns);
  for (size_t g = first / 16; g * 16 < first + count; g++) {
    f32x16 scale = f32_q4_scale(block, g);
    for (size_t part = 0; part < 4; part++) {
      u8x64 codes = f32_q4_codes(lines, g, part);
      for (uint32_t j = 0; j < 4; j++) {
        size_t column = g * 16 + part * 4 + j;
        if (column >= first + count) return;
        lanes_store(out + (column - first) * 16, row_scale * (scale * f32_signed_byte(codes, j)));
      }
    }
  }
}

LANES_INLINE void f32_decode_i8(const uint8_t *block, size_t columns, size_t first, size_t count, float *out) {
  f32x16 row_scale = f32_row_scale(block + i8_row_scales(columns));
  const uint8_t *lines = block + i8_lines(columns);
  for (size_t k = first; k < first + count; k += 4) {
    u8x64 line;
    __builtin_memcpy(&line, lines + k / 4 * 64, sizeof line);
    f32x16 scale = __builtin_convertvector((i32x16)f32_bytes(block + k / 32 * 16), f32x16);
    for (uint32_t j = 0; j < 4 && k + j < first + count; j++) {
      lanes_store(out + (k + j - first) * 16, row_scale * (scale * f32_signed_byte(line, j)));
    }
  }
}

// Columns first..<first + count of a block to out[column - first][16]; first is a multiple of 16.
static void f32_decode(uint32_t code, const uint8_t *block, size_t columns, size_t first, size_t count,
                       float *out) {
  switch (code) {
    case VL2_CODE_F32: __builtin_memcpy(out, block + first * 64, count * 64); break;
    case VL2_CODE_BF16:
      for (size_t k = 0; k < count; k++) lanes_store(out + k * 16, f32_row_scale(block + (first + k) * 32));
      break;
    case VL2_CODE_I8: f32_decode_i8(block, columns, first, count, out); break;
    default: f32_decode_q4(block, columns, first, count, out); break;
  }
}

LANES_INLINE void f32_finish(f32x16 sum, const vl2_matrix *matrix, size_t block, const float *bias, float *y) {
  size_t first = block * 16, left = matrix->rows - first;
  if (left >= 16) {
    lanes_store(y + first, bias ? sum + lanes_load(bias + first) : sum);
  } else {
    lanes_store_some(y + first, left, bias ? sum + lanes_load_some(bias + first, left, 0) : sum);
  }
}

// `rows` rows of x with one decoded block.
LANES_INLINE void f32_rows(const float *weights, size_t columns, size_t rows, const float *x, size_t x_stride,
                           const uint32_t *index, size_t first, const vl2_matrix *matrix, size_t block,
                           const float *bias, float *y, size_t y_stride) {
  f32x16 sums[8];
  const float *from[8];
#pragma unroll
  for (size_t i = 0; i < rows; i++) {
    sums[i] = 0.0f;
    from[i] = x + (index ? index[first + i] : first + i) * x_stride;
  }
  for (size_t k = 0; k < columns; k++) {
    f32x16 weight = lanes_load(weights + k * 16);
#pragma unroll
    for (size_t i = 0; i < rows; i++) sums[i] += weight * from[i][k];
  }
#pragma unroll
  for (size_t i = 0; i < rows; i++) f32_finish(sums[i], matrix, block, bias, y + (first + i) * y_stride);
}

// One row of x with `blocks` blocks.
LANES_INLINE void f32_one_row(const vl2_matrix *matrix, size_t block, size_t blocks, const float *x,
                              const float *bias, float *y) {
  _Alignas(64) float weights[f32_blocks][f32_piece * 16];
  f32x16 sums[f32_blocks];
#pragma unroll
  for (size_t b = 0; b < blocks; b++) sums[b] = 0.0f;
  for (size_t first = 0; first < matrix->columns; first += f32_piece) {
    size_t count = matrix->columns - first < f32_piece ? matrix->columns - first : f32_piece;
    for (size_t b = 0; b < blocks; b++) {
      const uint8_t *at = matrix->blocks + (block + b) * matrix->block_step;
      f32_decode(matrix->code, at, matrix->columns, first, count, weights[b]);
    }
    for (size_t k = 0; k < count; k++) {
#pragma unroll
      for (size_t b = 0; b < blocks; b++) sums[b] += lanes_load(&weights[b][k * 16]) * x[first + k];
    }
  }
#pragma unroll
  for (size_t b = 0; b < blocks; b++) f32_finish(sums[b], matrix, block + b, bias, y);
}

static void matmul_f32(const vl2_matrix *matrix, size_t first_block, size_t last_block, const float *x,
                       size_t x_stride, const uint32_t *index, size_t count, const float *bias, float *y,
                       size_t y_stride, float *scratch) {
  size_t b = first_block, columns = matrix->columns;
  if (count == 1) {
    const float *row = x + (index ? index[0] : 0) * x_stride;
    for (; b + f32_blocks <= last_block; b += f32_blocks) f32_one_row(matrix, b, f32_blocks, row, bias, y);
    for (; b < last_block; b++) f32_one_row(matrix, b, 1, row, bias, y);
    return;
  }
  for (; b < last_block; b++) {
    f32_decode(matrix->code, matrix->blocks + b * matrix->block_step, columns, 0, columns, scratch);
    size_t i = 0;
    for (; i + MATMUL_F32_ROWS <= count; i += MATMUL_F32_ROWS) {
      f32_rows(scratch, columns, MATMUL_F32_ROWS, x, x_stride, index, i, matrix, b, bias, y, y_stride);
    }
    for (; i < count; i++) {
      f32_rows(scratch, columns, 1, x, x_stride, index, i, matrix, b, bias, y, y_stride);
    }
  }
}
